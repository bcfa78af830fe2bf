-- The other streams, heart rates without a confidence, how a sleep was recorded. Locks: its own new tables, and
-- raw.heart_rates and raw.sleeps for the moment that a change of the catalogue takes.

alter table {{raw}}.heart_rates alter column confidence drop not null;
comment on column {{raw}}.heart_rates.confidence is '0 (unreliable) to 3; null where the source has no such thing.';

alter table {{raw}}.sleeps add column log_type text;
comment on column {{raw}}.sleeps.log_type is 'How it was recorded, as the source says.';
update {{raw}}.sleeps set log_type = extra ->> 'log_type', extra = nullif(extra - 'log_type', '{}')
where jsonb_typeof(extra -> 'log_type') = 'string';

comment on column {{ops}}.dirty_days.stream is 'Name of the stream, as its topic says behind fitbit.';
comment on column {{ops}}.waiting_periods.stream is 'Name of the stream; only those with continuous aggregates wait.';
comment on column {{ops}}.dead_letters.origin is 'kafka:topic/generation/partition/offset, mongo:collection/_id, or file:hash/byte.';

create table {{raw}}.distances (
    device_id uuid not null,
    local_ts timestamp not null,
    utc_offset_minutes smallint not null,
    distance_mm int not null,
    synced_at timestamptz not null,
    event_id uuid not null,
    constraint distances_range check (distance_mm between 0 and 5000000)
);
select create_hypertable('{{raw}}.distances', by_range('local_ts', interval '1 day'), create_default_indexes => false);
create unique index distances_key on {{raw}}.distances (device_id, local_ts, utc_offset_minutes);
comment on table {{raw}}.distances is 'Distance per minute; sparse as steps are.';
comment on column {{raw}}.distances.device_id is 'The device.';
comment on column {{raw}}.distances.local_ts is 'The minute on the wearer''s wall clock.';
comment on column {{raw}}.distances.utc_offset_minutes is 'Minutes to subtract from the wall clock to get UTC.';
comment on column {{raw}}.distances.distance_mm is 'Millimetres in that minute.';
comment on column {{raw}}.distances.synced_at is 'When the device uploaded it.';
comment on column {{raw}}.distances.event_id is 'The upload.';

create table {{raw}}.calories (
    device_id uuid not null,
    local_ts timestamp not null,
    utc_offset_minutes smallint not null,
    millikcal int not null,
    synced_at timestamptz not null,
    event_id uuid not null,
    constraint calories_range check (millikcal between 0 and 100000)
);
select create_hypertable('{{raw}}.calories', by_range('local_ts', interval '1 day'), create_default_indexes => false);
create unique index calories_key on {{raw}}.calories (device_id, local_ts, utc_offset_minutes);
comment on table {{raw}}.calories is 'Energy per minute, the basal rate in it: no sign of wear.';
comment on column {{raw}}.calories.device_id is 'The device.';
comment on column {{raw}}.calories.local_ts is 'The minute on the wearer''s wall clock.';
comment on column {{raw}}.calories.utc_offset_minutes is 'Minutes to subtract from the wall clock to get UTC.';
comment on column {{raw}}.calories.millikcal is 'Thousandths of a kilocalorie in that minute.';
comment on column {{raw}}.calories.synced_at is 'When the device uploaded it.';
comment on column {{raw}}.calories.event_id is 'The upload.';

create table {{raw}}.activity_minutes (
    device_id uuid not null,
    local_date date not null,
    level text not null,
    minutes int not null,
    synced_at timestamptz not null,
    event_id uuid not null,
    constraint activity_minutes_range check (minutes between 0 and 1500)
);
select create_hypertable('{{raw}}.activity_minutes', by_range('local_date', interval '1 year'), create_default_indexes => false);
create unique index activity_minutes_key on {{raw}}.activity_minutes (device_id, local_date, level);
comment on table {{raw}}.activity_minutes is 'Minutes of a day by level of activity, as the device counted them.';
comment on column {{raw}}.activity_minutes.device_id is 'The device.';
comment on column {{raw}}.activity_minutes.local_date is 'The wearer''s day.';
comment on column {{raw}}.activity_minutes.level is 'sedentary, lightly_active, moderately_active, very_active, or what comes later.';
comment on column {{raw}}.activity_minutes.minutes is 'Whole minutes.';
comment on column {{raw}}.activity_minutes.synced_at is 'When the device uploaded it; the greatest (synced_at, event_id) wins.';
comment on column {{raw}}.activity_minutes.event_id is 'The upload.';

