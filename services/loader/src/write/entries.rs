//! Writes days and sessions: an upload replaces the whole row, unless the stored row is newer.

use std::collections::{BTreeMap, BTreeSet};
use std::iter;

use pulseline_sql::{GenericClient, Transaction};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::copying::{Incoming, copy};
use super::rows::Touched;
use crate::batch::DirtyDay;
use crate::copy::CopyRows;
use crate::document::{Cell, MappedEntry};
use crate::error::LoaderError;
use crate::map::column::{Column, ColumnKind};
use crate::map::entries::{Children, Entries};

/// The statements of one stream's table.
#[derive(Debug)]
pub(crate) struct Statements {
    incoming: Incoming,
    /// Where the rows are now: an edited session may move in time, and its old days have to be refreshed too.
    old_days: String,
    children: Option<ChildStatements>,
    columns: usize,
}

#[derive(Debug)]
struct ChildStatements {
    create: String,
    copy: String,
    delete: String,
    insert: String,
    columns: usize,
}

impl Statements {
    pub(crate) fn of(entries: &Entries) -> Self {
        let names = entries.columns.iter().map(|column| column.name);
        let columns: Vec<&str> = iter::once("device_id")
            .chain(names)
            .chain(["synced_at", "event_id"])
            .collect();
        let (table, keys) = (entries.table, entries.keys + 1);
        Self {
            incoming: Incoming::new(table, "incoming", &columns, keys),
            old_days: old_days(table, entries.columns, &columns[..keys].join(", ")),
            children: entries.children.as_ref().map(ChildStatements::of),
            columns: columns.len(),
        }
    }
}

/// First and last day of each existing row.
fn old_days(table: &str, columns: &[Column], key: &str) -> String {
    let days: Vec<String> = columns
        .iter()
        .filter(|column| matches!(column.kind, ColumnKind::Day | ColumnKind::Wall))
        .map(|column| format!("t.{}::date", column.name))
        .collect();
    let days = days.join(", ");
    format!(
        "select t.device_id, least({days}) - date '1970-01-01', greatest({days}) - date '1970-01-01' \
         from {table} t join pg_temp.incoming i using ({key})"
    )
}

impl ChildStatements {
    fn of(children: &Children) -> Self {
        let names: Vec<&str> = children.columns.iter().map(|column| column.name).collect();
        let table = children.table;
        let columns = format!("device_id, log_id, source, seq, {}", names.join(", "));
        let written = "unnest($1::uuid[], $2::bigint[]) as w(device_id, log_id)";
        Self {
            create: format!("create temporary table incoming_children (like {table}) on commit drop"),
            copy: format!("copy pg_temp.incoming_children ({columns}) from stdin (format binary)"),
            delete: format!(
                "delete from {table} l using {written} where l.device_id = w.device_id and l.log_id = w.log_id"
            ),
            insert: format!(
                "insert into {table} ({columns}) select {columns} from pg_temp.incoming_children \
                 join {written} using (device_id, log_id) order by device_id, log_id, source, seq"
            ),
            columns: names.len() + 4,
        }
    }
}

/// The winner of each key, sorted by key.
pub(super) fn winners(keys: usize, entries: &[MappedEntry]) -> Vec<&MappedEntry> {
    let mut winners: BTreeMap<String, &MappedEntry> = BTreeMap::new();
    for entry in entries {
        // Only equality matters here: the writing statement sorts by the columns themselves.
        let key = format!("{} {:?}", entry.device_id, &entry.cells[..keys]);
        let winner = winners.entry(key).or_insert(entry);
        if entry.version() >= winner.version() {
            *winner = entry;
        }
    }
    winners.into_values().collect()
}

/// Writes rows with the rows that belong to them. The days they lay on before change too.
pub(super) async fn apply(
    tx: &Transaction<'_>,
    statements: &Statements,
    entries: &[&MappedEntry],
) -> Result<Touched, LoaderError> {
    let incoming = &statements.incoming;
    tx.batch_execute(&incoming.create)
        .await
        .map_err(LoaderError::statement("making room for rows"))?;
    let rows = encode(statements.columns, entries).finish();
    copy(tx, &incoming.copy, rows, "copying rows").await?;
    let mut days: BTreeSet<DirtyDay> = old(tx, &statements.old_days).await?.into_iter().collect();
    days.extend(entries.iter().flat_map(|entry| days_of(entry)));
    let written = tx
        .query(&incoming.upsert, &[])
        .await
        .map_err(LoaderError::statement("writing rows"))?;
    if let Some(children) = &statements.children {
        replace(tx, children, entries, &written).await?;
    }
    Ok(Touched {
        days,
        rows: written.len() as u64,
    })
}

