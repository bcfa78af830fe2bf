//! What a writer asks of its stores: the seam between its decisions and the servers.

use futures_util::future::BoxFuture;
use pulseline_sql::forgotten::Forgotten;
use pulseline_sql::write_guard::WriteGuard;
use pulseline_tombstones::Key;
use uuid::Uuid;

use super::erase::Erased;
use super::purpose::Purpose;
use super::rows::BatchRows;
use crate::account::Account;
use crate::batch::{Batch, Progress};
use crate::checkpoint::Checkpoint;
use crate::dead_letter::DeadLetter;
use crate::error::LoaderError;

/// An answer of a store.
pub(crate) type Answer<'a, T> = BoxFuture<'a, Result<T, LoaderError>>;

/// Devices, each with its newest loaded reading in milliseconds of its wall clock; none before its first.
pub(crate) type Newest = Vec<(Uuid, Option<i64>)>;

/// What one transaction writes, all or nothing.
#[derive(Clone, Copy)]
pub(crate) struct Work<'a> {
    /// The readings that win, and all other rows of the batch.
    pub(super) rows: BatchRows<'a>,
    /// Dead letters, accounts and position.
    pub(super) batch: &'a Batch,
    pub(super) purpose: &'a Purpose,
    /// The state for which the batch was filtered; none for rows that belong to no person.
    pub(super) guard: Option<WriteGuard>,
    /// Packed rows are decompressed without a limit.
    pub(super) unpacks: bool,
}

impl Work<'_> {
    /// What it adds to the log of accounted offsets.
    pub(super) fn accounts(&self) -> Vec<Account> {
        self.purpose.accounts(self.batch)
    }
}

/// The warehouse, as the writer of one collection uses it.
pub(crate) trait Warehouse: Send + Sync {
    /// The newest loaded reading of each device.
    fn newest<'a>(&'a mut self, devices: &'a [Uuid]) -> Answer<'a, Newest>;

    /// The newest loaded reading of each device that is not after an instant.
    fn newest_until<'a>(&'a mut self, ends: &'a [(Uuid, i64)]) -> Answer<'a, Newest>;

    /// Writes in one transaction; returns the number of rows written. When the connection is lost the outcome may be
    /// unknown: the checkpoint shows it.
    fn write<'a>(&'a mut self, work: Work<'a>) -> Answer<'a, u64>;

    /// Writes rows, merging every reading, and rolls back: shows whether the server accepts them.
    fn probe<'a>(&'a mut self, rows: BatchRows<'a>) -> Answer<'a, ()>;

    /// Moves a position when there is nothing to write with it.
    fn save<'a>(&'a mut self, checkpoint: &'a Checkpoint, progress: &'a Progress) -> Answer<'a, ()>;

    /// The hashes of erased people, and the erased days of devices.
    fn forgotten(&mut self) -> Answer<'_, Forgotten>;
}

/// MongoDB, as far as a writer uses it: the collection of dead letters, and what stands beside it.
pub(crate) trait DeadLetterStore: Send + Sync {
    /// Stores dead letters; existing ones stay as they are.
    fn store<'a>(&'a self, dead_letters: &'a [&'a DeadLetter]) -> Answer<'a, ()>;

    /// Deletes dead letters of erased people. Where no other document stands at their offset, a receipt is written first
    /// (P13).
    fn delete<'a>(&'a self, erased: &'a Erased) -> Answer<'a, ()>;

    /// The key of the erased people's hashes.
    fn erasure_key(&self) -> Answer<'_, Option<Key>>;
}
