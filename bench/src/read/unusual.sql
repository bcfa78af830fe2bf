-- Days that are unlike the person, of all people.
select user_id, bucket::date, resting_bpm, round(usual, 2) as usual, round(resting_bpm - usual, 2) as deviation
from (
    select user_id, bucket, resting_bpm, avg(resting_bpm) filter (where minutes_worn >= 864) over four_weeks as usual,
        count(resting_bpm) filter (where minutes_worn >= 864) over four_weeks as days
    from agg.stored_user_days where user_id = any ('{people}')
    window four_weeks as (partition by user_id order by bucket range between '28 days' preceding and '1 day' preceding)
) d
where round(resting_bpm - usual, 2) >= 0 and days >= 1
order by user_id, bucket
