//! A document on its way to the warehouse: where it comes from, which rows it holds, and why it may be refused.

use std::sync::Arc;

use pulseline_schemas::{Position, Stream, collections};
use uuid::Uuid;

use crate::account::{Account, AccountKind};

pub(crate) const DAY_MILLIS: i64 = 86_400_000;

/// The local day of a wall-clock time, as days since 1970.
pub(crate) fn day_of(local_millis: i64) -> i32 {
    // The guards have bounded it to a few thousand years.
    i32::try_from(local_millis.div_euclid(DAY_MILLIS)).unwrap_or(i32::MAX)
}

/// Collections that are loaded, each by its own writer with its own checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SourceCollection {
    /// Uploads of one stream.
    Stream(Stream),
    /// Offsets without a new event.
    Receipts,
    /// Data that the generator, the sink or the loader could not process.
    DeadLetters,
}

impl SourceCollection {
    /// Every collection.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let streams = Stream::ALL.into_iter().map(Self::Stream);
        streams.chain([Self::Receipts, Self::DeadLetters])
    }

    /// Name of the collection.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stream(stream) => stream.collection(),
            Self::Receipts => collections::RECEIPTS,
            Self::DeadLetters => collections::DEAD_LETTERS,
        }
    }
}

/// The origin of rows: enough to make a dead letter of them later.
#[derive(Debug, PartialEq)]
pub(crate) struct Origin {
    pub(crate) source: SourceCollection,
    pub(crate) id: String,
    pub(crate) position: Option<Position>,
    /// Key of the Kafka message: the device's or the user's id.
    pub(crate) key: Option<Vec<u8>>,
    /// The document, where it is small enough to keep beside its row.
    pub(crate) document: Option<Vec<u8>>,
}

impl Origin {
    /// This fate for the document's offset, where it has one.
    pub(crate) fn account(&self, kind: AccountKind) -> Option<Account> {
        self.position
            .as_ref()
            .map(|position| Account::one(position, kind))
    }
}

const OUT_OF_RANGE: &str = "out_of_range";

/// Why a document cannot be loaded.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) reason: &'static str,
    pub(crate) detail: String,
}

impl Refusal {
    /// True when a value is impossible, false when the document is malformed.
    pub(crate) fn is_of_value(&self) -> bool {
        self.reason == OUT_OF_RANGE
    }

    pub(crate) fn unmappable(detail: impl Into<String>) -> Self {
        Self {
            reason: "unmappable",
            detail: detail.into(),
        }
    }

    pub(crate) fn out_of_range(detail: impl Into<String>) -> Self {
        Self {
            reason: OUT_OF_RANGE,
            detail: detail.into(),
        }
    }
}

/// The content of a document.
#[derive(Debug, PartialEq)]
pub(crate) enum Rows {
    /// Nothing to load.
    Nothing,
    /// Readings of one upload.
    Readings(ReadingsUpload),
    /// Days or sessions.
    Entries(Vec<MappedEntry>),
    /// A version of a profile.
    User(Box<UserRow>),
}

impl Rows {
    /// How many rows it counts for in a batch.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Nothing => 1,
            Self::Readings(upload) => upload.readings.len().max(1),
            Self::Entries(entries) => entries.iter().map(|entry| 1 + entry.children.len()).sum(),
            Self::User(user) => 1 + user.devices.len(),
        }
    }
}

/// One reading, in the types of its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Wall clock, in milliseconds as if it were UTC.
    pub(crate) local_ts: i64,
    /// Its index in the document's array: the last one wins a tie.
    pub(crate) item: u32,
    /// In the stream's unit.
    pub(crate) value: i32,
    /// Confidence, where the stream and the source have one.
    pub(crate) confidence: Option<i16>,
}

/// The readings of one upload that are inside the guards.
#[derive(Debug, PartialEq)]
pub(crate) struct ReadingsUpload {
    pub(crate) device_id: Uuid,
    pub(crate) event_id: Uuid,
    pub(crate) synced_at: i64,
    pub(crate) utc_offset_minutes: i16,
    pub(crate) readings: Vec<Reading>,
    pub(crate) origin: Arc<Origin>,
}

/// A value for a column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    Null,
    Int2(i16),
    Int4(i32),
    Int8(i64),
    Float8(f64),
    Flag(bool),
    Text(String),
    Day(i32),
    Millis(i64),
    Json(String),
}

impl Cell {
    pub(crate) fn number(&self) -> Option<f64> {
        match *self {
            Self::Int2(value) => Some(value.into()),
            Self::Int4(value) => Some(value.into()),
            #[allow(clippy::cast_precision_loss, reason = "compared with a limit far below 2^53")]
            Self::Int8(value) => Some(value as f64),
            Self::Float8(value) => Some(value),
            Self::Null | Self::Flag(_) | Self::Text(_) | Self::Day(_) | Self::Millis(_) | Self::Json(_) => {
                None
            }
        }
    }

    /// The day of a time, as days since 1970; none for other cells.
    pub(crate) fn day(&self) -> Option<i32> {
        match *self {
            Self::Day(day) => Some(day),
            Self::Millis(millis) => Some(day_of(millis)),
            _ => None,
        }
    }
}

/// A row that belongs to a session: its list, its place there, its cells.
pub(crate) type Child = (&'static str, i32, Vec<Cell>);

/// A day or a session, with the rows that belong to it.
#[derive(Debug, PartialEq)]
pub(crate) struct MappedEntry {
    pub(crate) device_id: Uuid,
    pub(crate) event_id: Uuid,
    pub(crate) synced_at: i64,
    /// Index of its sample, -1 for a whole upload.
    pub(crate) item: i32,
    pub(crate) cells: Vec<Cell>,
    pub(crate) children: Vec<Child>,
    pub(crate) origin: Arc<Origin>,
}

impl MappedEntry {
    /// First and last day that the row touches.
    pub(crate) fn days(&self) -> Option<(i32, i32)> {
        let days = || self.cells.iter().filter_map(Cell::day);
        Some((days().min()?, days().max()?))
    }

    /// The version: later ones win.
    pub(crate) fn version(&self) -> (i64, Uuid, i32) {
        (self.synced_at, self.event_id, self.item)
    }
}

/// One version of a profile, as wide as its columns.
#[derive(Debug, PartialEq)]
pub(crate) struct UserRow {
    pub(crate) user_id: Uuid,
    pub(crate) event_id: Uuid,
    pub(crate) synced_at: i64,
    pub(crate) created_at: i64,
    pub(crate) email: Option<String>,
    pub(crate) date_of_birth: Option<i32>,
    pub(crate) gender: Option<String>,
    pub(crate) height_cm: Option<i16>,
    pub(crate) max_heart_rate: Option<i16>,
    pub(crate) zone: Option<String>,
    pub(crate) extra: Option<String>,
    pub(crate) devices: Vec<Uuid>,
    pub(crate) origin: Arc<Origin>,
}
