-- One row per reading or session, with the upload it came from. Locks: none but its own new tables.

create schema {{raw}};
comment on schema {{raw}} is 'Typed readings as devices sent them, last upload wins; one row per reading.';

create table {{raw}}.heart_rates (
    device_id uuid not null,
    local_ts timestamp not null,
    utc_offset_minutes smallint not null,
    bpm smallint not null,
    confidence smallint not null,
    synced_at timestamptz not null,
    event_id uuid not null,
    constraint heart_rates_bpm check (bpm between 20 and 250),
    constraint heart_rates_confidence check (confidence between 0 and 3)
);
select create_hypertable('{{raw}}.heart_rates', by_range('local_ts', interval '1 day'), create_default_indexes => false);
create unique index heart_rates_key on {{raw}}.heart_rates (device_id, local_ts, utc_offset_minutes);
comment on table {{raw}}.heart_rates is 'Heart rate about every 5 seconds while worn.';
comment on column {{raw}}.heart_rates.device_id is 'The device.';
comment on column {{raw}}.heart_rates.local_ts is 'The wearer''s wall clock.';
comment on column {{raw}}.heart_rates.utc_offset_minutes is 'Minutes to subtract from the wall clock to get UTC; part of the key, so that an hour lived twice stays two.';
comment on column {{raw}}.heart_rates.bpm is 'Beats per minute.';
comment on column {{raw}}.heart_rates.confidence is '0 (unreliable) to 3.';
comment on column {{raw}}.heart_rates.synced_at is 'When the device uploaded it; the greatest (synced_at, event_id) wins.';
comment on column {{raw}}.heart_rates.event_id is 'The upload.';

create table {{raw}}.steps (
    device_id uuid not null,
    local_ts timestamp not null,
    utc_offset_minutes smallint not null,
    steps int not null,
    synced_at timestamptz not null,
    event_id uuid not null,
    constraint steps_range check (steps between 0 and 1000)
);
select create_hypertable('{{raw}}.steps', by_range('local_ts', interval '1 day'), create_default_indexes => false);
create unique index steps_key on {{raw}}.steps (device_id, local_ts, utc_offset_minutes);
comment on table {{raw}}.steps is 'Steps per minute; sparse: a missing minute is no steps or not worn.';
comment on column {{raw}}.steps.device_id is 'The device.';
comment on column {{raw}}.steps.local_ts is 'The minute on the wearer''s wall clock.';
comment on column {{raw}}.steps.utc_offset_minutes is 'Minutes to subtract from the wall clock to get UTC.';
comment on column {{raw}}.steps.steps is 'Steps in that minute; an explicit zero is a zero.';
comment on column {{raw}}.steps.synced_at is 'When the device uploaded it.';
comment on column {{raw}}.steps.event_id is 'The upload.';

create table {{raw}}.sleeps (
    device_id uuid not null,
    log_id bigint not null,
    start_local timestamp not null,
    end_local timestamp not null,
    start_utc_offset_minutes smallint not null,
    end_utc_offset_minutes smallint not null,
    date_of_sleep date not null,
    duration_ms bigint not null,
    minutes_to_fall_asleep int not null,
    minutes_asleep int not null,
    minutes_awake int not null,
    minutes_after_wakeup int not null,
    time_in_bed_minutes int not null,
    efficiency smallint not null,
    type text not null,
    info_code smallint,
    main_sleep boolean not null,
    synced_at timestamptz not null,
    event_id uuid not null,
    extra jsonb,
    primary key (device_id, log_id)
);
comment on table {{raw}}.sleeps is 'Sleep sessions; an edited one is replaced whole.';
comment on column {{raw}}.sleeps.device_id is 'The device.';
comment on column {{raw}}.sleeps.log_id is 'Fitbit''s id of the session.';
comment on column {{raw}}.sleeps.start_local is 'Start, wall clock.';
comment on column {{raw}}.sleeps.end_local is 'End, wall clock.';
comment on column {{raw}}.sleeps.start_utc_offset_minutes is 'Offset at the start.';
comment on column {{raw}}.sleeps.end_utc_offset_minutes is 'Offset at the end.';
comment on column {{raw}}.sleeps.date_of_sleep is 'Local date on which the sleep ended, as Fitbit says.';
comment on column {{raw}}.sleeps.duration_ms is 'Fitbit''s duration, milliseconds; may differ by 30 s from end - start.';
comment on column {{raw}}.sleeps.minutes_to_fall_asleep is 'Minutes.';
comment on column {{raw}}.sleeps.minutes_asleep is 'Minutes.';
comment on column {{raw}}.sleeps.minutes_awake is 'Minutes.';
comment on column {{raw}}.sleeps.minutes_after_wakeup is 'Minutes.';
comment on column {{raw}}.sleeps.time_in_bed_minutes is 'Minutes.';
comment on column {{raw}}.sleeps.efficiency is 'Fitbit''s efficiency in percent; not minutes asleep over time in bed.';
comment on column {{raw}}.sleeps.type is 'stages, classic, or what Fitbit thinks of later.';
comment on column {{raw}}.sleeps.info_code is '0 enough data, 1 not enough heart rate, 2 under 3 hours, 3 server.';
comment on column {{raw}}.sleeps.main_sleep is 'False for a nap.';
comment on column {{raw}}.sleeps.synced_at is 'When the device uploaded it.';
comment on column {{raw}}.sleeps.event_id is 'The upload.';
comment on column {{raw}}.sleeps.extra is 'Fields that this version does not know.';

