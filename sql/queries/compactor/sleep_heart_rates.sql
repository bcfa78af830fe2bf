-- Recomputes the heart rate of sleeps ($1 devices, $2 ids) from readings of the local days from $3 to before $4.
--
-- A sleep lasts, in UTC, from its start up to, but excluding, its end. The 15-minute aggregates tell when a device had which
-- offset; so only a sleep's own readings are read. The days also exclude chunks when readings are looked up by a sleep's times.
with sleeps as materialized (
    select
        s.device_id,
        s.log_id,
        s.start_local - make_interval(mins => s.start_utc_offset_minutes) as starts,
        s.end_local - make_interval(mins => s.end_utc_offset_minutes) as ends
    from raw.sleeps s
    join unnest($1::uuid[], $2::int8[]) k(device_id, log_id) using (device_id, log_id)
), offsets as materialized (
    select q.device_id, q.utc_offset_minutes, range_agg(tsrange(q.bucket, q.bucket + interval '15 minutes')) as times
    from stage.heart_rates_15m q
    where q.device_id = any($1::uuid[]) and q.bucket >= $3 and q.bucket < $4
    group by q.device_id, q.utc_offset_minutes
), spans as materialized (
    select
        s.device_id,
        s.log_id,
        o.utc_offset_minutes,
        s.starts + make_interval(mins => o.utc_offset_minutes) as low,
        s.ends + make_interval(mins => o.utc_offset_minutes) as high
    from sleeps s
    left join offsets o on o.device_id = s.device_id
        and o.times && tsrange(
            least(s.starts, s.ends) + make_interval(mins => o.utc_offset_minutes),
            s.ends + make_interval(mins => o.utc_offset_minutes))
), facts as (
    select
        s.device_id,
        s.log_id,
        sum(r.readings)::int as readings,
        sum(r.valid_readings)::int as valid_readings,
        coalesce(sum(r.bpm_sum), 0)::int as bpm_sum,
        min(r.bpm_min) as bpm_min,
        max(r.bpm_max) as bpm_max
    from spans s
    cross join lateral (
        select
            count(*) as readings,
            count(*) filter (where h.is_valid) as valid_readings,
            sum(h.bpm) filter (where h.is_valid) as bpm_sum,
            min(h.bpm) filter (where h.is_valid) as bpm_min,
            max(h.bpm) filter (where h.is_valid) as bpm_max
        from (
            select bpm, confidence is distinct from 0 as is_valid
            from raw.heart_rates h
            where h.device_id = s.device_id and h.utc_offset_minutes = s.utc_offset_minutes
                and h.local_ts >= $3 and h.local_ts < $4 and h.local_ts >= s.low and h.local_ts < s.high
        ) h
    ) r
    group by s.device_id, s.log_id
)
insert into stage.sleep_heart_rates as f
select * from facts
on conflict (device_id, log_id) do update set
    readings = excluded.readings,
    valid_readings = excluded.valid_readings,
    bpm_sum = excluded.bpm_sum,
    bpm_min = excluded.bpm_min,
    bpm_max = excluded.bpm_max
where (f.readings, f.valid_readings, f.bpm_sum, f.bpm_min, f.bpm_max) is distinct from
    (excluded.readings, excluded.valid_readings, excluded.bpm_sum, excluded.bpm_min, excluded.bpm_max)
