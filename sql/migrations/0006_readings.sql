-- Single readings for analysts, on the wall clock and on the UTC line. Locks: reads raw's definitions only.

create view {{stage}}.heart_rates as
select
    device_id,
    local_ts,
    utc_offset_minutes,
    (local_ts - make_interval(mins => utc_offset_minutes)) at time zone 'UTC' as read_at,
    bpm,
    confidence,
    confidence is distinct from 0 as is_valid
from {{raw}}.heart_rates;
comment on view {{stage}}.heart_rates is 'Every heart rate, with the instant at which it was read.';
comment on column {{stage}}.heart_rates.bpm is 'Beats per minute.';
comment on column {{stage}}.heart_rates.confidence is '0 (unreliable) to 3; null where the source has no such thing.';
comment on column {{stage}}.heart_rates.is_valid is 'False for confidence 0. A reading of a source without confidence is taken at its word.';

create view {{stage}}.steps as
select
    device_id,
    local_ts,
    utc_offset_minutes,
    (local_ts - make_interval(mins => utc_offset_minutes)) at time zone 'UTC' as read_at,
    steps
from {{raw}}.steps;
comment on view {{stage}}.steps is 'Steps by minute, with the instant at which the minute began.';
comment on column {{stage}}.steps.steps is 'Steps in that minute.';

create view {{stage}}.distances as
select
    device_id,
    local_ts,
    utc_offset_minutes,
    (local_ts - make_interval(mins => utc_offset_minutes)) at time zone 'UTC' as read_at,
    distance_mm
from {{raw}}.distances;
comment on view {{stage}}.distances is 'Distance by minute, with the instant at which the minute began.';
comment on column {{stage}}.distances.distance_mm is 'Millimetres in that minute.';

create view {{stage}}.calories as
select
    device_id,
    local_ts,
    utc_offset_minutes,
    (local_ts - make_interval(mins => utc_offset_minutes)) at time zone 'UTC' as read_at,
    millikcal
from {{raw}}.calories;
comment on view {{stage}}.calories is 'Energy by minute, with the instant at which the minute began.';
comment on column {{stage}}.calories.millikcal is 'Thousandths of a kilocalorie in that minute, the basal rate in it.';

do $comments$
declare
    view text;
begin
    foreach view in array array['heart_rates', 'steps', 'distances', 'calories'] loop
        execute format('comment on column {{stage}}.%I.device_id is %L', view, 'The device.');
        execute format('comment on column {{stage}}.%I.local_ts is %L', view, 'The wearer''s wall clock.');
        execute format('comment on column {{stage}}.%I.utc_offset_minutes is %L', view,
            'Minutes to subtract from the wall clock to get UTC.');
        execute format('comment on column {{stage}}.%I.read_at is %L', view, 'The instant: an hour lived twice is two hours here.');
    end loop;
end
$comments$;
