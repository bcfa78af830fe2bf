//! Messages of other programs: every codec, sizes up to the limit, transactions.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use futures_util::future::try_join_all;
use pulseline_clients::registry::Registry;
use pulseline_generator::ensure_topics;
use pulseline_schemas::Stream;
use pulseline_sql::GenericClient;
use pulseline_tests::foreign::{Written, write_events};
use pulseline_tests::{Service, World};
use uuid::Uuid;

/// Codecs and transactions: each codec without transactions, and the weakest and the strongest one with them.
const WRITERS: [(&str, &str); 7] = [
    ("none", "plain"),
    ("gzip", "plain"),
    ("snappy", "plain"),
    ("lz4", "plain"),
    ("zstd", "plain"),
    ("none", "transactions"),
    ("zstd", "transactions"),
];
/// Shortest text that the larger of the two exercises must have kept.
const LARGE_BYTES: i64 = 4_000_000;

#[tokio::test]
async fn messages_of_a_foreign_client_are_loaded_with_any_codec_and_size() -> Result<()> {
    let world = World::start("codecs").await?;
    ensure_topics(&world.kafka(), 2).await?;
    let registry = Registry::new(&world.registry())?;
    for stream in [Stream::Steps, Stream::Exercises] {
        registry.register(stream).await?;
    }
    let services = Service::start_all(&world)?;
    let writers = (0_u128..).zip(WRITERS).map(async |(number, (codec, mode))| {
        let device = Uuid::from_u128(0xf0_0000 + number);
        let written = write_events(&world, codec, mode, device).await?;
        anyhow::Ok((codec, mode, device, written))
    });
    let written = try_join_all(writers).await?;
    let status = world.until_quiet().await?;
    ensure!(status.dead_letters == 0, "{status}");
    for (codec, mode, device, written) in &written {
        ensure!(
            (mode == &"transactions") != written.stay_away.is_empty(),
            "{codec}, {mode}: nothing was aborted"
        );
        let differs = difference(&world, *device, written).await?;
        ensure!(differs.is_empty(), "{codec}, {mode}: {differs}");
    }
    world.verify_stored().await?;
    drop(services);
    world.stop().await
}

/// Differences between a device's uploads and what was written.
async fn difference(world: &World, device: Uuid, written: &Written) -> Result<String> {
    let warehouse = world.warehouse().await?;
    let mut found = String::new();
    for (topic, ids) in &written.arrive {
        let table = topic.trim_start_matches("fitbit.");
        let sql = format!("select distinct event_id from raw.{table} where device_id = $1");
        let rows = warehouse.query(&sql, &[&device]).await?;
        let loaded: BTreeSet<Uuid> = rows.iter().map(|row| row.get(0)).collect();
        if &loaded != ids {
            found += &format!("{} of {} uploads of {topic}; ", loaded.len(), ids.len());
        }
    }
    let steps = "select count(*), sum(steps)::bigint from raw.steps where device_id = $1";
    let row = warehouse.query_one(steps, &[&device]).await?;
    let (rows, sum): (i64, Option<i64>) = (row.get(0), row.get(1));
    if (rows, sum) != (96 * 15, Some(96 * 120)) {
        found += &format!("{rows} minutes with {sum:?} steps; ");
    }
    let longest = "select max(length(extra ->> 'track'))::bigint from raw.exercises where device_id = $1";
    let longest: Option<i64> = warehouse.query_one(longest, &[&device]).await?.get(0);
    if longest != Some(LARGE_BYTES) {
        found += &format!("the longest track has {longest:?} characters");
    }
    Ok(found)
}
