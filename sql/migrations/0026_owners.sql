-- A device belongs to a person from a day on: who owned it when comes from every version of a profile that names it. Locks: none
-- but its own new tables; raw.devices is read.

create table {{raw}}.device_versions (
    device_id uuid not null,
    synced_at timestamptz not null,
    event_id uuid not null,
    user_id uuid not null,
    primary key (device_id, synced_at, event_id)
);
create index device_versions_user on {{raw}}.device_versions (user_id);
comment on table {{raw}}.device_versions is 'Every version of a profile, once for each device that it names.';
comment on column {{raw}}.device_versions.device_id is 'The device.';
comment on column {{raw}}.device_versions.synced_at is 'When the profile was uploaded.';
comment on column {{raw}}.device_versions.event_id is 'The upload.';
comment on column {{raw}}.device_versions.user_id is 'The person whose profile names the device.';

create table {{raw}}.device_owners (
    device_id uuid not null,
    user_id uuid not null,
    from_day date not null,
    until_day date not null,
    primary key (device_id, from_day),
    constraint device_owners_days check (from_day < until_day)
);
create index device_owners_user on {{raw}}.device_owners (user_id);
comment on table {{raw}}.device_owners is
    'Who owned a device on which days; computed from the versions. Days that an erasure covers belong to no person.';
comment on column {{raw}}.device_owners.device_id is 'The device.';
comment on column {{raw}}.device_owners.user_id is 'Its owner on these days.';
comment on column {{raw}}.device_owners.from_day is 'The first day; -infinity for the first owner.';
comment on column {{raw}}.device_owners.until_day is 'The day after the last one; infinity for the last owner.';

create table {{ops}}.forgotten_days (
    tombstone bytea not null,
    from_day date not null,
    until_day date not null,
    revision bigint generated always as identity,
    erased_at timestamptz not null default clock_timestamp(),
    primary key (tombstone, from_day, until_day),
    constraint forgotten_days_tombstone check (length(tombstone) = 32),
    constraint forgotten_days_days check (from_day < until_day)
);
comment on table {{ops}}.forgotten_days is
    'Days of a device whose owner was erased, while the device belongs to another person on other days: no data of these days is loaded.';
comment on column {{ops}}.forgotten_days.tombstone is 'HMAC-SHA256 of the device''s id; MongoDB stores the key.';
comment on column {{ops}}.forgotten_days.from_day is 'The first day; -infinity without a bound.';
comment on column {{ops}}.forgotten_days.until_day is 'The day after the last one; infinity without a bound.';
comment on column {{ops}}.forgotten_days.revision is 'Rises, so that a writer of rows sees that days were added.';
comment on column {{ops}}.forgotten_days.erased_at is 'When.';

-- Its body is bound to the tables, not to their names: it stays right in a warehouse that was built under another name and then
-- renamed. A day belongs to the person of the last version until its end, in UTC; days before the first version to that one's.
create function {{raw}}.owner_spans(
    devices uuid[], erased_devices uuid[] default '{}', erased_from date[] default '{}', erased_until date[] default '{}'
) returns table (device_id uuid, user_id uuid, from_day date, until_day date)
language sql stable
begin atomic
    with starts as (
        select distinct on (v.device_id, v.from_day) v.device_id, v.from_day, v.user_id
        from (
            select r.device_id, r.user_id, r.synced_at, r.event_id,
                case when row_number() over (partition by r.device_id order by r.synced_at, r.event_id) = 1
                    then date '-infinity' else (r.synced_at at time zone 'UTC')::date end as from_day
            from {{raw}}.device_versions r
            where r.device_id = any(devices)
        ) v
        order by v.device_id, v.from_day, v.synced_at desc, v.event_id desc
    ), changes as (
        select s.device_id, s.from_day, s.user_id,
            lag(s.user_id) over (partition by s.device_id order by s.from_day) is distinct from s.user_id as is_change
        from starts s
    ), spans as (
        select c.device_id, c.user_id, c.from_day,
            lead(c.from_day, 1, date 'infinity') over (partition by c.device_id order by c.from_day) as until_day
        from changes c
        where c.is_change
    ), erased as (
        select e.device_id, range_agg(daterange(e.from_day, e.until_day)) as days
        from unnest(erased_devices, erased_from, erased_until) as e(device_id, from_day, until_day)
        group by e.device_id
    )
    select s.device_id, s.user_id, lower(kept.days), upper(kept.days)
    from spans s
    left join erased e on e.device_id = s.device_id
    cross join lateral unnest(
        datemultirange(daterange(s.from_day, s.until_day)) - coalesce(e.days, '{}'::datemultirange)
    ) as kept(days);
end;
comment on function {{raw}}.owner_spans(uuid[], uuid[], date[], date[]) is
    'Who owned these devices when, from the versions of profiles, without the days that an erasure covers.';

insert into {{raw}}.device_versions (device_id, synced_at, event_id, user_id)
select device_id, synced_at, event_id, user_id from {{raw}}.devices;
insert into {{raw}}.device_owners (device_id, user_id, from_day, until_day)
select s.device_id, s.user_id, s.from_day, s.until_day
from {{raw}}.owner_spans(array(select device_id from {{raw}}.devices)) s;

select {{ops}}.grant_stream('{{raw}}.device_versions');
select {{ops}}.grant_stream('{{raw}}.device_owners');
-- Spans are replaced when a version comes between them.
grant delete on {{raw}}.device_owners to pulseline_loader;
grant select on {{raw}}.device_versions, {{raw}}.device_owners to pulseline_compactor;
-- A device whose last owner is erased goes back to the one before.
grant insert on {{raw}}.devices to pulseline_eraser;
grant select on {{ops}}.forgotten_days to pulseline_loader, pulseline_auditor, pulseline_eraser;
grant insert on {{ops}}.forgotten_days to pulseline_eraser;
