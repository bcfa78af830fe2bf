-- Marks the days of people that changes have a part in: $1 ids of dirty days; $2, $3 devices and last days of sleeps whose heart
-- rate was computed anew.
with recursive changed as materialized (
    select stream, device_id, local_date from ops.dirty_days where id = any($1::int8[]) and stream <> 'users'
    union all
    select '', s.device_id, date '1970-01-01' + s.day from unnest($2::uuid[], $3::int[]) s(device_id, day)
), owned as materialized (
    select distinct o.user_id, c.stream, c.device_id, c.local_date
    from changed c
    join raw.device_owners o on o.device_id = c.device_id and c.local_date >= o.from_day and c.local_date < o.until_day
), wearers as materialized (
    -- A session that lies on days of two owners is of one of them; all its days changed.
    select distinct o.user_id, case o.stream when 'sleeps' then 'sleep' else 'exercise' end as session, c.local_date
    from owned o
    join changed c on c.device_id = o.device_id and c.stream = o.stream
    where o.stream in ('sleeps', 'exercises')
), sessions as (
    -- A session that changed may have hidden others, or hides them now; these may have hidden others in turn. No session is longer
    -- than a week, and offsets differ by 36 hours at most.
    select w.user_id, s.session, s.owned_on, s.start_local, s.end_local, s.starts_at, s.ends_at
    from wearers w
    join raw.device_owners p on p.user_id = w.user_id
    join stage.session_spans s on s.session = w.session and s.device_id = p.device_id
        and s.owned_on >= p.from_day and s.owned_on < p.until_day
        and s.end_local >= w.local_date - 1 and s.start_local < w.local_date + 2 and s.end_local < w.local_date + 11
    union
    select r.user_id, r.session, s.owned_on, s.start_local, s.end_local, s.starts_at, s.ends_at
    from sessions r
    join raw.device_owners p on p.user_id = r.user_id
    join stage.session_spans s on s.session = r.session and s.device_id = p.device_id
        and s.owned_on >= p.from_day and s.owned_on < p.until_day
        and s.starts_at < r.ends_at and s.ends_at > r.starts_at
        and s.end_local > r.start_local - interval '9 days' and s.end_local < r.end_local + interval '9 days'
)
insert into ops.dirty_user_days (user_id, local_date)
select user_id, local_date from owned
union
-- Where a person wears several devices, a quarter of an hour of one decides what counts of another one's, whose day may be 2 apart.
select o.user_id, o.local_date + apart
from owned o
cross join generate_series(-2, 2) apart
where o.stream in ('heart_rates', 'steps', 'distances', 'calories')
    and exists (
        select from raw.device_owners p
        where p.user_id = o.user_id and p.device_id <> o.device_id
            and p.from_day < o.local_date + 3 and p.until_day > o.local_date - 2)
union
select user_id, owned_on from sessions
union
-- A change of nobody in particular.
select s.user_id, c.local_date
from changed c
join agg.stored_user_days s on s.bucket = c.local_date
where c.device_id is null
union
-- A score is its sleep's, whatever day it names itself.
select o.user_id, s.end_local::date
from changed d
join raw.sleep_scores c on c.device_id = d.device_id and c.end_local >= d.local_date and c.end_local < d.local_date + 1
join raw.sleeps s on s.device_id = c.device_id and s.log_id = c.log_id
join raw.device_owners o on o.device_id = s.device_id and s.end_local >= o.from_day and s.end_local < o.until_day
where d.stream = 'sleep_scores'
on conflict do nothing
