//! COPY of prepared rows into hypertables like raw's.

use std::time::{Duration, Instant};

use anyhow::Result;
use tokio_postgres::Client;

use super::rows::{self, Row, Table};
use crate::cohort::Cohort;

/// Copies a cohort's readings in order of delivery.
pub(crate) async fn copy(client: &Client, cohort: &Cohort) -> Result<Duration> {
    rows::drop_tables(client).await?;
    rows::make_tables(client).await?;
    let (took, _) = rows::in_batches(cohort, async |table, rows| batch(client, table, rows).await).await?;
    rows::drop_tables(client).await?;
    Ok(took)
}

async fn batch(client: &Client, table: Table, rows: Vec<Row>) -> Result<Duration> {
    let bytes = rows::binary(table, &rows::distinct(rows));
    let target = format!("bench.{} ({})", table.stream, table.columns());
    let began = Instant::now();
    rows::copy(client, &target, bytes).await?;
    Ok(began.elapsed())
}
