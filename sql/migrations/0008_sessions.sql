-- Cleansed sleeps and exercises, people and devices, and whose device speaks for a person. Locks: none but its own new views.
--
-- Each rule stands once, for a device and for a person: scope "device" knows one device, scope "user" all of a person's.

do $sessions$
declare
    of record;
begin
    for of in
        select * from (values
            ('', 'device_id', '', '', 'One row per sleep of a device'),
            ('user_', 'user_id', 'user_id, ', 'join {{raw}}.devices d on d.device_id = s.device_id',
                'One row per sleep of a person, whichever device saw it')
        ) as t(prefix, key, owned, owner, title)
    loop
        -- Of sleeps that overlap the longest stays; of equally long ones the newest upload. So repeats under another
        -- id and the partial logs of a night that was still growing give way to the whole night.
        execute format($sql$
            create view {{stage}}.%1$ssleeps as
            with sessions as (
                select
                    %2$ss.*,
                    (start_local - make_interval(mins => start_utc_offset_minutes)) at time zone 'UTC' as starts_at,
                    (end_local - make_interval(mins => end_utc_offset_minutes)) at time zone 'UTC' as ends_at
                from {{raw}}.sleeps s %3$s
            )
            select
                %4$ss.device_id,
                s.log_id,
                s.start_local,
                s.end_local,
                s.starts_at,
                s.ends_at,
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
            from sessions s
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
                    round(sum(seconds) filter (where level not in ('deep', 'light', 'rem', 'wake', 'awake', 'asleep', 'restless'))
                        / 60.0, 1) as other_minutes
                from (
                    select level, seconds
                    from {{raw}}.sleep_levels x
                    where x.device_id = s.device_id and x.log_id = s.log_id and x.source = 'data'
                    union all
                    -- What a short segment covers is taken from the level below it and given to its own.
                    select
                        case laid when 'below' then x.level else y.level end,
                        (case laid when 'below' then -1 else 1 end) * extract(epoch from
                            least(x.local_ts + make_interval(secs => x.seconds), y.local_ts + make_interval(secs => y.seconds))
                            - greatest(x.local_ts, y.local_ts))::int
                    from {{raw}}.sleep_levels x
                    join {{raw}}.sleep_levels y on y.device_id = x.device_id and y.log_id = x.log_id and y.source = 'short'
                        and y.local_ts < x.local_ts + make_interval(secs => x.seconds)
                        and x.local_ts < y.local_ts + make_interval(secs => y.seconds)
                    cross join (values ('below'), ('above')) as b(laid)
                    where x.device_id = s.device_id and x.log_id = s.log_id and x.source = 'data'
                ) segments
            ) l on true
            where not exists (
                select 1 from sessions o
                where o.%5$s = s.%5$s
                    and (o.device_id, o.log_id) <> (s.device_id, s.log_id)
                    and o.starts_at < s.ends_at and s.starts_at < o.ends_at
                    and (o.ends_at - o.starts_at, o.synced_at, o.event_id, o.device_id, o.log_id)
                        > (s.ends_at - s.starts_at, s.synced_at, s.event_id, s.device_id, s.log_id)
            )
        $sql$, of.prefix, of.owned, of.owner, of.owned, of.key);
        execute format('comment on view {{stage}}.%ssleeps is %L', of.prefix, of.title ||
            ': of overlapping sessions the longest, then the newest; minutes by level with the short segments laid over.');

        execute format($sql$
            create view {{stage}}.%1$sexercises as
            with sessions as (
                select
                    %2$ss.*,
                    (start_local - make_interval(mins => start_utc_offset_minutes)) at time zone 'UTC' as starts_at,
                    (end_local - make_interval(mins => end_utc_offset_minutes)) at time zone 'UTC' as ends_at
                from {{raw}}.exercises s %3$s
            )
            select
                %4$ss.device_id,
                s.log_id,
                s.start_local,
                s.end_local,
                s.starts_at,
                s.ends_at,
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
            from sessions s
            where not exists (
                select 1 from sessions o
                where o.%5$s = s.%5$s
                    and o.device_id <> s.device_id
                    and o.starts_at < s.ends_at and s.starts_at < o.ends_at
                    and (o.ends_at - o.starts_at, o.synced_at, o.event_id, o.device_id, o.log_id)
                        > (s.ends_at - s.starts_at, s.synced_at, s.event_id, s.device_id, s.log_id)
            )
        $sql$, of.prefix, of.owned, of.owner, of.owned, of.key);
    end loop;
end
$sessions$;
comment on view {{stage}}.exercises is 'One row per exercise of a device.';
comment on view {{stage}}.user_exercises is
    'One row per exercise of a person: of exercises that two devices saw at the same time the longest, then the newest.';

create view {{stage}}.users as
select
    u.user_id,
    u.gender,
    u.height_cm,
    u.max_heart_rate,
    u.zone,
    u.created_at,
    array(select d.device_id from {{raw}}.devices d where d.user_id = u.user_id order by d.device_id) as devices
from {{raw}}.users u;
comment on view {{stage}}.users is 'People with their devices, without e-mail and birth date.';