fn days_of(entry: &MappedEntry) -> impl Iterator<Item = DirtyDay> {
    let device_id = entry.device_id;
    let on = entry.days().map_or(0..0, |(first, last)| first..last + 1);
    on.map(move |local_date| DirtyDay {
        device_id,
        local_date,
    })
}

/// Replaces the rows that belong to the written sessions.
async fn replace(
    tx: &Transaction<'_>,
    statements: &ChildStatements,
    entries: &[&MappedEntry],
    written: &[Row],
) -> Result<(), LoaderError> {
    let devices: Vec<Uuid> = written.iter().map(|row| row.get(0)).collect();
    let log_ids: Vec<i64> = written.iter().map(|row| row.get(1)).collect();
    if devices.is_empty() {
        return Ok(());
    }
    let keys: [&(dyn ToSql + Sync); 2] = [&devices, &log_ids];
    tx.execute(&statements.delete, &keys)
        .await
        .map_err(LoaderError::statement("replacing the rows of sessions"))?;
    let rows = encode_children(statements.columns, entries);
    if rows.is_empty() {
        return Ok(());
    }
    tx.batch_execute(&statements.create)
        .await
        .map_err(LoaderError::statement("making room for the rows of sessions"))?;
    copy(
        tx,
        &statements.copy,
        rows.finish(),
        "copying the rows of sessions",
    )
    .await?;
    tx.execute(&statements.insert, &keys)
        .await
        .map_err(LoaderError::statement("writing the rows of sessions"))?;
    Ok(())
}

async fn old(tx: &Transaction<'_>, statement: &str) -> Result<Vec<DirtyDay>, LoaderError> {
    let rows = tx
        .query(statement, &[])
        .await
        .map_err(LoaderError::statement("reading the old days of rows"))?;
    let days = rows.iter().flat_map(|row| {
        let (device_id, first, last): (_, i32, i32) = (row.get(0), row.get(1), row.get(2));
        (first..=last).map(move |local_date| DirtyDay {
            device_id,
            local_date,
        })
    });
    Ok(days.collect())
}

fn encode(columns: usize, entries: &[&MappedEntry]) -> CopyRows {
    let mut copy = CopyRows::with_capacity(entries.len(), 256);
    for entry in entries {
        copy.row(width(columns)).uuid(entry.device_id);
        copy.cells(&entry.cells)
            .millis(entry.synced_at)
            .uuid(entry.event_id);
    }
    copy
}

fn encode_children(columns: usize, entries: &[&MappedEntry]) -> CopyRows {
    let rows = entries.iter().map(|entry| entry.children.len()).sum();
    let mut copy = CopyRows::with_capacity(rows, 88);
    for entry in entries {
        // The key of a session is its device and its log_id, which is its first column.
        let Some(log_id) = entry.cells.first() else {
            continue;
        };
        for (source, seq, cells) in &entry.children {
            copy.row(width(columns)).uuid(entry.device_id);
            copy.cells(std::slice::from_ref(log_id)).text(source).int4(*seq);
            copy.cells(cells);
        }
    }
    copy
}

/// No table has more columns than the format's 16 bits count.
fn width(columns: usize) -> i16 {
    i16::try_from(columns).unwrap_or(i16::MAX)
}

impl CopyRows {
    fn cells(&mut self, cells: &[Cell]) -> &mut Self {
        for cell in cells {
            match cell {
                Cell::Null => self.null(),
                Cell::Int2(value) => self.int2(*value),
                Cell::Int4(value) => self.int4(*value),
                Cell::Int8(value) => self.int8(*value),
                Cell::Float8(value) => self.float8(*value),
                Cell::Flag(value) => self.boolean(*value),
                Cell::Text(value) => self.text(value),
                Cell::Day(value) => self.date(*value),
                Cell::Millis(value) => self.millis(*value),
                Cell::Json(value) => self.jsonb(value),
            };
        }
        self
    }
}
