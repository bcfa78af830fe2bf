//! What must be in the warehouse once a plan's deliveries have arrived: the rule, written down a second time.
//!
//! For one natural key the upload with the greatest (synced_at, event_id) wins, and within it the last reading;
//! in whatever order uploads arrive and however often. Sessions and profiles are replaced whole.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use pulseline_schemas::time::DAY_MS;
use pulseline_schemas::{Event, HeartRates, LocalMillis, Sleep, Steps, Stream, Upload, User, UtcMillis};
use uuid::Uuid;

use crate::plan::{Breakage, Kind, Payload, Planned};

/// 2007-01-01: no such device existed before.
const READINGS_FROM: LocalMillis = LocalMillis(1_167_609_600_000);

/// Which reading: device, wall clock, offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReadingKey {
    /// The device.
    pub device_id: Uuid,
    /// When, on the wearer's clock.
    pub local_ts: LocalMillis,
    /// Minutes east of UTC.
    pub utc_offset_minutes: i32,
}

/// Which upload a value comes from; the greater one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// When it was sent.
    pub synced_at: UtcMillis,
    /// Its id.
    pub event_id: Uuid,
}

/// A row of `raw.heart_rates` behind its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeartRateRow {
    /// Beats per minute.
    pub bpm: i32,
    /// 0 to 3.
    pub confidence: i32,
    /// Where it comes from.
    pub version: Version,
}

/// A row of `raw.steps` behind its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepsRow {
    /// Steps in the minute.
    pub steps: i32,
    /// Where it comes from.
    pub version: Version,
}

/// What must have become a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dead {
    /// A message that nobody can decode; the offset is dead.
    Undecodable(Breakage),
    /// A reading (its index) or a whole upload (−1) that raw cannot hold.
    Unmappable {
        /// Which event.
        event_id: Uuid,
        /// Which reading.
        item: i32,
    },
}

/// Gathers deliveries and answers what must have become of them.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    /// Rows of `raw.heart_rates`.
    pub heart_rates: HashMap<ReadingKey, HeartRateRow>,
    /// Rows of `raw.steps`.
    pub steps: HashMap<ReadingKey, StepsRow>,
    /// Rows of `raw.sleeps` with their levels, by (device, log).
    pub sleeps: HashMap<(Uuid, i64), Sleep>,
    /// Rows of `raw.users`.
    pub users: HashMap<Uuid, User>,
    /// Messages per stream.
    pub issued: HashMap<Stream, u64>,
    /// Messages per stream and kind.
    pub kinds: BTreeMap<(Stream, Kind), u64>,
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
            if let Kind::Broken(breakage) = planned.kind {
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
        match event {
            Event::HeartRates(event) => self.observe_heart_rates(event, version),
            Event::Steps(event) => self.observe_steps(event, version),
            Event::Sleep(sleep) => self.observe_sleep(sleep, version),
            Event::User(user) => {
                let of = |user: &User| Version {
                    synced_at: user.synced_at,
                    event_id: user.event_id,
                };
                keep(self.users.entry(user.user_id), user.clone(), of);
            }
        }
    }

    fn observe_heart_rates(&mut self, event: &HeartRates, version: Version) {
        for (item, sample) in event.samples.iter().enumerate() {
            let in_range = (20..=250).contains(&sample.bpm) && (0..=3).contains(&sample.confidence);
            if in_range && is_possible(sample.ts, &event.upload) {
                let row = HeartRateRow {
                    bpm: sample.bpm,
                    confidence: sample.confidence,
                    version,
                };
                keep(
                    self.heart_rates.entry(key(&event.upload, sample.ts)),
                    row,
                    |row| row.version,
                );
            } else {
                self.dead_item(Stream::HeartRates, version, item);
            }
        }
    }

    fn observe_steps(&mut self, event: &Steps, version: Version) {
        for (item, sample) in event.samples.iter().enumerate() {
            if (0..=1_000).contains(&sample.steps) && is_possible(sample.ts, &event.upload) {
                let row = StepsRow {
                    steps: sample.steps,
                    version,
                };
                keep(self.steps.entry(key(&event.upload, sample.ts)), row, |row| {
                    row.version
                });
            } else {
                self.dead_item(Stream::Steps, version, item);
            }
        }
    }

    fn observe_sleep(&mut self, sleep: &Sleep, version: Version) {
        if is_possible(sleep.upload.window_start, &sleep.upload) {
            let of = |sleep: &Sleep| Version {
                synced_at: sleep.upload.synced_at,
                event_id: sleep.upload.event_id,
            };
            keep(
                self.sleeps.entry((sleep.upload.device_id, sleep.log_id)),
                sleep.clone(),
                of,
            );
        } else {
            *self.dead_messages.entry(Stream::Sleeps).or_default() += 1;
            self.dead.push((
                Stream::Sleeps,
                Dead::Unmappable {
                    event_id: version.event_id,
                    item: -1,
                },
            ));
        }
    }

    /// Readings that raw must hold: heart rates, steps, sleeps and profiles.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.heart_rates.len() + self.steps.len() + self.sleeps.len() + self.users.len()
    }

    /// Messages of a stream whose offsets must be accounted as loaded.
    #[must_use]
    pub fn loaded_messages(&self, stream: Stream) -> u64 {
        let of = |counts: &HashMap<Stream, u64>| counts.get(&stream).copied().unwrap_or_default();
        of(&self.issued) - of(&self.duplicates) - of(&self.dead_messages)
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

fn key(upload: &Upload, local_ts: LocalMillis) -> ReadingKey {
    ReadingKey {
        device_id: upload.device_id,
        local_ts,
        utc_offset_minutes: upload.utc_offset_minutes,
    }
}

/// A reading is from the age of these devices, and not from more than a day after it was sent.
fn is_possible(ts: LocalMillis, upload: &Upload) -> bool {
    ts >= READINGS_FROM && ts.at_offset(upload.utc_offset_minutes).0 <= upload.synced_at.0 + DAY_MS
}

/// Keeps the greater version; of equal ones the later, which is the later in the upload.
fn keep<K, V>(entry: Entry<'_, K, V>, row: V, version: impl Fn(&V) -> Version) {
    match entry {
        Entry::Vacant(free) => {
            free.insert(row);
        }
        Entry::Occupied(mut taken) => {
            if version(&row) >= version(taken.get()) {
                taken.insert(row);
            }
        }
    }
}
