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
), sessions as (
    -- A session that changed may have hidden others, or hides them now; these may have hidden others in turn.
    select o.user_id, s.session, s.owned_on, s.starts_at, s.ends_at
    from owned o
    join raw.device_owners p on p.user_id = o.user_id
    join stage.session_spans s on s.device_id = p.device_id and s.owned_on >= p.from_day and s.owned_on < p.until_day
        and s.session = case o.stream when 'sleeps' then 'sleep' when 'exercises' then 'exercise' end
        and s.end_local >= o.local_date - 1 and s.start_local < o.local_date + 2
        -- No session is longer than a week.
        and s.end_local < o.local_date + 9
    union
    select r.user_id, r.session, s.owned_on, s.starts_at, s.ends_at
    from sessions r
    join raw.device_owners p on p.user_id = r.user_id
    join stage.session_spans s on s.device_id = p.device_id and s.owned_on >= p.from_day and s.owned_on < p.until_day
        and s.session = r.session and s.starts_at < r.ends_at and s.ends_at > r.starts_at
        and s.end_local > r.owned_on - 2 and s.end_local < r.owned_on + 18
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
select o.user_id, s.end_local::date
from owned o
join raw.sleep_scores c on c.device_id = o.device_id and c.end_local >= o.local_date and c.end_local < o.local_date + 1
join raw.sleeps s on s.device_id = c.device_id and s.log_id = c.log_id
where o.stream = 'sleep_scores'
on conflict do nothing
