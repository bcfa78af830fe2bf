//! Groups samples into uploads: one per device, window and UTC offset, in any order of the file.
//!
//! A window is aligned to a multiple of its length in local time; days form blocks of 31. An upload keeps the file's
//! order, so that the last of two readings of the same time wins.

use std::collections::{BTreeMap, HashMap};

use pulseline_schemas::time::{DAY_MS, MINUTE_MS};
use pulseline_schemas::{
    ActivityMinutes, Calories, Distances, Event, Extra, HeartRateZones, HeartRates, LocalMillis,
    RestingHeartRates, Steps, Stream, Upload, UtcMillis,
};
use serde_json::Value;
use uuid::Uuid;

use crate::moment::Moment;
use crate::record::{Sample, Unknown, extra_of};

/// Most memory of open windows, in bytes.
pub(crate) const OPEN_BYTES_MAX: usize = 16 << 20;
/// Days of one upload.
const BLOCK_DAYS: i64 = 31;
/// Estimated overhead of an open window.
const WINDOW_BYTES: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    start: i64,
    utc_offset_minutes: i32,
    stream: Stream,
    device: Uuid,
}

#[derive(Debug, Default)]
struct Window {
    samples: Vec<Sample>,
    unknown: BTreeMap<usize, Unknown>,
    bytes: usize,
    touched: u64,
}

/// The open windows of one file.
pub(crate) struct Grouper {
    window_ms: i64,
    open_bytes_max: usize,
    open: HashMap<Key, Window>,
    bytes: usize,
    touches: u64,
}

impl Grouper {
    pub(crate) fn new(window_minutes: i32, open_bytes_max: usize) -> Self {
        Self {
            window_ms: i64::from(window_minutes.max(1)) * MINUTE_MS,
            open_bytes_max,
            open: HashMap::new(),
            bytes: 0,
            touches: 0,
        }
    }

    /// Adds a sample; `done` receives windows evicted to free memory, least recently used first.
    pub(crate) fn push(
        &mut self,
        device: Uuid,
        at: Moment,
        (sample, unknown): (Sample, Option<Box<Unknown>>),
        done: &mut Vec<Event>,
    ) {
        let length = length_ms(&sample, self.window_ms);
        let key = Key {
            start: at.local.0.div_euclid(length) * length,
            utc_offset_minutes: at.utc_offset_minutes,
            stream: stream_of(&sample),
            device,
        };
        self.touches += 1;
        let window = self.open.entry(key).or_default();
        let mut bytes = size_of::<Sample>();
        if window.samples.is_empty() {
            bytes += WINDOW_BYTES;
        }
        if let Some(unknown) = unknown {
            bytes += unknown.len() * WINDOW_BYTES;
            window.unknown.insert(window.samples.len(), *unknown);
        }
        window.samples.push(sample);
        window.touched = self.touches;
        window.bytes += bytes;
        self.bytes += bytes;
        if self.bytes > self.open_bytes_max {
            self.make_room(done);
        }
    }

    /// Closes all windows in order of time.
    pub(crate) fn finish(&mut self, done: &mut Vec<Event>) {
        self.bytes = 0;
        let all: Vec<_> = self.open.drain().collect();
        let mut closed: Vec<_> = all
            .into_iter()
            .filter_map(|(key, window)| Some((key, self.close(key, window)?)))
            .collect();
        closed.sort_by_key(|(key, event)| (event.upload().map(start_of), *key));
        done.extend(closed.into_iter().map(|(_, event)| event));
    }

    fn make_room(&mut self, done: &mut Vec<Event>) {
        let mut keys: Vec<_> = self
            .open
            .iter()
            .map(|(key, window)| (window.touched, *key))
            .collect();
        keys.sort_unstable();
        for (_, key) in keys {
            if self.bytes <= self.open_bytes_max / 2 {
                break;
            }
            if let Some(window) = self.open.remove(&key) {
                self.bytes -= window.bytes;
                done.extend(self.close(key, window));
            }
        }
    }

