//! Patches on a real server: every stored row is what raw says, whatever was patched and refreshed before.

use anyhow::{Result, ensure};
use pulseline_compactor::{CompactorConfig, preview};
use pulseline_runtime::clock::Clock;
use pulseline_sql::GenericClient;

use crate::warehouse::{DIRTY, NOVEMBER_6_MS, Warehouse};

/// Steps of 20 devices at two times of each of three days, marked as the loader marks them.
const LOAD_FLEET: &str = "with loaded as (insert into raw.steps \
        select lpad(device::text, 32, '0')::uuid, date '2019-11-01' + day + at, 60, device, now(), gen_random_uuid() \
        from generate_series(1, 20) device, generate_series(0, 2) day, (values (time '12:00'), (time '18:30')) t(at) \
        returning device_id, local_ts) \
    insert into ops.dirty_days (stream, device_id, local_date) select distinct 'steps', device_id, local_ts::date from loaded";
/// Buckets and days whose stored rows are not what raw says, with rows that stand twice.
const WRONG: &str = "select (select count(*) from ( \
            (select device_id, bucket, readings, steps from stage.steps_15m except all \
                select device_id, time_bucket('15 minutes', local_ts), count(*), sum(steps) from raw.steps group by 1, 2) \
            union all (select device_id, time_bucket('15 minutes', local_ts), count(*), sum(steps) from raw.steps group by 1, 2 \
                except all select device_id, bucket, readings, steps from stage.steps_15m)) quarters) \
        + (select count(*) from ( \
            (select device_id, bucket, readings, steps from agg.steps_1d except all \
                select device_id, date_trunc('day', local_ts), count(*), sum(steps) from raw.steps group by 1, 2) \
            union all (select device_id, date_trunc('day', local_ts), count(*), sum(steps) from raw.steps group by 1, 2 \
                except all select device_id, bucket, readings, steps from agg.steps_1d)) days)";
const PATCHED: &str = "select coalesce(sum(rows), 0)::bigint from ops.compactions where task = 'patch' and relation = 'agg.steps_1d'";
const REFRESHED: &str =
    "select count(*) from ops.compactions where task = 'refresh' and relation = 'agg.steps_1d'";

const UNSETTLED: &str = "select count(*) from ops.unsettled_days";
/// Notes of changes that the server keeps until a refresh covers them; those of all time are no changes.
const CHANGES_KEPT: &str = "select (select count(*) from _timescaledb_catalog.continuous_aggs_hypertable_invalidation_log) + ( \
    select count(*) from _timescaledb_catalog.continuous_aggs_materialization_invalidation_log \
    where lowest_modified_value > -200000000000000000 and greatest_modified_value < 200000000000000000)";

