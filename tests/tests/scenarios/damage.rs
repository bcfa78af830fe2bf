//! Verify detects deliberate damage: a wrong row, a missing row, a document that was deleted before it was loaded.

use pulseline_sql::GenericClient;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bson::{Document, doc};
use pulseline_generator::SimulateConfig;
use pulseline_tests::service::command;
use pulseline_tests::{Role, Service, World};

const SETTLE: Duration = Duration::from_secs(30);

fn cohort() -> SimulateConfig {
    SimulateConfig {
        participants: 2,
        days: 1,
        ..SimulateConfig::default()
    }
}

#[tokio::test]
async fn p_8_a_wrong_row_and_a_deleted_row_of_raw_are_reported() -> Result<()> {
    let world = World::start("damage").await?;
    let services = Service::start_all(&world)?;
    world.simulate(&cohort()).await?;
    world.until_quiet().await?;
    ensure!(verify(&world, &[]).await? == Some(0), "the command's exit code");
    ensure!(
        verify(&world, &["--full", "--minutes", "0"]).await? == Some(4),
        "unfinished"
    );
    ensure!(
        verify(&world, &["--relation", "agg.nothing"]).await? == Some(2),
        "unknown"
    );
    let warehouse = world.warehouse().await?;
    for (table, damage) in DAMAGES {
        let before = format!("create table public.undamaged_{table} as table raw.{table}");
        warehouse.batch_execute(&before).await?;
        ensure!(warehouse.execute(damage, &[]).await? >= 1, "{damage}");
        let is_of_owners = table.starts_with("device");
        let relation = format!("raw.{}", if is_of_owners { "device_owners" } else { table });
        ensure!(
            verify(&world, &["--relation", &relation]).await? == Some(1),
            "{table} alone"
        );
        let before = [
            "--from",
            "2019-10-01",
            "--to",
            "2019-10-02",
            "--relation",
            &relation,
        ];
        let is_whole = table == "sleeps" || is_of_owners;
        ensure!(
            verify(&world, &before).await? == Some(i32::from(is_whole)),
            "other days, unless a table is compared whole"
        );
    }
    let elsewhere = ["--relation", "raw.sleep_scores"];
    ensure!(
        verify(&world, &elsewhere).await? == Some(0),
        "another table alone"
    );
    let verdict = world.compare_stored(SETTLE).await?;
    for (table, _) in DAMAGES {
        let is_named = |of: &str| verdict.differences.iter().any(|text| text.contains(of));
        ensure!(
            is_named(&format!("raw.{table} ")),
            "{table} is not named: {verdict}"
        );
    }
    for (table, _) in DAMAGES {
        let repair = format!(
            "begin; delete from raw.{table}; insert into raw.{table} table public.undamaged_{table}; commit"
        );
        warehouse.batch_execute(&repair).await?;
    }
    world.verify_equal().await?;
    drop(services);
    world.stop().await
}

/// What `verify` finds in raw and in the layers above it.
const DAMAGES: [(&str, &str); 7] = [
    (
        "sleep_levels",
        "insert into raw.sleep_levels select device_id, log_id + 1000000, source, seq, local_ts, level, seconds from raw.sleep_levels limit 1",
    ),
    (
        "devices",
        "update raw.devices set user_id = gen_random_uuid() where device_id = (select device_id from raw.devices limit 1)",
    ),
    (
        "device_versions",
        "delete from raw.device_versions where device_id = (select device_id from raw.devices limit 1)",
    ),
    (
        "device_owners",
        "update raw.device_owners set from_day = '2019-01-01' where device_id = (select device_id from raw.devices limit 1)",
    ),
    (
        "heart_rates",
        "update raw.heart_rates set bpm = bpm + 1 where (device_id, local_ts) = (select device_id, local_ts \
            from raw.heart_rates limit 1)",
    ),
    (
        "steps",
        "delete from raw.steps where (device_id, local_ts) = (select device_id, local_ts from raw.steps limit 1)",
    ),
    (
        "sleeps",
        "update raw.sleeps set minutes_asleep = minutes_asleep + 1 where log_id = (select min(log_id) from raw.sleeps)",
    ),
];

/// The exit code of `pulseline verify`, which prints the first differing rows.
async fn verify(world: &World, arguments: &[&str]) -> Result<Option<i32>> {
    let mut verify = command(world)?;
    verify.args(["verify", "--settle", "5"]).args(arguments);
    let output = verify.output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let differs = output.status.code() == Some(1);
    ensure!(differs == text.contains("differs: "), "{text}");
    Ok(output.status.code())
}