create table {{raw}}.sleep_levels (
    device_id uuid not null,
    log_id bigint not null,
    source text not null,
    seq int not null,
    local_ts timestamp not null,
    level text not null,
    seconds int not null,
    primary key (device_id, log_id, source, seq),
    constraint sleep_levels_source check (source in ('data', 'short')),
    constraint sleep_levels_seconds check (seconds >= 0)
);
comment on table {{raw}}.sleep_levels is 'Segments of a sleep session; replaced with it.';
comment on column {{raw}}.sleep_levels.device_id is 'The device.';
comment on column {{raw}}.sleep_levels.log_id is 'The session.';
comment on column {{raw}}.sleep_levels.source is 'data, or short for the wakes that are laid over data.';
comment on column {{raw}}.sleep_levels.seq is 'Position in its list.';
comment on column {{raw}}.sleep_levels.local_ts is 'Start of the segment, wall clock with the offset of the session''s start.';
comment on column {{raw}}.sleep_levels.level is 'deep, light, rem, wake; or asleep, restless, awake.';
comment on column {{raw}}.sleep_levels.seconds is 'Length.';

create table {{raw}}.users (
    user_id uuid primary key,
    email text,
    date_of_birth date,
    gender text,
    height_cm smallint,
    max_heart_rate smallint,
    zone text,
    created_at timestamptz not null,
    synced_at timestamptz not null,
    event_id uuid not null,
    extra jsonb
);
comment on table {{raw}}.users is 'Profiles; the newest version wins.';
comment on column {{raw}}.users.user_id is 'The person.';
comment on column {{raw}}.users.email is 'Personal.';
comment on column {{raw}}.users.date_of_birth is 'Personal.';
comment on column {{raw}}.users.gender is 'As given.';
comment on column {{raw}}.users.height_cm is 'Centimetres.';
comment on column {{raw}}.users.max_heart_rate is 'Beats per minute, where known.';
comment on column {{raw}}.users.zone is 'IANA time zone of the person.';
comment on column {{raw}}.users.created_at is 'When the account was made.';
comment on column {{raw}}.users.synced_at is 'When this version was uploaded.';
comment on column {{raw}}.users.event_id is 'The upload.';
comment on column {{raw}}.users.extra is 'Fields that this version does not know.';

create table {{raw}}.devices (
    device_id uuid primary key,
    user_id uuid not null,
    synced_at timestamptz not null,
    event_id uuid not null
);
create index devices_user on {{raw}}.devices (user_id);
comment on table {{raw}}.devices is 'Who wears which device, from the newest profile that names it.';
comment on column {{raw}}.devices.device_id is 'The device.';
comment on column {{raw}}.devices.user_id is 'Its owner.';
comment on column {{raw}}.devices.synced_at is 'When the profile was uploaded.';
comment on column {{raw}}.devices.event_id is 'The upload.';