#[tokio::test]
async fn p_15_a_day_that_changed_for_few_devices_is_written_anew_for_them_alone() -> Result<()> {
    let warehouse = Warehouse::start("patch").await?;
    let clock = Clock::fixed(NOVEMBER_6_MS);
    let config = CompactorConfig {
        pack_chunks: 0,
        ..CompactorConfig::default()
    };
    let changed = async |sql: &str, devices: &str, expected: (i64, i64)| {
        warehouse.client.batch_execute(sql).await?;
        let mark = format!(
            "insert into ops.dirty_days (stream, device_id, local_date) \
            select 'steps', lpad(device::text, 32, '0')::uuid, date '2019-11-02' from unnest(array[{devices}]) device"
        );
        warehouse.client.batch_execute(&mark).await?;
        warehouse.work(&config, &clock).await?;
        let done = (warehouse.count(PATCHED).await?, warehouse.count(REFRESHED).await?);
        ensure!(done == expected, "{done:?} after {sql}");
        let wrong = warehouse.count(WRONG).await?;
        ensure!(wrong == 0, "{wrong} rows are wrong after {sql}");
        ensure!(warehouse.count(DIRTY).await? == 0);
        anyhow::Ok(())
    };
    warehouse.client.batch_execute(LOAD_FLEET).await?;
    // All that is new is refreshed for everybody, in one window.
    changed("select 1", "1", (0, 1)).await?;
    let late = "insert into raw.steps values \
        (lpad('7', 32, '0')::uuid, '2019-11-02 23:50', 60, 100, now(), gen_random_uuid())";
    changed(late, "7", (1, 1)).await?;
    ensure!(warehouse.count(UNSETTLED).await? == 1);
    let corrected = "update raw.steps set steps = 50 where device_id in (lpad('7', 32, '0')::uuid, lpad('8', 32, '0')::uuid) \
        and local_ts::date = '2019-11-02'";
    let preview_of = "insert into ops.dirty_days (stream, device_id, local_date) values ('steps', lpad('7', 32, '0')::uuid, '2019-11-02')";
    warehouse.client.batch_execute(preview_of).await?;
    let lines = preview(&config, &warehouse.timescale, &clock).await?;
    ensure!(
        lines[0] == "patch stage.steps_15m and agg.steps_1d of 2019-11-02 for 1 device",
        "{lines:?}"
    );
    changed(corrected, "7, 8, 8", (3, 1)).await?;
    let erased =
        "delete from raw.steps where device_id = lpad('9', 32, '0')::uuid and local_ts::date = '2019-11-02'";
    changed(erased, "9", (4, 1)).await?;
    // A refresh of what was patched, as an operator may do it, changes nothing and leaves no row twice.
    for relation in ["stage.steps_15m", "agg.steps_1d"] {
        let call = format!(
            "call refresh_continuous_aggregate('{relation}', timestamp '2019-11-01', timestamp '2019-11-04')"
        );
        warehouse.client.batch_execute(&call).await?;
    }
    ensure!(
        warehouse.count(WRONG).await? == 0,
        "after a refresh of patched days"
    );
    // More than a quarter of the devices; and a day on which nobody has rows yet, beyond what was ever refreshed.
    let many = "update raw.steps set steps = steps + 1 where local_ts::date = '2019-11-02'";
    changed(
        many,
        "1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20",
        (4, 2),
    )
    .await?;
    ensure!(warehouse.count(UNSETTLED).await? == 0);
    // Late on the newest day, beyond its last quarter: hidden until a later refresh raises the watermark over it.
    let newest = "insert into raw.steps values \
            (lpad('7', 32, '0')::uuid, '2019-11-03 23:50', 60, 100, now(), gen_random_uuid()); \
        insert into ops.dirty_days (stream, device_id, local_date) values ('steps', lpad('7', 32, '0')::uuid, '2019-11-03')";
    changed(newest, "7", (6, 2)).await?;
    let ahead = "insert into raw.steps values \
            (lpad('3', 32, '0')::uuid, '2019-11-04 09:00', 60, 5, now(), gen_random_uuid()); \
        insert into ops.dirty_days (stream, device_id, local_date) values ('steps', lpad('3', 32, '0')::uuid, '2019-11-04')";
    changed(ahead, "3", (7, 3)).await?;
    settle(&warehouse, &config, &clock).await?;
    warehouse.stack.stop().await?;
    Ok(())
}

/// Patched days rest, and are then refreshed for everybody, which changes nothing and takes what the server holds.
async fn settle(warehouse: &Warehouse, config: &CompactorConfig, clock: &Clock) -> Result<()> {
    let unsettled = warehouse.count(UNSETTLED).await?;
    ensure!(unsettled > 0, "nothing is left to settle");
    ensure!(
        warehouse.count(CHANGES_KEPT).await? > 0,
        "the server holds nothing"
    );
    warehouse.work(config, clock).await?;
    ensure!(warehouse.count(UNSETTLED).await? == unsettled, "before its time");
    let config = CompactorConfig {
        settle_after_ms: 0,
        ..config.clone()
    };
    for left in (0..unsettled).rev() {
        warehouse.work(&config, clock).await?;
        ensure!(warehouse.count(UNSETTLED).await? == left, "one day a cycle");
    }
    ensure!(
        warehouse.count(CHANGES_KEPT).await? == 0,
        "the server still holds changes"
    );
    ensure!(warehouse.count(WRONG).await? == 0, "after settling");
    Ok(())
}
