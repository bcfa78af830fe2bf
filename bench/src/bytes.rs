//! The size of packed heart rates, by columnstore settings and by column.

mod layouts;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context, Result};
use pulseline_schemas::Stream;
use pulseline_tests::World;
use serde::Serialize;
use tokio_postgres::Client;

use crate::case::Case;
use crate::cohort::Cohort;
use crate::floor::rows::{self, BATCH, Table};
use layouts::{LAYOUTS, Layout};

/// The size of one layout, in bytes per reading.
#[derive(Debug, Serialize)]
pub(crate) struct Taken {
    layout: &'static str,
    /// Before packing, with its index.
    rows: f64,
    /// Packed, with index and everything.
    packed: f64,
    /// Packed values alone, by column.
    columns: BTreeMap<String, f64>,
}

/// Packs a cohort's heart rates in every layout.
pub(crate) async fn measure(case: &Case) -> Result<Vec<Taken>> {
    let world = World::start_warm("bench").await?;
    let client = world.warehouse().await?.into_bare();
    let readings = fill(&client, &Cohort::punctual(case)).await?;
    eprintln!("{readings} heart rates in uploads of 15 minutes");
    let mut all = Vec::new();
    for layout in &LAYOUTS {
        eprintln!("  {}", layout.name);
        let taken = pack(&client, layout, readings as f64).await;
        all.push(taken.context(layout.name)?);
    }
    drop(client);
    world.stop().await?;
    Ok(all)
}

/// All heart rates of a cohort, in one plain table.
async fn fill(client: &Client, cohort: &Cohort) -> Result<u64> {
    client
        .batch_execute("create schema bench; create table bench.readings (like raw.heart_rates)")
        .await?;
    let table = Table::of(Stream::HeartRates).context("heart rates have no table")?;
    let target = format!("bench.readings ({})", table.columns());
    let (mut filling, mut filled) = (Vec::new(), 0);
    let mut events = cohort.events()?.peekable();
    while let Some(event) = events.next() {
        if event.stream() == table.stream {
            filling.extend(rows::of_event(&event).into_iter().flat_map(|(_, rows)| rows));
        }
        if filling.len() >= BATCH || events.peek().is_none() {
            let rows = rows::distinct(std::mem::take(&mut filling));
            filled += rows.len() as u64;
            rows::copy(client, &target, rows::binary(table, &rows)).await?;
        }
    }
    Ok(filled)
}

async fn pack(client: &Client, layout: &Layout, readings: f64) -> Result<Taken> {
    client.batch_execute(&layout.make()).await?;
    let rows = number(client, "select hypertable_size('bench.packed')").await? / readings;
    let chunks = client
        .query(
            "select format('%I.%I', chunk_schema, chunk_name) from timescaledb_information.chunks \
            where hypertable_schema = 'bench' and hypertable_name = 'packed'",
            &[],
        )
        .await?;
    for chunk in &chunks {
        let call = format!("call convert_to_columnstore('{}')", chunk.get::<_, String>(0));
        client.batch_execute(&call).await?;
    }
    let packed = number(
        client,
        "select sum(after_compression_total_bytes)::int8 from chunk_columnstore_stats('bench.packed')",
    );
    let packed = packed.await? / readings;
    let columns = columns(client, readings).await?;
    client.batch_execute("drop table bench.packed").await?;
    Ok(Taken {
        layout: layout.name,
        rows,
        packed,
        columns,
    })
}

/// Bytes of each column's packed values; the metadata of a batch (counts, minima, maxima) counts as one column.
async fn columns(client: &Client, readings: f64) -> Result<BTreeMap<String, f64>> {
    let found = client
        .query(
            "select format('%I.%I', k.schema_name, k.table_name), a.attname::text \
             from _timescaledb_catalog.hypertable h \
             join _timescaledb_catalog.chunk c on c.hypertable_id = h.id \
             join _timescaledb_catalog.chunk k on k.id = c.compressed_chunk_id \
             join pg_attribute a on a.attrelid = format('%I.%I', k.schema_name, k.table_name)::regclass and a.attnum > 0 \
                 and not a.attisdropped \
             where h.schema_name = 'bench' and h.table_name = 'packed'",
            &[],
        )
        .await?;
    let mut columns = BTreeMap::new();
    for row in &found {
        let (chunk, column): (String, String) = (row.get(0), row.get(1));
        let sum = format!("select coalesce(sum(pg_column_size(\"{column}\")), 0)::int8 from {chunk}");
        let name = if column.starts_with("_ts_meta") {
            "(of batches)"
        } else {
            &column
        };
        *columns.entry(name.to_owned()).or_default() += number(client, &sum).await? / readings;
    }
    Ok(columns)
}

async fn number(client: &Client, sql: &str) -> Result<f64> {
    let row = client.query_one(sql, &[]).await.with_context(|| sql.to_owned())?;
    Ok(row.get::<_, i64>(0) as f64)
}

/// Formats the result as text.
pub(crate) fn table(all: &[Taken]) -> String {
    let mut text = "Bytes a reading of packed heart rates, uploads of 15 minutes\n\n\
        | layout | as rows | packed | of it values, by column |\n|---|---|---|---|\n"
        .to_owned();
    for taken in all {
        let mut columns: Vec<_> = taken.columns.iter().collect();
        columns.sort_by(|left, right| right.1.total_cmp(left.1));
        let columns: Vec<_> = columns
            .iter()
            .map(|(name, bytes)| format!("{name} {bytes:.2}"))
            .collect();
        let _written = writeln!(
            text,
            "| {} | {:.1} | {:.2} | {} |",
            taken.layout,
            taken.rows,
            taken.packed,
            columns.join(", ")
        );
    }
    text
}
