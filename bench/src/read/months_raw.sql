-- The same from raw.
with {nights}, shares as (
    select n.*, c.overall_score, case when n.type = 'stages' then coalesce(deep, 0) + coalesce(light, 0) + coalesce(rem, 0) + coalesce(wake, 0) end as staged,
        extract(epoch from n.start_local::time)::double precision / 240 as bed,
        extract(epoch from n.end_local::time)::double precision / 240 as up
    from nights n left join raw.sleep_scores c on c.device_id = n.device_id and c.log_id = n.log_id
)
select date_trunc('month', end_local)::date,
    stage.mean_time(sum(sind(bed)) filter (where main_sleep), sum(cosd(bed)) filter (where main_sleep)),
    stage.mean_time(sum(sind(up)) filter (where main_sleep), sum(cosd(up)) filter (where main_sleep)),
    round(sum(deep) / nullif(sum(staged), 0), 4), round(sum(rem) / nullif(sum(staged), 0), 4), round(avg(overall_score), 1)
from shares group by 1 order by 1
