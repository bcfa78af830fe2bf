//! The rows of a batch, encoded before their transaction begins.

use bytes::Bytes;
use tokio_postgres::Transaction;

use super::readings::{self, Table};
use super::{Plan, profiles, sessions};
use crate::batch::DirtyDay;
use crate::copy::CopyRows;
use crate::error::LoaderError;
use crate::map::{ReadingsUpload, SleepRow, UserRow};

/// What one transaction puts into raw.
pub(super) struct Pieces<'a> {
    table: Option<&'static Table>,
    direct: Bytes,
    merge: Bytes,
    sleeps: &'a [&'a SleepRow],
    users: &'a [&'a UserRow],
}

impl<'a> Pieces<'a> {
    pub(super) fn encode(
        table: Option<&'static Table>,
        plan: &Plan,
        uploads: &[ReadingsUpload],
        sleeps: &'a [&'a SleepRow],
        users: &'a [&'a UserRow],
    ) -> Self {
        let encoded = |rows: &[_]| match table {
            Some(table) if !rows.is_empty() => CopyRows::finish(readings::encode(table, rows, uploads)),
            _ => Bytes::new(),
        };
        Self {
            table,
            direct: encoded(&plan.direct),
            merge: encoded(&plan.merge),
            sleeps,
            users,
        }
    }

    /// Writes everything; gives the days that sessions lay on before.
    pub(super) async fn apply(&self, tx: &Transaction<'_>) -> Result<Vec<DirtyDay>, LoaderError> {
        if let Some(table) = self.table {
            if !self.direct.is_empty() {
                readings::direct(tx, table, self.direct.clone()).await?;
            }
            if !self.merge.is_empty() {
                readings::merge(tx, table, self.merge.clone()).await?;
            }
        }
        if !self.users.is_empty() {
            profiles::apply(tx, self.users).await?;
        }
        if self.sleeps.is_empty() {
            return Ok(Vec::new());
        }
        sessions::apply(tx, self.sleeps).await
    }
}
