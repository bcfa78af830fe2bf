//! The content of one transaction: rows, accounting, dirty days, dead letters, and the position after them.

use pulseline_schemas::Position;
use pulseline_schemas::pages::PagePosition;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use crate::account::{Account, AccountKind};
use crate::dead_letter::{DeadLetter, Stage};
use crate::document::{MappedEntry, Origin, ReadingsUpload, Rows, UserRow};
use crate::map::Mapped;
use crate::resume::ResumePoint;

/// How far a batch moves its collection. Later values replace earlier ones; a missing value replaces none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// Position after the last event.
    pub(crate) position: Option<ResumePoint>,
    /// The server's time of the last event, in UTC milliseconds.
    pub(crate) cluster_time: Option<i64>,
    /// When a poll last found nothing more, in UTC milliseconds.
    pub(crate) caught_up_at: Option<i64>,
    /// The document after which reading a collection, or a range of it, continues.
    pub(crate) page_position: Option<PagePosition>,
}

impl Progress {
    pub(crate) fn follow(&mut self, later: Self) {
        self.position = later.position.or(self.position.take());
        self.cluster_time = later.cluster_time.max(self.cluster_time);
        self.caught_up_at = later.caught_up_at.or(self.caught_up_at);
        self.page_position = later.page_position.or(self.page_position.take());
    }
}

/// A device's day whose aggregates have to be refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DirtyDay {
    pub(crate) device_id: Uuid,
    /// Days since 1970, in the wearer's time.
    pub(crate) local_date: i32,
}

/// Mapped documents that are written together.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) readings: Vec<ReadingsUpload>,
    pub(crate) entries: Vec<MappedEntry>,
    pub(crate) users: Vec<UserRow>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) dead_letters: Vec<DeadLetter>,
    pub(crate) progress: Progress,
    pub(crate) documents: usize,
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
    /// Held until the batch is committed or dropped: permits bound the loader's memory.
    permits: Option<OwnedSemaphorePermit>,
}

impl Batch {
    /// True when a transaction would write only a position.
    pub(crate) fn is_empty(&self) -> bool {
        self.documents == 0
    }

    /// Adds a document of `bytes` bytes.
    pub(crate) fn push(&mut self, mapped: Mapped, bytes: usize, permit: Option<OwnedSemaphorePermit>) {
        self.documents += 1;
        // A dead letter is written like a row.
        self.rows += mapped.rows.count() + mapped.dead_letters.len();
        let own = mapped
            .dead_letters
            .iter()
            .filter(|dead_letter| dead_letter.stage == Stage::New);
        self.bytes += bytes + own.map(DeadLetter::bytes).sum::<usize>();
        match mapped.rows {
            Rows::Nothing => {}
            Rows::Readings(upload) => self.readings.push(upload),
            Rows::Entries(entries) => self.entries.extend(entries),
            Rows::User(user) => self.users.push(*user),
        }
        self.accounts.extend(mapped.account);
        self.dead_letters.extend(mapped.dead_letters);
        match (&mut self.permits, permit) {
            (Some(permit), Some(more)) => permit.merge(more),
            (permit @ None, more) => *permit = more,
            (Some(_), None) => {}
        }
    }

    /// Changes an upload's offset from `loaded` to `dead`: the warehouse refused it as a whole.
    pub(crate) fn mark_dead(&mut self, origin: &Origin) {
        if let Some(position) = &origin.position {
            self.mark(position, AccountKind::Dead);
        }
    }

    /// Records another fate for the offset of an upload or a dead letter.
    pub(crate) fn mark(&mut self, position: &Position, kind: AccountKind) {
        for account in &mut self.accounts {
            if account.is_of(position) && matches!(account.kind, AccountKind::Loaded | AccountKind::Dead) {
                account.kind = kind;
            }
        }
    }
}
