-- A person's days, $1, from $2 to $3, beside what was usual.
select
    b.bucket::date::text, b.minutes_worn, b.steps, b.bpm_avg::double precision, s.bpm_min, s.bpm_max,
    b.resting_bpm::double precision, b.resting_bpm_28d::double precision, b.valid_days_28d, b.resting_bpm_days_28d
from agg.user_daily_baselines b
join agg.user_daily_summary s on s.user_id = b.user_id and s.bucket = b.bucket
where b.user_id = $1
    and b.bucket between $2::text::timestamp and $3::text::timestamp
    and s.bucket between $2::text::timestamp and $3::text::timestamp
order by b.bucket
