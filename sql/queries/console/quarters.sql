-- A person's day, $1 and $2, by 15 minutes.
select
    to_char(bucket, 'HH24:MI'), minutes_worn, bpm_sum::double precision / nullif(valid_readings, 0), bpm_min, bpm_max, steps
from stage.user_quarters
where user_id = $1 and bucket >= $2::text::timestamp and bucket < $2::text::timestamp + interval '1 day'
order by starts_at