create table {{raw}}.heart_rate_zones (
    device_id uuid not null,
    local_date date not null,
    zone text not null,
    minutes double precision not null,
    synced_at timestamptz not null,
    event_id uuid not null,
    constraint heart_rate_zones_range check (minutes between 0 and 1500)
);
select create_hypertable('{{raw}}.heart_rate_zones', by_range('local_date', interval '1 year'), create_default_indexes => false);
create unique index heart_rate_zones_key on {{raw}}.heart_rate_zones (device_id, local_date, zone);
comment on table {{raw}}.heart_rate_zones is 'Minutes of a day by heart-rate zone, as the device counted them.';
comment on column {{raw}}.heart_rate_zones.device_id is 'The device.';
comment on column {{raw}}.heart_rate_zones.local_date is 'The wearer''s day.';
comment on column {{raw}}.heart_rate_zones.zone is 'BELOW_DEFAULT_ZONE_1, IN_DEFAULT_ZONE_1 to 3, or what comes later.';
comment on column {{raw}}.heart_rate_zones.minutes is 'Minutes.';
comment on column {{raw}}.heart_rate_zones.synced_at is 'When the device uploaded it; the greatest (synced_at, event_id) wins.';
comment on column {{raw}}.heart_rate_zones.event_id is 'The upload.';

create table {{raw}}.resting_heart_rates (
    device_id uuid not null,
    local_date date not null,
    bpm double precision not null,
    error double precision,
    synced_at timestamptz not null,
    event_id uuid not null,
    constraint resting_heart_rates_range check (bpm between 20 and 250)
);
select create_hypertable('{{raw}}.resting_heart_rates', by_range('local_date', interval '1 year'), create_default_indexes => false);
create unique index resting_heart_rates_key on {{raw}}.resting_heart_rates (device_id, local_date);
comment on table {{raw}}.resting_heart_rates is 'Fitbit''s estimate of the resting heart rate of a day; a day without an estimate has no row.';
comment on column {{raw}}.resting_heart_rates.device_id is 'The device.';
comment on column {{raw}}.resting_heart_rates.local_date is 'The wearer''s day.';
comment on column {{raw}}.resting_heart_rates.bpm is 'Beats per minute.';
comment on column {{raw}}.resting_heart_rates.error is 'Fitbit''s own error of it, beats per minute.';
comment on column {{raw}}.resting_heart_rates.synced_at is 'When the device uploaded it; the greatest (synced_at, event_id) wins.';
comment on column {{raw}}.resting_heart_rates.event_id is 'The upload.';

create table {{raw}}.sleep_scores (
    device_id uuid not null,
    log_id bigint not null,
    end_local timestamp not null,
    utc_offset_minutes smallint not null,
    overall_score smallint,
    composition_score smallint,
    revitalization_score smallint,
    duration_score smallint,
    deep_sleep_minutes int,
    resting_heart_rate double precision,
    restlessness double precision,
    synced_at timestamptz not null,
    event_id uuid not null,
    extra jsonb,
    primary key (device_id, log_id),
    constraint sleep_scores_overall check (overall_score between 0 and 100)
);
comment on table {{raw}}.sleep_scores is 'Fitbit''s scores of sleeps; an edited one is replaced whole.';
comment on column {{raw}}.sleep_scores.device_id is 'The device.';
comment on column {{raw}}.sleep_scores.log_id is 'The sleep it is about.';
comment on column {{raw}}.sleep_scores.end_local is 'End of the sleep, wall clock.';
comment on column {{raw}}.sleep_scores.utc_offset_minutes is 'Offset at the end.';
comment on column {{raw}}.sleep_scores.overall_score is '0 to 100.';
comment on column {{raw}}.sleep_scores.composition_score is 'Points for the stages.';
comment on column {{raw}}.sleep_scores.revitalization_score is 'Points for restoration.';
comment on column {{raw}}.sleep_scores.duration_score is 'Points for the length.';
comment on column {{raw}}.sleep_scores.deep_sleep_minutes is 'Minutes of deep sleep.';
comment on column {{raw}}.sleep_scores.resting_heart_rate is 'Resting heart rate of the day, beats per minute.';
comment on column {{raw}}.sleep_scores.restlessness is 'Share of the time that was restless.';
comment on column {{raw}}.sleep_scores.synced_at is 'When the device uploaded it; the greatest (synced_at, event_id) wins.';
comment on column {{raw}}.sleep_scores.event_id is 'The upload.';
comment on column {{raw}}.sleep_scores.extra is 'What the source said beside these columns.';

