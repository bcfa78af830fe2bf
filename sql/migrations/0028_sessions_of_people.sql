-- Sessions, quarters of an hour and what devices say of days, of people too. Of overlapping sessions each one counts that no counting
-- one overlaps; short levels that overlap each other count once. Locks: the definitions of the views of sessions and days.

do $sessions$
declare
    of record;
begin
    for of in
        select * from (values
            ('', '', '', 'null', 'One row per sleep of a device'),
            ('user_', 'o.user_id, ', 'join {{raw}}.device_owners o on o.device_id = s.device_id
                and s.end_local >= o.from_day and s.end_local < o.until_day', 'o.user_id',
                'One row per sleep of a person, whichever device saw it')
        ) as t(prefix, owned, owner, scope, title)
    loop
        execute format($sql$
            create or replace view {{stage}}.%1$ssleeps as
            select
                %2$ss.device_id,
                s.log_id,
                s.start_local,
                s.end_local,
                (s.start_local - make_interval(mins => s.start_utc_offset_minutes)) at time zone 'UTC' as starts_at,
                (s.end_local - make_interval(mins => s.end_utc_offset_minutes)) at time zone 'UTC' as ends_at,
                s.start_utc_offset_minutes,
                s.end_utc_offset_minutes,
                s.end_local::date as sleep_date,
                s.main_sleep,
                s.type,
                s.log_type,
                s.info_code,
                s.minutes_to_fall_asleep,
                s.minutes_asleep,
                s.minutes_awake,
                s.minutes_after_wakeup,
                s.time_in_bed_minutes,
                s.efficiency as efficiency_fitbit,
                round(100.0 * s.minutes_asleep / nullif(s.time_in_bed_minutes, 0), 1) as efficiency,
                l.deep_minutes,
                l.light_minutes,
                l.rem_minutes,
                l.wake_minutes,
                l.asleep_minutes,
                l.restless_minutes,
                l.other_minutes,
                c.overall_score,
                h.readings as sleep_readings,
                h.valid_readings as sleep_valid_readings,
                h.bpm_sum as sleep_bpm_sum,
                h.bpm_min as sleep_bpm_min,
                h.bpm_max as sleep_bpm_max,
                round(h.bpm_sum::numeric / nullif(h.valid_readings, 0), 2) as avg_sleep_bpm
            from {{raw}}.sleeps s %3$s
            left join {{stage}}.sleep_heart_rates h on h.device_id = s.device_id and h.log_id = s.log_id
            left join {{raw}}.sleep_scores c on c.device_id = s.device_id and c.log_id = s.log_id
            left join lateral (
                select
                    round(sum(seconds) filter (where level = 'deep') / 60.0, 1) as deep_minutes,
                    round(sum(seconds) filter (where level = 'light') / 60.0, 1) as light_minutes,
                    round(sum(seconds) filter (where level = 'rem') / 60.0, 1) as rem_minutes,
                    round(sum(seconds) filter (where level in ('wake', 'awake')) / 60.0, 1) as wake_minutes,
                    round(sum(seconds) filter (where level = 'asleep') / 60.0, 1) as asleep_minutes,
                    round(sum(seconds) filter (where level = 'restless') / 60.0, 1) as restless_minutes,
                    round(sum(seconds) filter (where level not in
                        ('deep', 'light', 'rem', 'wake', 'awake', 'asleep', 'restless')) / 60.0, 1) as other_minutes
                from (
                    select p.level, extract(epoch from upper(p.piece) - lower(p.piece)) as seconds
                    from {{stage}}.sleep_pieces p
                    where p.device_id = s.device_id and p.log_id = s.log_id
                ) pieces
            ) l on true
            where {{stage}}.session_counts('sleep', %4$s, s.device_id, s.log_id)
        $sql$, of.prefix, of.owned, of.owner, of.scope);
        execute format('comment on view {{stage}}.%ssleeps is %L', of.prefix, of.title ||
            ': of overlapping sessions the longest, then the newest; minutes by level with the short segments laid over.');
        execute format($sql$
            create or replace view {{stage}}.%1$ssleep_levels as
            select
                %2$ss.device_id,
                s.log_id,
                s.sleep_date,
                s.main_sleep,
                p.level,
                lower(p.piece) as start_local,
                (lower(p.piece) - make_interval(mins => s.start_utc_offset_minutes)) at time zone 'UTC' as starts_at,
                (upper(p.piece) - make_interval(mins => s.start_utc_offset_minutes)) at time zone 'UTC' as ends_at,
                s.end_local as sleep_end_local
            from {{stage}}.%1$ssleeps s
            join lateral (
                -- As a join, the pieces of everybody's sleeps would be read.
                select level, piece from {{stage}}.sleep_pieces p where p.device_id = s.device_id and p.log_id = s.log_id offset 0
            ) p on true
        $sql$, of.prefix, replace(of.owned, 'o.', 's.'));
        execute format('comment on view {{stage}}.%1$ssleep_levels is %2$L', of.prefix,
            'Stages of the sleeps in {{stage}}.' || of.prefix || 'sleeps, one row per stretch; short segments cut the long ones that they lie on.');
    end loop;
