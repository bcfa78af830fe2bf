-- Sleeps near changed days of their device, newest first: local days, and first and last hour in UTC since 1970.
-- $1, $2, $3: devices, each with the first day and the day after the last; $4: the first day a sleep may start on, if any.
select distinct
    s.device_id,
    s.log_id,
    s.start_local::date - date '1970-01-01',
    s.end_local::date - date '1970-01-01' as ends_on,
    floor(extract(epoch from s.start_local) / 3600 - s.start_utc_offset_minutes / 60.0)::int,
    ceil(extract(epoch from s.end_local) / 3600 - s.end_utc_offset_minutes / 60.0)::int
from unnest($1::uuid[], $2::int[], $3::int[]) t(device_id, low, high)
join raw.sleeps s on s.device_id = t.device_id
    and s.end_local >= date '1970-01-01' + t.low
    and s.start_local < date '1970-01-01' + t.high
where $4::int is null or s.start_local >= date '1970-01-01' + $4::int
order by ends_on desc, s.device_id, s.log_id