    fn close(&self, key: Key, window: Window) -> Option<Event> {
        let (start, end) = self.bounds(key, &window.samples)?;
        let upload = Upload {
            event_id: Uuid::nil(),
            device_id: key.device,
            synced_at: UtcMillis::default(),
            utc_offset_minutes: key.utc_offset_minutes,
            window_start: LocalMillis(start),
            window_end: LocalMillis(end),
        };
        Some(event_of(key.stream, upload, window))
    }

    /// The window of minutes, or from the first to the last day.
    fn bounds(&self, key: Key, samples: &[Sample]) -> Option<(i64, i64)> {
        let days = || samples.iter().filter_map(day_of);
        match (days().min(), days().max()) {
            (Some(first), Some(last)) => Some((first * DAY_MS, (last + 1) * DAY_MS)),
            _ => Some((key.start, key.start.checked_add(self.window_ms)?)),
        }
    }
}

const fn start_of(upload: &Upload) -> UtcMillis {
    upload.window_start.at_offset(upload.utc_offset_minutes)
}

fn length_ms(sample: &Sample, window_ms: i64) -> i64 {
    if day_of(sample).is_some() {
        BLOCK_DAYS * DAY_MS
    } else {
        window_ms
    }
}

fn day_of(sample: &Sample) -> Option<i64> {
    let day = match sample {
        Sample::HeartRate(_) | Sample::Step(_) | Sample::Distance(_) | Sample::Calorie(_) => return None,
        Sample::ActivityMinute(minutes) => minutes.local_date,
        Sample::ZoneMinutes(minutes) => minutes.local_date,
        Sample::RestingHeartRate(rate) => rate.local_date,
    };
    Some(i64::from(day.0))
}

const fn stream_of(sample: &Sample) -> Stream {
    match sample {
        Sample::HeartRate(_) => Stream::HeartRates,
        Sample::Step(_) => Stream::Steps,
        Sample::Distance(_) => Stream::Distances,
        Sample::Calorie(_) => Stream::Calories,
        Sample::ActivityMinute(_) => Stream::ActivityMinutes,
        Sample::ZoneMinutes(_) => Stream::HeartRateZones,
        Sample::RestingHeartRate(_) => Stream::RestingHeartRates,
    }
}

/// Builds an event of this type from the samples.
macro_rules! event {
    ($stream:ident($event:ident) of $sample:ident, $upload:expr, $samples:expr, $extra:expr) => {
        Event::$stream($event {
            upload: $upload,
            samples: $samples
                .into_iter()
                .filter_map(|sample| match sample {
                    Sample::$sample(sample) => Some(sample),
                    _ => None,
                })
                .collect(),
            extra: $extra,
        })
    };
}

fn event_of(stream: Stream, upload: Upload, window: Window) -> Event {
    let samples = window.samples;
    let extra = extra_of_samples(window.unknown);
    match stream {
        Stream::HeartRates => event!(HeartRates(HeartRates) of HeartRate, upload, samples, extra),
        Stream::Steps => event!(Steps(Steps) of Step, upload, samples, extra),
        Stream::Distances => event!(Distances(Distances) of Distance, upload, samples, extra),
        Stream::Calories => event!(Calories(Calories) of Calorie, upload, samples, extra),
        Stream::ActivityMinutes => {
            event!(ActivityMinutes(ActivityMinutes) of ActivityMinute, upload, samples, extra)
        }
        Stream::HeartRateZones => {
            event!(HeartRateZones(HeartRateZones) of ZoneMinutes, upload, samples, extra)
        }
        // Sessions and profiles are not grouped.
        Stream::RestingHeartRates
        | Stream::Sleeps
        | Stream::SleepScores
        | Stream::Exercises
        | Stream::Users => {
            event!(RestingHeartRates(RestingHeartRates) of RestingHeartRate, upload, samples, extra)
        }
    }
}

/// `{"samples": {"<index>": {…}}}`
fn extra_of_samples(unknown: BTreeMap<usize, Unknown>) -> Extra {
    if unknown.is_empty() {
        return Extra::default();
    }
    let samples = unknown
        .into_iter()
        .map(|(index, fields)| (index.to_string(), Value::Object(fields)));
    extra_of(BTreeMap::from([("samples".to_owned(), samples.collect())]))
}

#[cfg(test)]
mod tests;
