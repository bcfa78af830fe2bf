-- Which sessions count where several overlap: the longest first, then the newest upload, and each one unless one that counts
-- overlaps it. So a chain of overlaps loses none of its links but those that a longer one covers.
--
-- Sleeps of a device (of_user is null) or of a person, who may wear several; exercises give way to those of other devices only.
create or replace function {{stage}}.session_counts(kind text, of_user uuid, of_device uuid, of_log bigint) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $counts$
declare
    own record;
    longer record;
begin
    select * into own from {{stage}}.session_spans s
    where s.session = kind and s.device_id = of_device and s.log_id = of_log;
    for longer in
        select s.device_id, s.log_id
        from {{stage}}.session_spans s
        where s.session = kind
            and s.device_id = any(case when of_user is null then array[of_device]
                else array(select o.device_id from {{raw}}.device_owners o where o.user_id = of_user) end)
            and (kind = 'sleep' or s.device_id <> of_device)
            -- Offsets differ by 36 hours at most, and no session is longer than a week.
            and s.end_local > own.start_local - interval '2 days' and s.end_local < own.end_local + interval '9 days'
            and s.starts_at < own.ends_at and s.ends_at > own.starts_at
            and (s.ends_at - s.starts_at, s.synced_at, s.event_id, s.device_id, s.log_id)
                > (own.ends_at - own.starts_at, own.synced_at, own.event_id, own.device_id, own.log_id)
            and (of_user is null or exists (select from {{raw}}.device_owners o
                where o.device_id = s.device_id and o.user_id = of_user and s.owned_on >= o.from_day and s.owned_on < o.until_day))
        order by s.ends_at - s.starts_at desc, s.synced_at desc, s.event_id desc, s.device_id desc, s.log_id desc
    loop
        if {{stage}}.session_counts(kind, of_user, longer.device_id, longer.log_id) then
            return false;
        end if;
    end loop;
    return true;
end
$counts$;