end
$sessions$;

create view {{stage}}.user_exercises as
select
    o.user_id,
    s.device_id,
    s.log_id,
    s.start_local,
    s.end_local,
    (s.start_local - make_interval(mins => s.start_utc_offset_minutes)) at time zone 'UTC' as starts_at,
    (s.end_local - make_interval(mins => s.end_utc_offset_minutes)) at time zone 'UTC' as ends_at,
    s.start_local::date as exercise_date,
    s.activity_name,
    s.log_type,
    round(s.duration_ms / 60000.0, 2) as duration_minutes,
    round(s.active_duration_ms / 60000.0, 2) as active_minutes,
    s.average_heart_rate,
    round(s.calories::numeric, 3) as kcal,
    s.steps,
    round(s.distance::numeric * case s.distance_unit when 'Kilometer' then 1000 when 'Mile' then 1609.344 end, 1) as distance_m,
    s.has_gps
from {{raw}}.exercises s
join {{raw}}.device_owners o on o.device_id = s.device_id and s.start_local >= o.from_day and s.start_local < o.until_day
where {{stage}}.session_counts('exercise', o.user_id, s.device_id, s.log_id);
comment on view {{stage}}.user_exercises is
    'One row per exercise of a person: of exercises that two devices saw at the same time the longest, then the newest.';

-- Distinct, though no quarter is there twice: so the device's rows alone are read, and a question's range reaches them.
create view {{stage}}.user_quarters as
select o.user_id, q.*
from {{raw}}.device_owners o
cross join lateral (
    select distinct * from {{stage}}.quarters q
    where q.device_id = o.device_id and q.bucket >= o.from_day and q.bucket < o.until_day
) q
where not exists (
    select
    from {{raw}}.device_owners p
    cross join lateral (
        select distinct r.device_id, r.minutes_worn, coalesce(r.steps > 0, false) or coalesce(r.distance_mm > 0, false) as has_moved
        from {{stage}}.quarters r
        where r.device_id = p.device_id and r.starts_at = q.starts_at and r.bucket >= p.from_day and r.bucket < p.until_day
            and r.bucket > q.bucket - interval '2 days' and r.bucket < q.bucket + interval '2 days'
    ) r
    where p.user_id = o.user_id and p.device_id <> o.device_id
        and (r.minutes_worn, r.has_moved, q.device_id)
            > (q.minutes_worn, coalesce(q.steps > 0, false) or coalesce(q.distance_mm > 0, false), r.device_id)
    offset 0
);
comment on view {{stage}}.user_quarters is
    'Every 15 minutes of a person, from the device that counts in it: worn longer, then moving, then with the smaller id.';

-- The day itself, so that a question about few days reads few rows.
create or replace view {{agg}}.vitals_1d as
select
    device_id,
    local_date::timestamp as bucket,
    max(resting_bpm) as resting_bpm,
    sum(minutes) filter (where zone = 'BELOW_DEFAULT_ZONE_1') as below_zones_minutes,
    sum(minutes) filter (where zone = 'IN_DEFAULT_ZONE_1') as zone_1_minutes,
    sum(minutes) filter (where zone = 'IN_DEFAULT_ZONE_2') as zone_2_minutes,
    sum(minutes) filter (where zone = 'IN_DEFAULT_ZONE_3') as zone_3_minutes,
    sum(minutes) filter (where zone not in
        ('BELOW_DEFAULT_ZONE_1', 'IN_DEFAULT_ZONE_1', 'IN_DEFAULT_ZONE_2', 'IN_DEFAULT_ZONE_3')) as other_zones_minutes,
    local_date
from (
    select device_id, local_date, round(bpm::numeric, 2) as resting_bpm, null::text as zone, null::numeric as minutes
    from {{raw}}.resting_heart_rates
    union all
    select device_id, local_date, null, zone, round(minutes::numeric, 2) from {{raw}}.heart_rate_zones
) said
group by device_id, local_date;
comment on column {{agg}}.vitals_1d.local_date is 'The local day.';

create or replace view {{agg}}.activity_1d as
select
    device_id,
    local_date::timestamp as bucket,
    sum(minutes) filter (where level = 'sedentary') as sedentary_minutes,
    sum(minutes) filter (where level = 'lightly_active') as lightly_active_minutes,
    sum(minutes) filter (where level = 'moderately_active') as moderately_active_minutes,
    sum(minutes) filter (where level = 'very_active') as very_active_minutes,
    sum(minutes) filter (where level not in ('sedentary', 'lightly_active', 'moderately_active', 'very_active')) as other_minutes,
    local_date
from {{raw}}.activity_minutes
group by device_id, local_date;
comment on column {{agg}}.activity_1d.local_date is 'The local day.';
