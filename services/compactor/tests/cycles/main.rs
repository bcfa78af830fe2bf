//! Cycles on a real server, with a simulated clock: open days, a backlog, patches, a dry run, a second compactor.

mod patches;
mod user_days;
mod warehouse;

use anyhow::{Result, ensure};
use pulseline_compactor::{CompactorConfig, preview, run};
use pulseline_runtime::clock::Clock;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::telemetry::Health;
use pulseline_sql::GenericClient;

use crate::warehouse::{DIRTY, HOUR_MS, NOVEMBER_6_MS, Warehouse};

const SUMMED: &str = "select coalesce(sum(steps), 0)::bigint from agg.daily_steps";
const WAITING: &str = "select count(*) from ops.waiting_days";
const JOURNAL: &str = "select count(*) from ops.compactions";

#[tokio::test]
async fn p_5_an_open_day_waits_until_it_has_closed_and_is_shown_meanwhile() -> Result<()> {
    let warehouse = Warehouse::start("open").await?;
    let config = CompactorConfig::default();
    let clock = Clock::fixed(NOVEMBER_6_MS + 13 * HOUR_MS);
    warehouse.load(1).await?;
    ensure!(warehouse.count(SUMMED).await? == 10, "before any cycle");
    warehouse.work(&config, &clock).await?;
    ensure!(warehouse.count(DIRTY).await? == 0 && warehouse.count(WAITING).await? == 1);
    ensure!(warehouse.count(JOURNAL).await? == 0, "nothing was refreshed");
    // Behind the watermark it would be missing until the next refresh: there is none yet.
    warehouse
        .client
        .batch_execute("update raw.steps set steps = 20")
        .await?;
    ensure!(warehouse.count(SUMMED).await? == 20, "still live");
    // It ends last at UTC-12.
    clock.set(NOVEMBER_6_MS + 36 * HOUR_MS - 1);
    warehouse.work(&config, &clock).await?;
    ensure!(warehouse.count(WAITING).await? == 1 && warehouse.count(JOURNAL).await? == 0);
    clock.set(NOVEMBER_6_MS + 36 * HOUR_MS);
    warehouse.work(&config, &clock).await?;
    ensure!(warehouse.count(WAITING).await? == 0);
    let closed = "select count(*) from ops.compactions where reason = 'days that were open have closed' \
        and relation in ('stage.steps_15m', 'agg.steps_1d') and range_start = '2019-11-06' and range_end = '2019-11-07'";
    ensure!(warehouse.count(closed).await? == 2);
    ensure!(warehouse.count(SUMMED).await? == 20);
    warehouse.stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_backlog_is_worked_off_newest_days_first_and_a_preview_changes_nothing() -> Result<()> {
    let warehouse = Warehouse::start("backlog").await?;
    let clock = Clock::fixed(NOVEMBER_6_MS + 48 * HOUR_MS);
    let config = CompactorConfig {
        cycle_days: 16,
        pack_chunks: 0,
        ..CompactorConfig::default()
    };
    warehouse.load(40).await?;
    let lines = preview(&config, &warehouse.timescale, &clock).await?;
    ensure!(
        lines[0] == "refresh stage.steps_15m of 2019-10-22 to 2019-11-06: 16 changes",
        "{lines:?}"
    );
    ensure!(
        lines
            .last()
            .is_some_and(|line| line.starts_with("more work is left")),
        "{lines:?}"
    );
    ensure!(warehouse.count(DIRTY).await? == 40 && warehouse.count(JOURNAL).await? == 0);
    ensure!(warehouse.count("select count(*) from ops.leases").await? == 0);
    warehouse.work(&config, &clock).await?;
    let days = "select (extract(epoch from max(range_end) - min(range_start)) / 86400)::bigint from ops.compactions where relation = 'agg.steps_1d'";
    ensure!(warehouse.count(DIRTY).await? == 0 && warehouse.count(days).await? == 40);
    let disordered = "select count(*) from (select range_end > lag(range_end) over (order by id) as newer \
        from ops.compactions where relation = 'agg.steps_1d') j where newer";
    ensure!(warehouse.count(disordered).await? == 0, "older days went first");
    // One day of them is corrected: that day alone is refreshed.
    let before = warehouse.count(JOURNAL).await?;
    warehouse
        .client
        .batch_execute(
            "update raw.steps set steps = 11 where local_ts::date = '2019-10-10'; \
             insert into ops.dirty_days (stream, local_date) values ('steps', '2019-10-10')",
        )
        .await?;
    warehouse.work(&config, &clock).await?;
    ensure!(warehouse.count(JOURNAL).await? == before + 2);
    ensure!(warehouse.count(SUMMED).await? == 401);
    let lines = preview(&config, &warehouse.timescale, &clock).await?;
    ensure!(lines == ["nothing to do"], "{lines:?}");
    warehouse.stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_second_compactor_stands_by_and_takes_over_when_the_first_falls_silent() -> Result<()> {
    let warehouse = Warehouse::start("lease").await?;
    let config = CompactorConfig {
        interval_ms: 100,
        lease_ttl_ms: 1_000,
        ..CompactorConfig::default()
    };
    let shutdown = Shutdown::new();
    let start = || {
        let (config, timescale) = (config.clone(), warehouse.timescale.clone());
        tokio::spawn(run(
            config,
            timescale,
            Clock::system(),
            Health::new(),
            shutdown.clone(),
        ))
    };
    let owner = "select coalesce(max(epoch), 0) from ops.leases where name = 'compactor'";
    let first = start();
    warehouse.until(owner, 1).await?;
    let second = start();
    warehouse.load(1).await?;
    warehouse.until(DIRTY, 0).await?;
    ensure!(warehouse.count(owner).await? == 1, "the first still works alone");
    // Dropped in the middle of whatever it does, as a process that is killed.
    first.abort();
    warehouse.load_again().await?;
    warehouse.until(DIRTY, 0).await?;
    ensure!(warehouse.count(owner).await? == 2, "the second has taken over");
    ensure!(warehouse.count(SUMMED).await? == 30);
    shutdown.stop();
    second.await??;
    warehouse.stack.stop().await?;
    Ok(())
}

/// After the first journal entry, which follows the first refresh, another session takes the lease for good.
const STEAL: &str = "create function public.steal() returns trigger language plpgsql as $$ begin \
        update ops.leases set owner = gen_random_uuid(), epoch = 2, expires_at = 'infinity' where epoch = 1; return new; end $$; \
    create trigger steal before insert on ops.compactions for each row execute function public.steal()";

#[tokio::test]
async fn p_6_a_compactor_that_loses_its_lease_within_a_cycle_leaves_the_changes_to_the_new_owner()
-> Result<()> {
    let warehouse = Warehouse::start("lost").await?;
    let config = CompactorConfig {
        interval_ms: 100,
        lease_ttl_ms: 1_000,
        ..CompactorConfig::default()
    };
    let shutdown = Shutdown::new();
    warehouse.load(1).await?;
    warehouse.client.batch_execute(STEAL).await?;
    let compactor = tokio::spawn(run(
        config,
        warehouse.timescale.clone(),
        Clock::system(),
        Health::new(),
        shutdown.clone(),
    ));
    let stolen = "select count(*) from ops.leases where epoch = 2";
    warehouse.until(stolen, 1).await?;
    // The thief is gone: the compactor, which stands by, takes up what it left, from the first refresh on.
    warehouse
        .client
        .batch_execute("update ops.leases set expires_at = '-infinity' where epoch = 2")
        .await?;
    warehouse.until(DIRTY, 0).await?;
    let refreshed = "select count(*) from ops.compactions where relation = 'stage.steps_15m'";
    ensure!(warehouse.count(refreshed).await? == 2, "the loser went on");
    ensure!(warehouse.count("select epoch from ops.leases").await? == 3);
    shutdown.stop();
    compactor.await??;
    warehouse.stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn p_12_old_readings_are_deleted_once_they_are_refreshed_and_their_figures_stay() -> Result<()> {
    let warehouse = Warehouse::start("retention").await?;
    let config = CompactorConfig {
        retain_days: 62,
        retain_chunks: 8,
        cycle_days: 8,
        quiet_ms: 0,
        ..CompactorConfig::default()
    };
    // 62 days before January 5 is November 4: the floor is November 1.
    let clock = Clock::fixed(NOVEMBER_6_MS + 60 * 24 * HOUR_MS);
    let raw = "select count(*) from raw.steps";
    let floor = "select count(*) from ops.floors where floor_date = '2019-11-01'";
    let deleted = "select count(*) from ops.compactions where task = 'retain' and relation = 'raw.steps'";
    warehouse.load(40).await?;
    let lines = preview(&config, &warehouse.timescale, &clock).await?;
    let raise = "raise the floor to 2019-11-01: readings of earlier days are deleted, and no longer loaded";
    ensure!(lines.iter().any(|line| line == raise), "{lines:?}");
    ensure!(
        lines
            .iter()
            .any(|line| line == "delete readings of steps, 2019-09-28"),
        "{lines:?}"
    );
    ensure!(warehouse.count("select count(*) from ops.floors").await? == 0);
    warehouse.work(&config, &clock).await?;
    // Several cycles were needed: as long as one of its days was dirty, nothing went.
    let early = "select count(*) from ops.compactions r, ops.compactions f \
        where r.task = 'retain' and f.task = 'refresh' and f.id > r.id";
    ensure!(warehouse.count(early).await? == 0, "deleted before a refresh");
    ensure!(warehouse.count(floor).await? == 1 && warehouse.count(raw).await? == 6);
    ensure!(warehouse.count(deleted).await? == 34);
    ensure!(warehouse.count(SUMMED).await? == 400, "figures stay");
    // Later days are refreshed again, their month too; the days without readings are not.
    warehouse.load_again().await?;
    warehouse.work(&config, &clock).await?;
    ensure!(warehouse.count(SUMMED).await? == 34 * 10 + 6 * 30);
    let monthly = "select steps::bigint from agg.monthly_steps where bucket = '2019-10-01'";
    ensure!(warehouse.count(monthly).await? == 310);
    // A day below the floor is marked by hand: its figures stay.
    warehouse
        .client
        .batch_execute("insert into ops.dirty_days (stream, local_date) values ('steps', '2019-10-10')")
        .await?;
    warehouse.work(&config, &clock).await?;
    ensure!(warehouse.count(DIRTY).await? == 0 && warehouse.count(monthly).await? == 310);
    let lines = preview(&config, &warehouse.timescale, &clock).await?;
    ensure!(lines == ["nothing to do"], "{lines:?}");
    warehouse.stack.stop().await?;
    Ok(())
}

/// A13: each transaction of a producer leaves an offset without a message, and the rewritten row must not hold them all.
#[tokio::test]
async fn p_1_exceptional_offsets_go_to_pages_that_are_never_rewritten() -> Result<()> {
    const GAPS: &str = "insert into ops.accounted_log (topic, generation, partition, from_offset, to_offset, kind) \
        select 'fitbit.steps', 0, 0, n, n + 1, case n % 2 when 1 then 'void' else 'loaded' end \
        from generate_series($1::bigint, $1::bigint + 2999) n";
    const STANDING: &str = "select offsets::text || ' ' || (select sum(upper(r) - lower(r)) from unnest(void) r) \
        from ops.accounted_offsets";
    const IN_ROW: &str = "select count(*) from ops.accounted, unnest(void)";
    const PAGES: &str = "select count(*) from ops.accounted_pages";
    let warehouse = Warehouse::start("pages").await?;
    let (config, clock) = (CompactorConfig::default(), Clock::fixed(NOVEMBER_6_MS));
    let standing = async || -> Result<String> { Ok(warehouse.client.query_one(STANDING, &[]).await?.get(0)) };
    for (round, expected) in [(0_i64, "{[0,3000)} 1500"), (1, "{[0,6000)} 3000")] {
        warehouse.client.execute(GAPS, &[&(round * 3_000)]).await?;
        ensure!(
            standing().await? == expected,
            "before the fold: {}",
            standing().await?
        );
        warehouse.work(&config, &clock).await?;
        ensure!(standing().await? == expected, "after it: {}", standing().await?);
        ensure!(warehouse.count(IN_ROW).await? == 0 && warehouse.count(PAGES).await? == round + 1);
    }
    // A few stay where they are.
    let one = "insert into ops.accounted_log (topic, generation, partition, from_offset, to_offset, kind) \
        values ('fitbit.steps', 0, 0, 6000, 6001, 'void')";
    warehouse.client.batch_execute(one).await?;
    let written = "select string_agg(xmin::text || id, ',' order by id) from ops.accounted_pages";
    let before: String = warehouse.client.query_one(written, &[]).await?.get(0);
    warehouse.work(&config, &clock).await?;
    let after: String = warehouse.client.query_one(written, &[]).await?.get(0);
    ensure!(before == after && warehouse.count(IN_ROW).await? == 1);
    ensure!(standing().await? == "{[0,6001)} 3001", "{}", standing().await?);
    warehouse.stack.stop().await?;
    Ok(())
}