create view {{stage}}.devices as select device_id, user_id from {{raw}}.devices;
comment on view {{stage}}.devices is 'Who wears which device, from the newest profile that names it.';

-- Everything that a device has of a quarter of an hour, in one row: rows laid under each other, no joins.
create view {{stage}}.quarters as
select
    device_id,
    bucket,
    utc_offset_minutes,
    starts_at,
    coalesce(max(minutes_worn), 0) as minutes_worn,
    max(heart_readings) as heart_readings,
    max(valid_readings) as valid_readings,
    max(bpm_sum) as bpm_sum,
    max(bpm_min) as bpm_min,
    max(bpm_max) as bpm_max,
    max(steps_readings) as steps_readings,
    max(steps) as steps,
    max(steps_min) as steps_min,
    max(steps_max) as steps_max,
    max(distance_readings) as distance_readings,
    max(distance_mm) as distance_mm,
    max(distance_mm_min) as distance_mm_min,
    max(distance_mm_max) as distance_mm_max,
    max(energy_readings) as energy_readings,
    max(millikcal) as millikcal,
    max(millikcal_min) as millikcal_min,
    max(millikcal_max) as millikcal_max
from (
    select
        device_id, bucket, utc_offset_minutes, starts_at, bit_count(worn_mask::bit(15)) as minutes_worn,
        readings as heart_readings, valid_readings, bpm_sum, bpm_min, bpm_max,
        null::bigint as steps_readings, null::bigint as steps, null::int as steps_min, null::int as steps_max,
        null::bigint as distance_readings, null::bigint as distance_mm, null::int as distance_mm_min, null::int as distance_mm_max,
        null::bigint as energy_readings, null::bigint as millikcal, null::int as millikcal_min, null::int as millikcal_max
    from {{stage}}.heart_rates_15m
    union all
    select
        device_id, bucket, utc_offset_minutes, starts_at, null, null, null, null, null, null,
        readings, steps, steps_min, steps_max, null, null, null, null, null, null, null, null
    from {{stage}}.steps_15m
    union all
    select
        device_id, bucket, utc_offset_minutes, starts_at, null, null, null, null, null, null,
        null, null, null, null, readings, distance_mm, distance_mm_min, distance_mm_max, null, null, null, null
    from {{stage}}.distances_15m
    union all
    select
        device_id, bucket, utc_offset_minutes, starts_at, null, null, null, null, null, null,
        null, null, null, null, null, null, null, null, readings, millikcal, millikcal_min, millikcal_max
    from {{stage}}.calories_15m
) sources
group by device_id, bucket, utc_offset_minutes, starts_at;
comment on view {{stage}}.quarters is 'Every 15 minutes of which a device has any reading: heart rate, steps, distance and energy side by side.';

-- Most people wear one device: their days are its days. Only where two are near each other do quarters of an hour decide.
-- Offsets differ by 36 hours at most, so devices whose days lie 3 apart never share an instant.
create view {{stage}}.shared_days as
with owned as materialized (
    select d.user_id, days.device_id, days.bucket
    from (
        select device_id, bucket from {{agg}}.heart_rates_1d
        union
        select device_id, bucket from {{agg}}.steps_1d
        union
        select device_id, bucket from {{agg}}.distances_1d
        union
        select device_id, bucket from {{agg}}.calories_1d
    ) days
    join {{raw}}.devices d using (device_id)
    where exists (select 1 from {{raw}}.devices o where o.user_id = d.user_id and o.device_id <> d.device_id)
)
select user_id, device_id, bucket
from owned
where exists (
    select 1 from owned o
    where o.user_id = owned.user_id and o.device_id <> owned.device_id
        and o.bucket between owned.bucket - interval '2 days' and owned.bucket + interval '2 days'
);
comment on view {{stage}}.shared_days is 'Days of a device near which another device of the same person has readings too.';

create view {{stage}}.shared_quarters as
select
    user_id, device_id, bucket, utc_offset_minutes, starts_at, minutes_worn, heart_readings, valid_readings, bpm_sum, bpm_min, bpm_max,
    steps_readings, steps, steps_min, steps_max, distance_readings, distance_mm, distance_mm_min, distance_mm_max,
    energy_readings, millikcal, millikcal_min, millikcal_max
from (
    select s.user_id, q.*,
        first_value(q.device_id) over (partition by s.user_id, q.starts_at order by q.minutes_worn desc, q.device_id) as speaker
    from {{stage}}.shared_days s
    join {{stage}}.quarters q on q.device_id = s.device_id and date_trunc('day', q.bucket) = s.bucket
) ranked
where device_id = speaker;
comment on view {{stage}}.shared_quarters is
    'The quarters of shared days that count for the person: of devices with the same quarter the one with more minutes worn, then the one with the smaller id.';

create view {{stage}}.user_quarters as
select d.user_id, q.*
from {{stage}}.quarters q
join {{raw}}.devices d using (device_id)
where not exists (select 1 from {{stage}}.shared_days s where s.device_id = q.device_id and s.bucket = date_trunc('day', q.bucket))
union all
select * from {{stage}}.shared_quarters;
comment on view {{stage}}.user_quarters is 'Every 15 minutes of a person, from the device that counts in it.';
