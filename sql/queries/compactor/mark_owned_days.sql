-- Marks the days of people from which on a device changed hands: $1 ids of dirty days. Each person whom a profile ever gave the device
-- has them marked, whose it was and whose it is.
insert into ops.dirty_user_days (user_id, local_date)
select distinct v.user_id, d.local_date
from ops.dirty_days c
join raw.device_versions v on v.device_id = c.device_id
cross join lateral (
    select bucket::date as local_date from agg.heart_rates_1d where device_id = c.device_id and bucket >= c.local_date
    union
    select bucket::date from agg.steps_1d where device_id = c.device_id and bucket >= c.local_date
    union
    select bucket::date from agg.distances_1d where device_id = c.device_id and bucket >= c.local_date
    union
    select bucket::date from agg.calories_1d where device_id = c.device_id and bucket >= c.local_date
    union
    select local_date from agg.vitals_1d where device_id = c.device_id and local_date >= c.local_date
    union
    select local_date from agg.activity_1d where device_id = c.device_id and local_date >= c.local_date
    union
    select owned_on from stage.session_spans where device_id = c.device_id and owned_on >= c.local_date
) d
where c.id = any($1::int8[]) and c.stream = 'users' and v.user_id is not null
on conflict do nothing
