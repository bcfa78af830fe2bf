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
mod mapped;
pub(crate) mod readings;
mod receipts;
mod resting_heart_rates;
mod sleep_scores;
mod sleeps;
mod steps;
mod users;

use std::sync::Arc;

use bson::RawDocument;
use pulseline_schemas::{Owner, Stream};

use crate::account::AccountKind;
use crate::dead_letter::DeadLetter;
use crate::document::{Origin, Rows, SourceCollection};
use entries::Entries;
use fields::Fields;
pub(crate) use mapped::Mapped;
use readings::Readings;

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
        account: origin.account(AccountKind::Dead),
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
mod extra_tests;
#[cfg(test)]
mod kind_tests;
#[cfg(test)]
mod tests;
