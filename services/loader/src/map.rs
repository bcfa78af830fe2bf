//! Maps documents to rows: pure and strict; whatever is dropped becomes a dead letter.

mod activity_minutes;
mod calories;
pub(crate) mod column;
mod dead_letters;
mod distances;
pub(crate) mod entries;
mod exercises;
pub(crate) mod fields;
pub(crate) mod guard;
mod heart_rate_zones;
mod heart_rates;
pub(crate) mod readings;
mod receipts;
mod resting_heart_rates;
mod sleep_scores;
mod sleeps;
mod steps;
mod users;

use std::sync::Arc;

use bson::RawDocument;
use pulseline_schemas::{Owner, Position, Stream, collections};

pub(crate) use entries::{Entries, MappedEntry};
pub(crate) use readings::{Reading, Readings, ReadingsUpload};
pub(crate) use users::UserRow;

use crate::account::{Account, AccountKind};
use crate::dead_letter::DeadLetter;
use fields::Fields;

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

/// How the documents of a stream map to tables: the only list of all streams in this crate.
pub(crate) enum TableMapping {
    /// Many small readings.
    Readings(&'static Readings),
    /// Days or sessions.
    Entries(&'static Entries),
    /// Profiles, with the devices they name.
    Profiles,
}

pub(crate) const fn table_mapping(stream: Stream) -> TableMapping {
    match stream {
        Stream::HeartRates => TableMapping::Readings(&heart_rates::READINGS),
        Stream::Steps => TableMapping::Readings(&steps::READINGS),
        Stream::Distances => TableMapping::Readings(&distances::READINGS),
        Stream::Calories => TableMapping::Readings(&calories::READINGS),
        Stream::ActivityMinutes => TableMapping::Entries(&activity_minutes::ENTRIES),
        Stream::HeartRateZones => TableMapping::Entries(&heart_rate_zones::ENTRIES),
        Stream::RestingHeartRates => TableMapping::Entries(&resting_heart_rates::ENTRIES),
        Stream::Sleeps => TableMapping::Entries(&sleeps::ENTRIES),
        Stream::SleepScores => TableMapping::Entries(&sleep_scores::ENTRIES),
        Stream::Exercises => TableMapping::Entries(&exercises::ENTRIES),
        Stream::Users => TableMapping::Profiles,
    }
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

/// A mapped document.
#[derive(Debug, PartialEq)]
pub(crate) struct Mapped {
    pub(crate) rows: Rows,
    pub(crate) account: Option<Account>,
    pub(crate) dead_letters: Vec<DeadLetter>,
}

impl Mapped {
    fn loaded(rows: Rows, origin: &Origin) -> Self {
        Self {
            rows,
            account: account_of(origin, AccountKind::Loaded),
            dead_letters: Vec::new(),
        }
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

pub(crate) fn account_of(origin: &Origin, kind: AccountKind) -> Option<Account> {
    origin
        .position
        .as_ref()
        .map(|position| Account::one(position, kind))
}

/// Maps a document. One that cannot be mapped becomes a dead letter about the whole document, never an error.
pub(crate) fn map(source: SourceCollection, document: &RawDocument, now: i64) -> Mapped {
    let origin = Arc::new(origin_of(source, document));
    let fields = Fields(document);
    let mapped = match source {
        SourceCollection::Stream(stream) => match table_mapping(stream) {
            TableMapping::Readings(readings) => readings::map(readings, &fields, &origin, now),
            TableMapping::Entries(entries) => entries::map(entries, &fields, &origin, now),
            TableMapping::Profiles => users::map(&fields, &origin),
        },
        SourceCollection::Receipts => receipts::map(&fields),
        SourceCollection::DeadLetters => dead_letters::map(&fields, now),
    };
    mapped.unwrap_or_else(|refusal| Mapped {
        rows: Rows::Nothing,
        account: account_of(&origin, AccountKind::Dead),
        dead_letters: vec![DeadLetter::about(
            &origin,
            -1,
            &refusal,
            Some(document.as_bytes().to_vec()),
            now,
        )],
    })
}

/// What is known about a document even when it cannot be mapped.
fn origin_of(source: SourceCollection, document: &RawDocument) -> Origin {
    let fields = Fields(document);
    let key_field = match source {
        SourceCollection::Stream(stream) if stream.owner() == Owner::User => "user_id",
        _ => "device_id",
    };
    let small = matches!(source, SourceCollection::Stream(stream) if !matches!(table_mapping(stream), TableMapping::Readings(_)));
    let streams = matches!(source, SourceCollection::Stream(_));
    Origin {
        source,
        id: fields.id_text(),
        // The content of a receipt or a dead letter accounts for its offset, never its envelope.
        position: if streams { fields.position().ok() } else { None },
        key: fields.text(key_field).ok().map(|key| key.as_bytes().to_vec()),
        document: small.then(|| document.as_bytes().to_vec()),
    }
}

#[cfg(test)]
mod tests;
