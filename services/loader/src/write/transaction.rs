//! The rows of a batch, encoded before their transaction begins.

use bytes::Bytes;
use pulseline_sql::Transaction;
use pulseline_tombstones::Days;
use uuid::Uuid;

use super::rows::{BatchRows, Touched};
use super::{entries, profiles, readings};
use crate::copy::CopyRows;
use crate::document::{MappedEntry, SourceCollection, UserRow};
use crate::error::LoaderError;
use crate::map::{TableMapping, table_mapping};
use crate::resolve::Row;

/// The table of a collection's rows, with its statements.
#[derive(Debug)]
pub(super) enum Table {
    Readings(readings::Statements),
    Entries {
        keys: usize,
        statements: Box<entries::Statements>,
    },
    Profiles,
    /// Receipts and dead letters have no rows in raw.
    None,
}

impl Table {
    pub(super) fn of(source: SourceCollection) -> Self {
        let SourceCollection::Stream(stream) = source else {
            return Self::None;
        };
        match table_mapping(stream) {
            TableMapping::Readings(readings) => Self::Readings(readings::Statements::of(readings)),
            TableMapping::Entries(entries) => Self::Entries {
                keys: entries.keys,
                statements: Box::new(entries::Statements::of(entries)),
            },
            TableMapping::Profiles => Self::Profiles,
        }
    }
}

/// What one transaction writes to raw.
pub(super) struct Pieces<'a> {
    table: &'a Table,
    direct: Bytes,
    direct_rows: &'a [Row],
    merge: Bytes,
    entries: Vec<&'a MappedEntry>,
    users: &'a [UserRow],
    erased: &'a [(Uuid, Days)],
}

impl<'a> Pieces<'a> {
    pub(super) fn encode(table: &'a Table, rows: BatchRows<'a>) -> Self {
        let encoded = |readings: &[_]| match table {
            Table::Readings(statements) if !readings.is_empty() => {
                CopyRows::finish(readings::encode(statements, readings, rows.uploads))
            }
            _ => Bytes::new(),
        };
        let entries = match table {
            Table::Entries { keys, .. } => entries::winners(*keys, rows.entries),
            _ => Vec::new(),
        };
        Self {
            table,
            direct: encoded(rows.direct),
            direct_rows: rows.direct,
            merge: encoded(rows.merge),
            entries,
            users: rows.users,
            erased: rows.erased,
        }
    }

    /// Writes everything; returns what changed.
    pub(super) async fn apply(&self, tx: &Transaction<'_>) -> Result<Touched, LoaderError> {
        match self.table {
            Table::Readings(statements) => {
                let mut touched = Touched::default();
                if !self.direct.is_empty() {
                    readings::direct(tx, statements, self.direct.clone()).await?;
                    touched = readings::all_of(self.direct_rows);
                }
                if !self.merge.is_empty() {
                    touched = touched.and(readings::merge(tx, statements, self.merge.clone()).await?);
                }
                Ok(touched)
            }
            Table::Entries { statements, .. } if !self.entries.is_empty() => {
                entries::apply(tx, statements, &self.entries).await
            }
            Table::Profiles if !self.users.is_empty() => profiles::apply(tx, self.users, self.erased).await,
            Table::Entries { .. } | Table::Profiles | Table::None => Ok(Touched::default()),
        }
    }
}
