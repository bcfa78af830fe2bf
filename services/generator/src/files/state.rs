//! The final state of a device: the value that was sent last, for each reading, figure and session.

use std::collections::{BTreeMap, HashMap};

use pulseline_schemas::{
    ActivityMinute, Calorie, Distance, Event, Exercise, HeartRate, LocalDay, LocalMillis, RestingHeartRate,
    Sleep, SleepScore, Step, UtcMillis, ZoneMinutes,
};
use uuid::Uuid;

use crate::plan::{DeliveryKind, Payload, Planned, without_impossible};

/// 2007-01-01: the warehouse refuses older data, so the night before the first day is refused too.
const SLEEPS_FROM: LocalMillis = LocalMillis(1_167_609_600_000);

/// (synced_at, event_id) of an upload; the greater one wins.
type Version = (UtcMillis, Uuid);

/// Values in the order of their keys. The upload that wins gives the value, and within it the last one.
pub(super) struct Latest<K, V>(BTreeMap<K, (Version, V)>);

impl<K, V> Default for Latest<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, V> Latest<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.0.get(key).map(|(_, value)| value)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.values().map(|(_, value)| value)
    }

    fn put(&mut self, version: Version, key: K, value: V) {
        let is_older = self.0.get(&key).is_some_and(|(known, _)| version < *known);
        if !is_older {
            self.0.insert(key, (version, value));
        }
    }

    fn put_all(&mut self, version: Version, values: Vec<V>, key: impl Fn(&V) -> K) {
        for value in values {
            self.put(version, key(&value), value);
        }
    }
}

/// A device's final state. Sessions are keyed by their log numbers, which rise with time.
#[derive(Default)]
pub(super) struct DeviceState {
    pub(super) heart_rates: Latest<UtcMillis, HeartRate>,
    pub(super) steps: Latest<UtcMillis, Step>,
    pub(super) distances: Latest<UtcMillis, Distance>,
    pub(super) calories: Latest<UtcMillis, Calorie>,
    pub(super) activity_minutes: Latest<(LocalDay, String), ActivityMinute>,
    pub(super) zones: Latest<(LocalDay, String), ZoneMinutes>,
    pub(super) resting: Latest<LocalDay, RestingHeartRate>,
    pub(super) sleeps: Latest<i64, Sleep>,
    pub(super) sleep_scores: Latest<i64, SleepScore>,
    pub(super) exercises: Latest<i64, Exercise>,
}

/// The state of each device after these deliveries, by device id.
pub(super) fn states(deliveries: impl IntoIterator<Item = Planned>) -> HashMap<Uuid, DeviceState> {
    let mut states: HashMap<Uuid, DeviceState> = HashMap::new();
    for planned in deliveries {
        let Payload::Event(event) = planned.payload else {
            continue;
        };
        let event = match planned.kind {
            DeliveryKind::Broken(_) => without_impossible(event),
            _ => Some(event),
        };
        if let Some(event) = event {
            states.entry(event.key()).or_default().take(event);
        }
    }
    states
}

impl DeviceState {
    fn take(&mut self, event: Event) {
        let version = (event.synced_at(), event.event_id());
        let offset = event.upload().map_or(0, |upload| upload.utc_offset_minutes);
        let at = |ts: LocalMillis| ts.at_offset(offset);
        match event {
            Event::HeartRates(event) => self.heart_rates.put_all(version, event.samples, |one| at(one.ts)),
            Event::Steps(event) => self.steps.put_all(version, event.samples, |one| at(one.ts)),
            Event::Distances(event) => self.distances.put_all(version, event.samples, |one| at(one.ts)),
            Event::Calories(event) => self.calories.put_all(version, event.samples, |one| at(one.ts)),
            Event::ActivityMinutes(event) => {
                let key = |one: &ActivityMinute| (one.local_date, one.level.clone());
                self.activity_minutes.put_all(version, event.samples, key);
            }
            Event::HeartRateZones(event) => {
                let key = |one: &ZoneMinutes| (one.local_date, one.zone.clone());
                self.zones.put_all(version, event.samples, key);
            }
            Event::RestingHeartRates(event) => {
                self.resting.put_all(version, event.samples, |one| one.local_date)
            }
            Event::Sleeps(sleep) if sleep.upload.window_start < SLEEPS_FROM => {}
            Event::Sleeps(sleep) => self.sleeps.put(version, sleep.log_id, sleep),
            Event::SleepScores(score) => self.sleep_scores.put(version, score.log_id, score),
            Event::Exercises(exercise) => self.exercises.put(version, exercise.log_id, exercise),
            Event::Users(_) => {}
        }
    }
}
