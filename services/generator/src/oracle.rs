//! Computes what the warehouse must hold once a plan's deliveries have arrived: an independent copy of the rule.
//!
//! For one natural key the upload with the greatest (synced_at, event_id) wins, and within it the last reading;
//! in whatever order uploads arrive and however often. Sessions and profiles are replaced whole.

mod observe;
mod rows;

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use pulseline_schemas::{Exercise, Sleep, SleepScore, Stream, User};
use uuid::Uuid;

use crate::plan::{Breakage, DeliveryKind, Payload, Planned};
use rows::Versioned;
pub use rows::{CaloriesRow, DayKey, DayRow, DistanceRow, HeartRateRow, ReadingKey, StepsRow, Version};

/// An expected dead letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dead {
    /// An undecodable message; its offset is dead.
    Undecodable(Breakage),
    /// A reading (its index) or a whole upload (−1) that raw rejects.
    Unmappable {
        /// Which event.
        event_id: Uuid,
        /// Which reading.
        item: i32,
    },
}

/// Collects deliveries and computes their expected outcome.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    /// Rows of `raw.heart_rates`.
    pub heart_rates: HashMap<ReadingKey, HeartRateRow>,
    /// Rows of `raw.steps`.
    pub steps: HashMap<ReadingKey, StepsRow>,
    /// Rows of `raw.distances`.
    pub distances: HashMap<ReadingKey, DistanceRow>,
    /// Rows of `raw.calories`.
    pub calories: HashMap<ReadingKey, CaloriesRow>,
    /// Rows of `raw.activity_minutes`, `raw.heart_rate_zones` and `raw.resting_heart_rates`.
    pub days: HashMap<DayKey, DayRow>,
    /// Rows of `raw.sleep_scores`, by (device, log of the sleep).
    pub sleep_scores: HashMap<(Uuid, i64), SleepScore>,
    /// Rows of `raw.exercises`, by (device, log).
    pub exercises: HashMap<(Uuid, i64), Exercise>,
    /// Rows of `raw.sleeps` with their levels, by (device, log).
    pub sleeps: HashMap<(Uuid, i64), Sleep>,
    /// Rows of `raw.users`.
    pub users: HashMap<Uuid, User>,
    /// Messages per stream.
    pub issued: HashMap<Stream, u64>,
    /// Messages per stream and kind.
    pub kinds: BTreeMap<(Stream, DeliveryKind), u64>,
    /// Distinct events per stream: one document each.
    pub events: HashMap<Stream, HashSet<Uuid>>,
    /// Messages per stream that repeat an event: one receipt each.
    pub duplicates: HashMap<Stream, u64>,
    /// Messages per stream that are dead as a whole: undecodable, or nothing in them can be loaded.
    pub dead_messages: HashMap<Stream, u64>,
    /// Every dead letter, per stream.
    pub dead: Vec<(Stream, Dead)>,
}

impl Oracle {
    /// What must have become of all these deliveries.
    pub fn of(deliveries: impl IntoIterator<Item = Planned>) -> Self {
        let mut oracle = Self::default();
        for planned in deliveries {
            oracle.observe(&planned);
        }
        oracle
    }

    /// Takes one delivery into account.
    pub fn observe(&mut self, planned: &Planned) {
        *self.issued.entry(planned.stream).or_default() += 1;
        *self.kinds.entry((planned.stream, planned.kind)).or_default() += 1;
        let Payload::Event(event) = &planned.payload else {
            if let DeliveryKind::Broken(breakage) = planned.kind {
                *self.dead_messages.entry(planned.stream).or_default() += 1;
                self.dead.push((planned.stream, Dead::Undecodable(breakage)));
            }
            return;
        };
        if !self
            .events
            .entry(planned.stream)
            .or_default()
            .insert(event.event_id())
        {
            *self.duplicates.entry(planned.stream).or_default() += 1;
            return;
        }
        let version = Version {
            synced_at: event.synced_at(),
            event_id: event.event_id(),
        };
        self.take(event, version);
    }

    /// Rows that raw must hold, without the levels of sleeps.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.heart_rates.len()
            + self.steps.len()
            + self.distances.len()
            + self.calories.len()
            + self.days.len()
            + self.sleeps.len()
            + self.sleep_scores.len()
            + self.exercises.len()
            + self.users.len()
    }

    /// Messages of a stream whose offsets must be accounted as loaded.
    #[must_use]
    pub fn loaded_messages(&self, stream: Stream) -> u64 {
        let of = |counts: &HashMap<Stream, u64>| counts.get(&stream).copied().unwrap_or_default();
        of(&self.issued) - of(&self.duplicates) - of(&self.dead_messages)
    }

    fn dead_upload(&mut self, stream: Stream, version: Version) {
        *self.dead_messages.entry(stream).or_default() += 1;
        let event_id = version.event_id;
        self.dead.push((stream, Dead::Unmappable { event_id, item: -1 }));
    }

    fn dead_item(&mut self, stream: Stream, version: Version, item: usize) {
        let item = i32::try_from(item).unwrap_or(i32::MAX);
        self.dead.push((
            stream,
            Dead::Unmappable {
                event_id: version.event_id,
                item,
            },
        ));
    }
}

/// Keeps the greater version; of equal ones the later, which is the later in the upload.
fn keep<K, V: Versioned>(entry: Entry<'_, K, V>, row: V) {
    match entry {
        Entry::Vacant(free) => {
            free.insert(row);
        }
        Entry::Occupied(mut taken) => {
            if row.version() >= taken.get().version() {
                taken.insert(row);
            }
        }
    }
}
