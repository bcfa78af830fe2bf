-- Which sessions count where several overlap: the longest first, then the newest upload, and each one unless one that counts
-- overlaps it. So a chain of overlaps loses none of its links but those that a longer one covers.
--
-- Sleeps of a device (of_user is null) or of a person, who may wear several; exercises give way to those of other devices only. A
-- session that does not end after its start overlaps none.
create or replace function {{stage}}.session_counts(kind text, of_user uuid, of_device uuid, of_log bigint) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $counts$
declare
    own record;
    other record;
    devices uuid[];
    -- No session is longer than a week, and offsets differ by 36 hours at most: days from a session to one that it may overlap.
    reach interval := '9 days';
    around interval := '20 days';
    low timestamp;
    high timestamp;
    counting tstzmultirange := '{}';
    owners uuid[] := '{}';
    spans tstzrange[] := '{}';
begin
    select * into own from {{stage}}.session_spans s
    where s.session = kind and s.device_id = of_device and s.log_id = of_log;
    devices := case when of_user is null then array[of_device]
        else array(select o.device_id from {{raw}}.device_owners o where o.user_id = of_user) end;
    if own.starts_at >= own.ends_at or not exists (
        select from {{stage}}.session_spans s
        where s.session = kind and s.device_id = any(devices) and (kind = 'sleep' or s.device_id <> of_device)
            and s.end_local > own.start_local - reach and s.end_local < own.end_local + reach
            and s.starts_at < own.ends_at and s.ends_at > own.starts_at
            and (s.ends_at - s.starts_at, s.synced_at, s.event_id, s.device_id, s.log_id)
                > (own.ends_at - own.starts_at, own.synced_at, own.event_id, own.device_id, own.log_id)
    ) then
        return true;
    end if;
    -- From the first to the last of those that hang together with it; a long chain needs another look, twice as far.
    loop
        select least(min(i.start_local), min(i.end_local)), greatest(max(i.start_local), max(i.end_local)) into low, high
        from (
            select s.*, sum(s.is_first::int) over (order by s.starts_at, s.ends_at, s.device_id, s.log_id) as island
            from (
                select s.*, s.starts_at >= coalesce(max(s.ends_at) over (order by s.starts_at, s.ends_at, s.device_id, s.log_id
                    rows between unbounded preceding and 1 preceding), '-infinity') as is_first
                from {{stage}}.session_spans s
                where s.session = kind and s.device_id = any(devices) and s.starts_at < s.ends_at
                    and s.end_local > own.start_local - around and s.end_local < own.end_local + around
            ) s
        ) i
        group by i.island
        having bool_or(i.device_id = of_device and i.log_id = of_log);
        exit when low - reach > own.start_local - around and high + reach < own.end_local + around;
        around := around * 2;
    end loop;
    -- From the longest on: once it is the session's turn, all that can stand in its way are known.
    for other in
        select s.device_id, s.log_id, tstzrange(s.starts_at, s.ends_at) as span
        from {{stage}}.session_spans s
        where s.session = kind and s.device_id = any(devices) and s.starts_at < s.ends_at
            and s.end_local >= low and s.end_local <= high
            and (of_user is null or exists (select from {{raw}}.device_owners o
                where o.device_id = s.device_id and o.user_id = of_user and s.owned_on >= o.from_day and s.owned_on < o.until_day))
        order by s.ends_at - s.starts_at desc, s.synced_at desc, s.event_id desc, s.device_id desc, s.log_id desc
    loop
        if kind = 'exercise' then
            counting := coalesce((select range_agg(c.span) from unnest(owners, spans) c(device_id, span)
                where c.device_id <> other.device_id), '{}');
        end if;
        if other.device_id = of_device and other.log_id = of_log then
            return not counting && other.span;
        end if;
        continue when counting && other.span;
        if kind = 'exercise' then
            owners := owners || other.device_id;
            spans := spans || other.span;
        else
            counting := counting + other.span::tstzmultirange;
        end if;
    end loop;
    return true;
end
$counts$;
