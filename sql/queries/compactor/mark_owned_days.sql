-- Marks the days of people from which on a device changed hands: $1 ids of dirty days. Each person whom a profile ever gave the device
-- has them marked, whose it was and whose it is. The compactor puts the stored rows of the continuous aggregates in place of their
-- names: a changed day that is not stored yet is marked when it is refreshed, for whoever owns the device then.
with recursive people as materialized (
    select v.user_id, c.device_id, min(c.local_date) as local_date
    from ops.dirty_days c
    join raw.device_versions v on v.device_id = c.device_id
    where c.id = any($1::int8[]) and c.stream = 'users' and v.user_id is not null
    group by v.user_id, c.device_id
), sessions as (
    -- Those of the device hid others, or hide them now; these may have hidden others in turn.
    select p.user_id, s.session, s.owned_on, s.start_local, s.end_local, s.starts_at, s.ends_at
    from people p
    join stage.session_spans s on s.device_id = p.device_id and s.owned_on >= p.local_date
    union
    select r.user_id, r.session, s.owned_on, s.start_local, s.end_local, s.starts_at, s.ends_at
    from sessions r
    join raw.device_owners p on p.user_id = r.user_id
    join stage.session_spans s on s.session = r.session and s.device_id = p.device_id
        and s.starts_at < r.ends_at and s.ends_at > r.starts_at
        and s.end_local > r.start_local - interval '9 days' and s.end_local < r.end_local + interval '9 days'
), days as (
    select p.user_id, d.local_date
    from people p
    cross join lateral (
        select bucket::date as local_date from agg.heart_rates_1d where device_id = p.device_id and bucket >= p.local_date
        union
        select bucket::date from agg.steps_1d where device_id = p.device_id and bucket >= p.local_date
        union
        select bucket::date from agg.distances_1d where device_id = p.device_id and bucket >= p.local_date
        union
        select bucket::date from agg.calories_1d where device_id = p.device_id and bucket >= p.local_date
        union
        select local_date from agg.vitals_1d where device_id = p.device_id and local_date >= p.local_date
        union
        select local_date from agg.activity_1d where device_id = p.device_id and local_date >= p.local_date
        union
        -- Days that are still open are not stored; there are few.
        select local_date from ops.waiting_days where local_date >= p.local_date
    ) d
)
insert into ops.dirty_user_days (user_id, local_date)
-- Its quarters of an hour decide what counts of other devices, whose days may be 2 apart.
select user_id, local_date + apart from days cross join generate_series(-2, 2) apart
union
select user_id, owned_on from sessions
union
-- What is stored may rest on what is not there any more.
select s.user_id, s.bucket::date
from people p
join agg.stored_user_days s on s.user_id = p.user_id and s.bucket >= p.local_date - 2
on conflict do nothing
