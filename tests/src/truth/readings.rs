//! The tables of readings by minute and second.

use std::collections::HashMap;

use anyhow::Result;
use pulseline_schemas::{LocalMillis, UtcMillis};
use pulseline_sql::{Client, GenericClient};
use tokio_postgres::Row;

use super::findings::Findings;
use crate::oracle::{Oracle, ReadingKey, Version};

/// A row behind its key: value, confidence, version.
type Reading = (i32, Option<i32>, Version);

pub(super) async fn compare(warehouse: &Client, oracle: &Oracle, findings: &mut Findings) -> Result<()> {
    let heart_rates = oracle.heart_rates.iter();
    let heart_rates = heart_rates.map(|(key, row)| (*key, (row.bpm, row.confidence, row.version)));
    let steps = oracle.steps.iter();
    let steps = steps.map(|(key, row)| (*key, (row.steps, None, row.version)));
    let distances = oracle.distances.iter();
    let distances = distances.map(|(key, row)| (*key, (row.distance_mm, None, row.version)));
    let calories = oracle.calories.iter();
    let calories = calories.map(|(key, row)| (*key, (row.millikcal, None, row.version)));
    let found = table(warehouse, "heart_rates", "bpm", "confidence").await?;
    findings.compare("heart rate", heart_rates, found);
    let found = table(warehouse, "steps", "steps", "null::int").await?;
    findings.compare("steps", steps, found);
    let found = table(warehouse, "distances", "distance_mm", "null::int").await?;
    findings.compare("distance", distances, found);
    let found = table(warehouse, "calories", "millikcal", "null::int").await?;
    findings.compare("calories", calories, found);
    Ok(())
}

async fn table(
    warehouse: &Client,
    table: &str,
    value: &str,
    confidence: &str,
) -> Result<HashMap<ReadingKey, Reading>> {
    let sql = format!(
        "select device_id, (extract(epoch from local_ts) * 1000)::bigint, utc_offset_minutes::int, {value}::int, \
         {confidence}::int, (extract(epoch from synced_at) * 1000)::bigint, event_id from raw.{table}"
    );
    Ok(warehouse.query(&sql, &[]).await?.iter().map(reading).collect())
}

fn reading(row: &Row) -> (ReadingKey, Reading) {
    let key = ReadingKey {
        device_id: row.get(0),
        local_ts: LocalMillis(row.get(1)),
        utc_offset_minutes: row.get(2),
    };
    let version = Version {
        synced_at: UtcMillis(row.get(5)),
        event_id: row.get(6),
    };
    (key, (row.get(3), row.get(4), version))
}