create table {{raw}}.exercises (
    device_id uuid not null,
    log_id bigint not null,
    start_local timestamp not null,
    end_local timestamp not null,
    start_utc_offset_minutes smallint not null,
    end_utc_offset_minutes smallint not null,
    activity_name text not null,
    activity_type_id bigint,
    log_type text,
    duration_ms bigint not null,
    active_duration_ms bigint,
    average_heart_rate smallint,
    calories double precision,
    steps int,
    distance double precision,
    distance_unit text,
    speed double precision,
    pace double precision,
    elevation_gain double precision,
    has_gps boolean,
    levels jsonb,
    heart_rate_zones jsonb,
    synced_at timestamptz not null,
    event_id uuid not null,
    extra jsonb,
    primary key (device_id, log_id),
    constraint exercises_duration check (duration_ms between 0 and 604800000),
    constraint exercises_average check (average_heart_rate between 20 and 250)
);
comment on table {{raw}}.exercises is 'Exercises; an edited one is replaced whole.';
comment on column {{raw}}.exercises.device_id is 'The device.';
comment on column {{raw}}.exercises.log_id is 'Fitbit''s id of the session.';
comment on column {{raw}}.exercises.start_local is 'Start, wall clock.';
comment on column {{raw}}.exercises.end_local is 'Start and duration, wall clock.';
comment on column {{raw}}.exercises.start_utc_offset_minutes is 'Offset at the start.';
comment on column {{raw}}.exercises.end_utc_offset_minutes is 'Offset at the end.';
comment on column {{raw}}.exercises.activity_name is 'What was done.';
comment on column {{raw}}.exercises.activity_type_id is 'Fitbit''s number of what was done.';
comment on column {{raw}}.exercises.log_type is 'How it was recorded.';
comment on column {{raw}}.exercises.duration_ms is 'Milliseconds.';
comment on column {{raw}}.exercises.active_duration_ms is 'Milliseconds without pauses.';
comment on column {{raw}}.exercises.average_heart_rate is 'Mean beats per minute.';
comment on column {{raw}}.exercises.calories is 'Kilocalories.';
comment on column {{raw}}.exercises.steps is 'Steps.';
comment on column {{raw}}.exercises.distance is 'In distance_unit.';
comment on column {{raw}}.exercises.distance_unit is 'Kilometer or Mile, by the account''s settings.';
comment on column {{raw}}.exercises.speed is 'distance_unit per hour.';
comment on column {{raw}}.exercises.pace is 'Seconds per distance_unit.';
comment on column {{raw}}.exercises.elevation_gain is 'Metres or feet, by the account''s settings.';
comment on column {{raw}}.exercises.has_gps is 'True when a track was recorded; it is not kept.';
comment on column {{raw}}.exercises.levels is 'Minutes by level of activity: a list of name and minutes.';
comment on column {{raw}}.exercises.heart_rate_zones is 'Minutes by heart-rate zone: a list of name, min_bpm, max_bpm, minutes.';
comment on column {{raw}}.exercises.synced_at is 'When the device uploaded it; the greatest (synced_at, event_id) wins.';
comment on column {{raw}}.exercises.event_id is 'The upload.';
comment on column {{raw}}.exercises.extra is 'What the source said beside these columns.';
