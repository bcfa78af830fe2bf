//! Compares the expected fate of a cohort's messages with the actual one: the oracle reads the plan, never a store.

use pulseline_sql::GenericClient;
use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, Result};
use bson::{Document, doc};
use futures_util::TryStreamExt;
use pulseline_generator::{SimulateConfig, plan};
use pulseline_schemas::{Stream, UtcMillis, collections};
use uuid::Uuid;

use crate::oracle::Oracle;
use crate::world::World;

mod findings;
mod readings;
mod whole;

pub use findings::Findings;

/// The expected fate of a cohort's deliveries.
///
/// # Errors
/// An invalid configuration.
pub fn oracle(config: &SimulateConfig) -> Result<Oracle> {
    Ok(Oracle::of(
        plan(config, UtcMillis(0)).map_err(anyhow::Error::msg)?,
    ))
}

/// Compares documents, receipts, rows and dead letters with the oracle.
///
/// # Errors
/// An unreachable store.
pub async fn compare(world: &World, oracle: &Oracle) -> Result<Findings> {
    let mut findings = Findings::default();
    stored(world, oracle, &mut findings).await?;
    let warehouse = world.warehouse().await?;
    readings::compare(&warehouse, oracle, &mut findings).await?;
    whole::compare(&warehouse, oracle, &mut findings).await?;
    ops_tables(world, oracle, &mut findings).await?;
    Ok(findings)
}

/// One document per event, one receipt per repeated message.
async fn stored(world: &World, oracle: &Oracle, findings: &mut Findings) -> Result<()> {
    let database = world.documents().await?;
    for stream in Stream::ALL {
        let collection = database.collection::<Document>(stream.collection());
        let ids = collection.find(doc! {}).projection(doc! { "_id": 1 }).await?;
        let ids: Vec<Document> = ids.try_collect().await?;
        let found = ids
            .iter()
            .map(|id| Ok((id.get_str("_id")?.parse()?, ())))
            .collect::<Result<_>>()?;
        let none = HashSet::new();
        let expected = oracle
            .events
            .get(&stream)
            .unwrap_or(&none)
            .iter()
            .map(|id| (*id, ()));
        findings.compare::<Uuid, ()>(&format!("document of {stream}"), expected, found);
    }
    let receipts = database.collection::<Document>(collections::RECEIPTS);
    let found = receipts.count_documents(doc! { "kind": "duplicate" }).await?;
    let expected: u64 = oracle.duplicates.values().sum();
    findings.compare("receipts", [((), expected)], HashMap::from([((), found)]));
    Ok(())
}

/// Every offset counts once, by its kind.
async fn ops_tables(world: &World, oracle: &Oracle, findings: &mut Findings) -> Result<()> {
    let status = world.status().await;
    for stream in Stream::ALL {
        let flow = status.flows.iter().find(|flow| flow.topic == stream.topic());
        let flow = flow.with_context(|| format!("no flow of {stream}"))?;
        let of = |counts: &HashMap<Stream, u64>| counts.get(&stream).copied().unwrap_or_default();
        let expected = [
            of(&oracle.issued),
            oracle.loaded_messages(stream),
            of(&oracle.duplicates),
            of(&oracle.dead_messages),
        ];
        let found = [flow.produced, flow.loaded, flow.duplicate, flow.dead].map(i64::unsigned_abs);
        let what = format!("produced, loaded, duplicate, dead messages of {stream}");
        findings.compare(&what, [((), expected)], HashMap::from([((), found)]));
    }
    let warehouse = world.warehouse().await?;
    let dead_letters = "select stream, count(*) from ops.dead_letters group by stream";
    let rows = warehouse.query(dead_letters, &[]).await?;
    let found = rows
        .iter()
        .map(|row| (row.get::<_, Option<String>>(0).unwrap_or_default(), row.get(1)));
    let mut expected: BTreeMap<String, i64> = BTreeMap::new();
    for (stream, _) in &oracle.dead {
        *expected.entry(stream.name().to_owned()).or_default() += 1;
    }
    findings.compare("dead letters", expected, found.collect());
    Ok(())
}
