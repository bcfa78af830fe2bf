-- Each baseline has its own count of days: a mean of one resting heart rate no more stands beside 28 valid days. Locks: the two
-- views' definitions only; their columns stay, the counts come behind them.

do $baselines$
declare
    scope record;
    figure text;
    relation text;
    figures text := '';
    counts text := '';
begin
    foreach figure in array array['steps', 'minutes_asleep', 'bpm_avg', 'resting_bpm', 'avg_sleep_bpm'] loop
        figures := figures || format($sql$,
            %1$s,
            round(avg(%1$s) filter (where is_valid) over week_before, 2) as %1$s_7d,
            round(avg(%1$s) filter (where is_valid) over month_before, 2) as %1$s_28d,
            round(%1$s - avg(%1$s) filter (where is_valid) over month_before, 2) as %1$s_deviation
        $sql$, figure);
        counts := counts || format($sql$,
            count(%1$s) filter (where is_valid) over week_before as %1$s_days_7d,
            count(%1$s) filter (where is_valid) over month_before as %1$s_days_28d
        $sql$, figure);
    end loop;
    for scope in select * from (values ('', 'device_id'), ('user_', 'user_id')) as s(prefix, key) loop
        relation := format('{{agg}}.%sdaily_baselines', scope.prefix);
        -- The days before, never the day itself: a day is compared with what was usual until then.
        execute format($sql$
            create or replace view %1$s as
            select
                %3$s,
                bucket,
                minutes_worn,
                is_valid,
                count(*) filter (where is_valid) over week_before as valid_days_7d,
                count(*) filter (where is_valid) over month_before as valid_days_28d
                %4$s
                %5$s
            from (select *, worn_share >= 0.6 as is_valid from {{agg}}.%2$sdaily_summary) days
            window
                week_before as (partition by %3$s order by bucket range between interval '7 days' preceding and interval '1 day' preceding),
                month_before as (partition by %3$s order by bucket range between interval '28 days' preceding and interval '1 day' preceding)
        $sql$, relation, scope.prefix, scope.key, figures, counts);
        foreach figure in array array['steps', 'minutes_asleep', 'bpm_avg', 'resting_bpm', 'avg_sleep_bpm'] loop
            execute format('comment on column %s.%s_days_7d is %L', relation, figure,
                'Valid days of the 7 before that have the figure: what its mean rests on.');
            execute format('comment on column %s.%s_days_28d is %L', relation, figure,
                'Valid days of the 28 before that have the figure: what its mean rests on.');
        end loop;
    end loop;
end
$baselines$;