#[tokio::test]
async fn a_1_a_wrong_figure_of_an_aggregate_is_reported() -> Result<()> {
    let world = World::start("figures").await?;
    let services = Service::start_all(&world)?;
    world.simulate(&cohort()).await?;
    world.until_quiet().await?;
    let warehouse = world.warehouse().await?;
    let hidden = "select format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name) \
        from timescaledb_information.continuous_aggregates where view_name = 'steps_1d'";
    let hypertable: String = warehouse.query_one(hidden, &[]).await?.get(0);
    let days = world.count("select count(*) from agg.steps_1d").await?;
    warehouse
        .batch_execute(&format!("update {hypertable} set steps = steps + 1"))
        .await?;
    warehouse
        .batch_execute("update stage.sleep_heart_rates set bpm_sum = bpm_sum + 1")
        .await?;
    let verdict = world.compare_stored(SETTLE).await?;
    for relation in ["agg.steps_1d", "stage.sleep_heart_rates"] {
        ensure!(
            verdict.differences.iter().any(|text| text.contains(relation)),
            "{relation}: {verdict}"
        );
    }
    // Of what is wrong, each day is marked, and computed anew.
    ensure!(
        verify(&world, &["--mend"]).await? == Some(1),
        "differences are still an error"
    );
    world.until_quiet().await?;
    world.verify_stored().await?;
    drop(services);
    warehouse
        .batch_execute(&format!("delete from {hypertable}"))
        .await?;
    // The compactor's samples find it without a command.
    let settings = [("PULSELINE__COMPACTOR__SAMPLE_INTERVAL_MS", "1")];
    let mut compactor = Service::start_with(&world, Role::Compactor, &settings)?;
    compactor
        .until_logged("a stored figure differs from its readings")
        .await?;
    let measures = compactor.measures().await?;
    let counted = measures.sum("pulseline_compactor_sample_differences_total")?;
    ensure!(counted > 0.0, "{measures:?}");
    world
        .until_count("select count(*) from agg.steps_1d", days)
        .await?;
    world.until_quiet().await?;
    world.verify_stored().await?;
    drop(compactor);
    world.stop().await
}

#[tokio::test]
async fn d_4_a_document_that_was_deleted_before_it_was_loaded_is_a_hole() -> Result<()> {
    let world = World::start("hole").await?;
    let sink = Service::start(&world, Role::Sink)?;
    let summary = world.simulate(&cohort()).await?;
    let produced = i64::try_from(summary.total().acknowledged)?;
    let stored =
        |status: &pulseline_auditor::Status| status.flows.iter().map(|flow| flow.stored).sum::<i64>();
    world
        .until("everything is stored", |status| stored(status) == produced)
        .await?;
    // The loader has not started yet; its first start reads the collection as it is.
    let documents = world.documents().await?.collection::<Document>("heart_rates");
    let victim = documents
        .find_one_and_delete(doc! { "kafka.offset": 7 })
        .await?
        .context("no document at offset 7")?;
    let partition = victim.get_document("kafka")?.get_i32("partition")?;
    let services = [
        Service::start(&world, Role::Loader)?,
        Service::start(&world, Role::Compactor)?,
    ];
    world
        .until("all but the victim is accounted for", |status| {
            status.unaccounted() == 1 && status.dirty_days == 0
        })
        .await?;
    let verdict = world.compare_stored(SETTLE).await?;
    ensure!(
        verdict.holes.len() == 1
            && verdict.holes[0].to_string() == format!("fitbit.heart_rates/{partition} [7, 8)"),
        "{verdict}"
    );
    ensure!(!verdict.is_equal() && verdict.in_flight == 0, "{verdict}");
    drop((sink, services));
    world.stop().await
}

#[tokio::test]
async fn p_3_lag_is_not_reported_as_loss() -> Result<()> {
    let world = World::start("lag").await?;
    let mut services = Service::start_all(&world)?;
    world.simulate(&SimulateConfig { seed: 1, ..cohort() }).await?;
    world.until_quiet().await?;
    // Without a loader, stored and committed messages stay in flight for any time.
    services.remove(1).kill().await?;
    world.simulate(&SimulateConfig { seed: 2, ..cohort() }).await?;
    world
        .until("everything is stored", |status| {
            status.flows.iter().all(|flow| flow.stored == flow.produced)
        })
        .await?;
    let verdict = world.compare_stored(Duration::from_secs(3)).await?;
    ensure!(verdict.holes.is_empty() && verdict.in_flight > 0, "{verdict}");
    drop(services);
    world.stop().await
}
