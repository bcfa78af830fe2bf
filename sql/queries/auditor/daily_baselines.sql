-- What was usual for devices or people ($3: 'device_id' or 'user_id') over the 7 and 28 days before each day, from $1 to before
-- $2, from days worn for 60 %: day beside day, where the relation slides a window.
with days as materialized (
    select
        device_id as owner, bucket, minutes_worn >= 864 as is_valid, minutes_worn,
        steps, minutes_asleep, bpm_avg, resting_bpm, avg_sleep_bpm
    from agg.daily_summary
    where $3 = 'device_id' and bucket >= $1::timestamp - interval '28 days' and bucket < $2
    union all
    select user_id, bucket, minutes_worn >= 864, minutes_worn, steps, minutes_asleep, bpm_avg, resting_bpm, avg_sleep_bpm
    from agg.user_daily_summary
    where $3 = 'user_id' and bucket >= $1::timestamp - interval '28 days' and bucket < $2
)
select
    d.owner,
    d.bucket,
    d.minutes_worn,
    d.is_valid,
    count(b.ago) filter (where b.ago <= 7) as valid_days_7d,
    count(b.ago) as valid_days_28d,
    d.steps,
    round(avg(b.steps) filter (where b.ago <= 7), 2) as steps_7d,
    round(avg(b.steps), 2) as steps_28d,
    round(d.steps - avg(b.steps), 2) as steps_deviation,
    d.minutes_asleep,
    round(avg(b.minutes_asleep) filter (where b.ago <= 7), 2) as minutes_asleep_7d,
    round(avg(b.minutes_asleep), 2) as minutes_asleep_28d,
    round(d.minutes_asleep - avg(b.minutes_asleep), 2) as minutes_asleep_deviation,
    d.bpm_avg,
    round(avg(b.bpm_avg) filter (where b.ago <= 7), 2) as bpm_avg_7d,
    round(avg(b.bpm_avg), 2) as bpm_avg_28d,
    round(d.bpm_avg - avg(b.bpm_avg), 2) as bpm_avg_deviation,
    d.resting_bpm,
    round(avg(b.resting_bpm) filter (where b.ago <= 7), 2) as resting_bpm_7d,
    round(avg(b.resting_bpm), 2) as resting_bpm_28d,
    round(d.resting_bpm - avg(b.resting_bpm), 2) as resting_bpm_deviation,
    d.avg_sleep_bpm,
    round(avg(b.avg_sleep_bpm) filter (where b.ago <= 7), 2) as avg_sleep_bpm_7d,
    round(avg(b.avg_sleep_bpm), 2) as avg_sleep_bpm_28d,
    round(d.avg_sleep_bpm - avg(b.avg_sleep_bpm), 2) as avg_sleep_bpm_deviation,
    count(b.steps) filter (where b.ago <= 7) as steps_days_7d,
    count(b.steps) as steps_days_28d,
    count(b.minutes_asleep) filter (where b.ago <= 7) as minutes_asleep_days_7d,
    count(b.minutes_asleep) as minutes_asleep_days_28d,
    count(b.bpm_avg) filter (where b.ago <= 7) as bpm_avg_days_7d,
    count(b.bpm_avg) as bpm_avg_days_28d,
    count(b.resting_bpm) filter (where b.ago <= 7) as resting_bpm_days_7d,
    count(b.resting_bpm) as resting_bpm_days_28d,
    count(b.avg_sleep_bpm) filter (where b.ago <= 7) as avg_sleep_bpm_days_7d,
    count(b.avg_sleep_bpm) as avg_sleep_bpm_days_28d
from days d
left join lateral (
    select o.*, d.bucket::date - o.bucket::date as ago
    from days o
    where o.owner = d.owner and o.is_valid and d.bucket::date - o.bucket::date between 1 and 28
) b on true
where d.bucket >= $1
group by d.owner, d.bucket, d.minutes_worn, d.is_valid, d.steps, d.minutes_asleep, d.bpm_avg, d.resting_bpm, d.avg_sleep_bpm
