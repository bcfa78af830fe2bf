//! The rows of a batch, encoded before their transaction begins.

use std::collections::BTreeSet;

use bytes::Bytes;
use pulseline_schemas::Stream;
use pulseline_sql::Transaction;

use super::{Plan, entries, profiles, readings};
use crate::batch::DirtyDay;
use crate::copy::CopyRows;
use crate::document::{MappedEntry, ReadingsUpload, UserRow};
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
    pub(super) fn of(stream: Option<Stream>) -> Self {
        match stream.map(table_mapping) {
            Some(TableMapping::Readings(readings)) => Self::Readings(readings::Statements::of(readings)),
            Some(TableMapping::Entries(entries)) => Self::Entries {
                keys: entries.keys,
                statements: Box::new(entries::Statements::of(entries)),
            },
            Some(TableMapping::Profiles) => Self::Profiles,
            None => Self::None,
        }
    }
}

/// The rows of a batch as mapped.
#[derive(Clone, Copy, Default)]
pub(super) struct BatchRows<'a> {
    pub(super) uploads: &'a [ReadingsUpload],
    pub(super) entries: &'a [MappedEntry],
    pub(super) users: &'a [UserRow],
}

/// What a transaction changes: dirty days, and the number of rows written.
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) days: BTreeSet<DirtyDay>,
    pub(super) rows: u64,
}

impl Touched {
    fn and(mut self, other: Self) -> Self {
        self.days.extend(other.days);
        self.rows += other.rows;
        self
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
}

impl<'a> Pieces<'a> {
    pub(super) fn encode(table: &'a Table, plan: &'a Plan, batch_rows: BatchRows<'a>) -> Self {
        let encoded = |rows: &[_]| match table {
            Table::Readings(statements) if !rows.is_empty() => {
                CopyRows::finish(readings::encode(statements, rows, batch_rows.uploads))
            }
            _ => Bytes::new(),
        };
        let entries = match table {
            Table::Entries { keys, .. } => entries::winners(*keys, batch_rows.entries),
            _ => Vec::new(),
        };
        Self {
            table,
            direct: encoded(&plan.direct),
            direct_rows: &plan.direct,
            merge: encoded(&plan.merge),
            entries,
            users: batch_rows.users,
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
            Table::Profiles if !self.users.is_empty() => profiles::apply(tx, self.users).await,
            Table::Entries { .. } | Table::Profiles | Table::None => Ok(Touched::default()),
        }
    }
}
