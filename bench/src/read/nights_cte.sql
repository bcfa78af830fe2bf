-- Sleeps that no longer one overlaps, with their stages; and the heart rate in them.
sessions as (
    select d.user_id, s.*,
        s.start_local - make_interval(mins => s.start_utc_offset_minutes) as starts_at,
        s.end_local - make_interval(mins => s.end_utc_offset_minutes) as ends_at
    from raw.sleeps s join raw.devices d using (device_id)
    where d.user_id = '{user}'
), nights as (
    select s.*, l.*
    from sessions s
    left join lateral (
        select
            round(sum(seconds) filter (where level = 'deep') / 60.0, 1) as deep,
            round(sum(seconds) filter (where level = 'light') / 60.0, 1) as light,
            round(sum(seconds) filter (where level = 'rem') / 60.0, 1) as rem,
            round(sum(seconds) filter (where level in ('wake', 'awake')) / 60.0, 1) as wake
        from (
            select level, seconds from raw.sleep_levels x
            where x.device_id = s.device_id and x.log_id = s.log_id and x.source = 'data'
            union all
            select case laid when 'below' then x.level else y.level end,
                (case laid when 'below' then -1 else 1 end) * extract(epoch from
                    least(x.local_ts + make_interval(secs => x.seconds), y.local_ts + make_interval(secs => y.seconds))
                    - greatest(x.local_ts, y.local_ts))::int
            from raw.sleep_levels x
            join raw.sleep_levels y on y.device_id = x.device_id and y.log_id = x.log_id and y.source = 'short'
                and y.local_ts < x.local_ts + make_interval(secs => x.seconds)
                and x.local_ts < y.local_ts + make_interval(secs => y.seconds)
            cross join (values ('below'), ('above')) as b(laid)
            where x.device_id = s.device_id and x.log_id = s.log_id and x.source = 'data'
        ) segments
    ) l on true
    where not exists (
        select from sessions o
        where o.log_id <> s.log_id and o.starts_at < s.ends_at and s.starts_at < o.ends_at
            and (o.ends_at - o.starts_at, o.synced_at, o.event_id, o.log_id) > (s.ends_at - s.starts_at, s.synced_at, s.event_id, s.log_id)
    )
), asleep as (
    select n.log_id, sum(r.bpm) as bpm_sum, count(*) as valid
    from nights n
    join raw.heart_rates r on r.device_id = n.device_id
        and r.local_ts >= n.start_local - interval '1 day' and r.local_ts < n.end_local + interval '1 day'
        and r.local_ts - make_interval(mins => r.utc_offset_minutes) >= n.starts_at
        and r.local_ts - make_interval(mins => r.utc_offset_minutes) < n.ends_at
    where r.confidence is distinct from 0
    group by n.log_id
)
