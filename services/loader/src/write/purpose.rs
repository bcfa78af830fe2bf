//! The purpose of a writer: what moves with its rows.

use crate::account::{self, Account};
use crate::backfill::progress::Mark;
use crate::batch::Batch;
use crate::checkpoint::Checkpoint;

/// The purpose of a writer.
pub(crate) enum Purpose {
    /// Follow a collection: position and accounting move with its rows.
    Follow(Checkpoint),
    /// Reload documents whose offsets are accounted for: progress moves with the rows.
    Backfill(Mark),
    /// Reload documents that became dead letters.
    ReplayDeadLetter,
    /// Load the rows of lost offsets, with their accounting.
    LoadOffsets,
}

impl Purpose {
    /// What a batch adds to the log of accounted offsets.
    pub(super) fn accounts(&self, batch: &Batch) -> Vec<Account> {
        let accounts = batch.accounts.iter().cloned();
        account::merge(match self {
            Self::Follow(_) | Self::LoadOffsets => accounts.collect(),
            Self::ReplayDeadLetter => accounts.map(Account::revived).collect(),
            Self::Backfill(_) => Vec::new(),
        })
    }
}
