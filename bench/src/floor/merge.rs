//! Merges prepared rows through a temporary table and ON CONFLICT into hypertables like raw's.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio_postgres::Client;

use super::rows::{self, Row, Table};
use crate::cohort::Cohort;

/// Merges a cohort's readings in order of delivery; returns their number.
pub(crate) async fn merge(client: &Client, cohort: &Cohort) -> Result<(Duration, u64)> {
    rows::drop_tables(client).await?;
    rows::make_tables(client).await?;
    let (took, merged) =
        rows::in_batches(cohort, async |table, rows| batch(client, table, rows).await).await?;
    rows::drop_tables(client).await?;
    Ok((took, merged))
}

async fn batch(client: &Client, table: Table, rows: Vec<Row>) -> Result<Duration> {
    let bytes = rows::binary(table, &rows::distinct(rows));
    let (name, value, columns) = (table.stream, table.value, table.columns());
    let confidence = if table.has_confidence() {
        "confidence = excluded.confidence, "
    } else {
        ""
    };
    let began = Instant::now();
    client
        .batch_execute(&format!(
            "begin; create temporary table incoming (like bench.{name}) on commit drop"
        ))
        .await?;
    rows::copy(client, &format!("pg_temp.incoming ({columns})"), bytes).await?;
    client
        .batch_execute(&format!(
            "insert into bench.{name} as t ({columns}) select {columns} from pg_temp.incoming \
             order by device_id, local_ts, utc_offset_minutes \
             on conflict (device_id, local_ts, utc_offset_minutes) do update set {value} = excluded.{value}, {confidence}\
             synced_at = excluded.synced_at, event_id = excluded.event_id \
             where (excluded.synced_at, excluded.event_id) > (t.synced_at, t.event_id); commit"
        ))
        .await?;
    Ok(began.elapsed())
}
