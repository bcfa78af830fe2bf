-- A person's sleeps, $1, that ended from $2 to $3.
select
    sleep_date::text, start_local::text, end_local::text, main_sleep, minutes_asleep,
    deep_minutes::double precision, light_minutes::double precision, rem_minutes::double precision,
    wake_minutes::double precision, asleep_minutes::double precision, restless_minutes::double precision,
    avg_sleep_bpm::double precision
from stage.user_sleeps
where user_id = $1 and end_local >= $2::text::timestamp and end_local < $3::text::timestamp + interval '1 day'
order by ends_at
