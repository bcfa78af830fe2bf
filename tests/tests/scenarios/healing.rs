//! Deliberate losses: they are repaired from MongoDB, then from Kafka; offsets in no store remain an alert that
//! names them.

use pulseline_clients::kafka::{Guard, Settings};
use pulseline_sql::GenericClient;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use bson::{Document, doc};
use futures_util::TryStreamExt;
use pulseline_generator::SimulateConfig;
use pulseline_tests::service::command;
use pulseline_tests::{Role, Service, World};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::{Offset, TopicPartitionList};

const TOPIC: &str = "fitbit.steps";
/// Offsets that are lost with their rows; the last one also without its document.
const LOST: std::ops::Range<i64> = 3..9;
const GONE: i64 = 8;
/// Later offsets, lost with their rows while an earlier one is in no store.
const LATER: std::ops::Range<i64> = 9..13;
/// Removes offsets from the accounting.
const FORGET: &str = "update ops.accounted set offsets = offsets - int8range($2, $3)::int8multirange, \
    duplicate = duplicate - int8range($2, $3)::int8multirange, dead = dead - int8range($2, $3)::int8multirange \
    where topic = 'fitbit.steps' and partition = $1";
const BUSIEST: &str =
    "select partition from ops.accounted where topic = 'fitbit.steps' order by upper(offsets) desc limit 1";

async fn heal(world: &World, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let output = command(world)?.arg("heal").args(arguments).output().await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.code().is_some_and(|code| code < 2),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((output.status.code(), said))
}

/// Deletes the rows of these offsets, and the document of an offset with an event.
async fn lose(world: &World, partition: i32, lost: std::ops::Range<i64>) -> Result<u64> {
    let steps = world.documents().await?.collection::<Document>("steps");
    let at = doc! { "kafka.partition": partition, "kafka.offset": { "$gte": lost.start, "$lt": lost.end } };
    let documents: Vec<Document> = steps.find(at).await?.try_collect().await?;
    let ids: Vec<&str> = documents
        .iter()
        .filter_map(|document| document.get_str("_id").ok())
        .collect();
    // The log would keep them.
    world.until_folded().await?;
    let warehouse = world.warehouse().await?;
    let rows = warehouse
        .execute("delete from raw.steps where event_id::text = any($1)", &[&ids])
        .await?;
    let forgotten = warehouse
        .execute(FORGET, &[&partition, &lost.start, &lost.end])
        .await?;
    ensure!(forgotten == 1);
    Ok(rows)
}

/// Deletes MongoDB's documents of one of the lost offsets.
async fn vanish(world: &World, partition: i32) -> Result<()> {
    let offset = doc! { "kafka.topic": TOPIC, "kafka.partition": partition, "kafka.offset": GONE };
    let database = world.documents().await?;
    let mut deleted = 0;
    for collection in ["steps", "receipts", "dead_letters"] {
        let collection = database.collection::<Document>(collection);
        deleted += collection.delete_many(offset.clone()).await?.deleted_count;
    }
    ensure!(deleted > 0, "no document at {GONE}");
    Ok(())
}

#[tokio::test]
async fn a_3_lost_offsets_are_repaired_from_mongodb_then_from_kafka_and_the_rest_is_named() -> Result<()> {
    let world = World::start("healing").await?;
    // An offset is lost only once the loader's position is past it.
    let saved_often = [("PULSELINE__LOADER__IDLE_SAVE_MS", "1000")];
    let services = [
        Service::start(&world, Role::Sink)?,
        Service::start_with(&world, Role::Loader, &saved_often)?,
        Service::start(&world, Role::Compactor)?,
    ];
    let cohort = SimulateConfig {
        participants: 2,
        days: 1,
        duplicate: 0.2,
        ..pulseline_tests::sparse()
    };
    world.simulate(&cohort).await?;
    world.until_quiet().await?;
    let steps = "select count(*) from raw.steps";
    let before = world.count(steps).await?;
    world.until_folded().await?;
    let partition: i32 = world.warehouse().await?.query_one(BUSIEST, &[]).await?.get(0);
    ensure!(lose(&world, partition, LOST).await? > 0, "no row was lost");
    let (code, said) = heal(&world, &["--dry-run"]).await?;
    let lost = format!("{TOPIC}/{partition} [{}, {}) is lost\n", LOST.start, LOST.end);
    ensure!(code == Some(1) && said.starts_with(&lost), "{said}");
    ensure!(world.count(steps).await? < before);
    // The service heals without a command.
    let mut service = command(&world)?
        .args(["heal", "--every", "1"])
        .stderr(Stdio::null())
        .spawn()?;
    world.until_count(steps, before).await?;
    service.kill().await?;

    // Only Kafka still has the message of this offset.
    lose(&world, partition, LOST).await?;
    vanish(&world, partition).await?;
    let (code, said) = heal(&world, &[]).await?;
    ensure!(code == Some(0) && said.contains("1 Kafka messages"), "{said}");
    ensure!(world.count(steps).await? == before, "the rows are not back");
    world.until_quiet().await?;
    world.verify_stored().await?;

    // Kafka does not have it either.
    lose(&world, partition, LOST).await?;
    vanish(&world, partition).await?;
    let mut upto = TopicPartitionList::new();
    upto.add_partition_offset(TOPIC, partition, Offset::Offset(GONE + 1))?;
    let admin: AdminClient<Guard> = Settings::new(&world.kafka(), "pulseline-tests")?.create()?;
    admin.delete_records(&upto, &AdminOptions::new()).await?;
    let (code, said) = heal(&world, &["--json"]).await?;
    let report: serde_json::Value = serde_json::from_str(&said).with_context(|| said.clone())?;
    let left = format!("[{GONE}, {})", GONE + 1);
    ensure!(code == Some(1) && report["holes"][0]["left"] == left, "{said}");
    let verdict = world.compare_stored(std::time::Duration::from_secs(60)).await?;
    let holes: Vec<String> = verdict.holes.iter().map(ToString::to_string).collect();
    ensure!(
        holes == [format!("{TOPIC}/{partition} [{GONE}, {})", GONE + 1)],
        "{verdict}"
    );

    // an offset in no store takes the first round only.
    let healed = world.count(steps).await?;
    ensure!(lose(&world, partition, LATER).await? > 0, "no row was lost");
    let mut service = command(&world)?
        .args(["heal", "--every", "1", "--grace", "10", "--round", "1"])
        .stderr(Stdio::null())
        .spawn()?;
    world.until_count(steps, healed).await?;
    service.kill().await?;
    drop(services);
    world.stop().await
}
