//! From documents to rows: pure, strict, nothing is dropped without a letter.

pub(crate) mod fields;
pub(crate) mod guard;
mod heart_rates;
mod letters;
mod readings;
mod receipts;
mod sleeps;
mod steps;
mod users;

use std::sync::Arc;

use bson::RawDocument;
use pulseline_schemas::{Position, Stream, collections};

pub(crate) use readings::{Reading, ReadingsUpload};
pub(crate) use sleeps::SleepRow;
pub(crate) use users::UserRow;

use crate::account::{Account, Kind};
use crate::letter::Letter;
use fields::Fields;

/// Collections that are loaded, each by its own task with its own checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// Uploads of one stream.
    Stream(Stream),
    /// Offsets without a new event.
    Receipts,
    /// What could not be processed, by whomever.
    DeadLetters,
}

impl Source {
    pub(crate) const ALL: [Self; 6] = [
        Self::Stream(Stream::HeartRates),
        Self::Stream(Stream::Steps),
        Self::Stream(Stream::Sleeps),
        Self::Stream(Stream::Users),
        Self::Receipts,
        Self::DeadLetters,
    ];

    /// Name of the collection.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stream(stream) => stream.collection(),
            Self::Receipts => collections::RECEIPTS,
            Self::DeadLetters => collections::DEAD_LETTERS,
        }
    }
}

/// Where rows come from: enough to write a letter about them later.
#[derive(Debug, PartialEq)]
pub(crate) struct Origin {
    pub(crate) source: Source,
    pub(crate) id: String,
    pub(crate) position: Option<Position>,
    /// Key of the Kafka message: the device's or the user's id.
    pub(crate) key: Option<Vec<u8>>,
    /// The document, where it is small enough to keep beside its row.
    pub(crate) document: Option<Vec<u8>>,
}

/// What a document gives.
#[derive(Debug, PartialEq)]
pub(crate) enum Rows {
    /// Nothing to load.
    Nothing,
    /// Readings of one upload.
    Readings(ReadingsUpload),
    /// A session.
    Sleep(Box<SleepRow>),
    /// A version of a profile.
    User(Box<UserRow>),
}

impl Rows {
    /// How many rows it counts for in a batch.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::Nothing => 1,
            Self::Readings(upload) => upload.readings.len().max(1),
            Self::Sleep(sleep) => 1 + sleep.levels.len(),
            Self::User(user) => 1 + user.devices.len(),
        }
    }
}

/// A document, mapped.
#[derive(Debug, PartialEq)]
pub(crate) struct Mapped {
    pub(crate) rows: Rows,
    pub(crate) account: Option<Account>,
    pub(crate) letters: Vec<Letter>,
}

impl Mapped {
    fn loaded(rows: Rows, origin: &Origin) -> Self {
        Self {
            rows,
            account: account_of(origin, Kind::Loaded),
            letters: Vec::new(),
        }
    }
}

/// Why a document cannot be loaded.
#[derive(Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) reason: &'static str,
    pub(crate) detail: String,
}

impl Refusal {
    pub(crate) fn unmappable(detail: impl Into<String>) -> Self {
        Self {
            reason: "unmappable",
            detail: detail.into(),
        }
    }

    pub(crate) fn out_of_range(detail: impl Into<String>) -> Self {
        Self {
            reason: "out_of_range",
            detail: detail.into(),
        }
    }
}

pub(crate) fn account_of(origin: &Origin, kind: Kind) -> Option<Account> {
    origin
        .position
        .as_ref()
        .map(|position| Account::one(position, kind))
}

/// Maps a document. What cannot be mapped becomes a letter about the whole document; it is never an error.
pub(crate) fn map(source: Source, document: &RawDocument, now: i64) -> Mapped {
    let origin = Arc::new(origin_of(source, document));
    let fields = Fields(document);
    let mapped = match source {
        Source::Stream(Stream::HeartRates) => heart_rates::map(&fields, &origin, now),
        Source::Stream(Stream::Steps) => steps::map(&fields, &origin, now),
        Source::Stream(Stream::Sleeps) => sleeps::map(&fields, &origin),
        Source::Stream(Stream::Users) => users::map(&fields, &origin),
        Source::Receipts => receipts::map(&fields),
        Source::DeadLetters => letters::map(&fields),
    };
    mapped.unwrap_or_else(|refusal| Mapped {
        rows: Rows::Nothing,
        account: account_of(&origin, Kind::Dead),
        letters: vec![Letter::about(
            &origin,
            -1,
            &refusal,
            Some(document.as_bytes().to_vec()),
            now,
        )],
    })
}

/// What can be told about a document even when it cannot be mapped.
fn origin_of(source: Source, document: &RawDocument) -> Origin {
    let fields = Fields(document);
    let key_field = if source == Source::Stream(Stream::Users) {
        "user_id"
    } else {
        "device_id"
    };
    let small = matches!(source, Source::Stream(Stream::Sleeps | Stream::Users));
    let streams = matches!(source, Source::Stream(_));
    Origin {
        source,
        id: fields.id_text(),
        // A receipt's or a letter's own position is accounted by its content, never by its envelope.
        position: if streams { fields.position().ok() } else { None },
        key: fields.text(key_field).ok().map(|key| key.as_bytes().to_vec()),
        document: small.then(|| document.as_bytes().to_vec()),
    }
}

#[cfg(test)]
mod tests;
