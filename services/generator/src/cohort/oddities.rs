//! Unknown fields and repeated readings.

use pulseline_schemas::{Extra, Stream};

use super::{Cohort, Device};
use crate::quirks::Quirk;
use crate::random::Purpose;

/// Uploads of sessions with unknown keys.
const UNKNOWN_IN_SESSIONS: f64 = 0.25;
/// Uploads of minutes and days with unknown keys.
const UNKNOWN_IN_SAMPLES: f64 = 0.02;
/// Uploads with a repeated reading.
const REPEATED: f64 = 0.03;

/// Unknown keys for an upload of a device that begins at an instant.
pub(crate) fn extra(cohort: &Cohort, device: &Device, when: i64, stream: Stream) -> Extra {
    if !cohort.has(Quirk::UnknownKeys) {
        return Extra::default();
    }
    let (share, text) = match stream {
        Stream::Sleeps => (UNKNOWN_IN_SESSIONS, r#"{"thirtyDayAvgMinutes":71}"#),
        Stream::Exercises => (
            UNKNOWN_IN_SESSIONS,
            r#"{"activeZoneMinutes":{"totalMinutes":12},"poolLength":null}"#,
        ),
        Stream::SleepScores => (UNKNOWN_IN_SESSIONS, r#"{"waso_count_minutes":13.5}"#),
        _ => (UNKNOWN_IN_SAMPLES, r#"{"firmware":"32.71.5.32"}"#),
    };
    let mut draw = cohort.draw(device.index, when + stream as i64, Purpose::UnknownKeys);
    Extra(draw.chance(share).then(|| text.to_owned()))
}

/// Repeats a reading of an upload right after itself, if there are fewer than `most`.
pub(crate) fn repeat<T: Clone>(
    cohort: &Cohort,
    device: &Device,
    (when, most): (i64, usize),
    samples: &mut Vec<T>,
) {
    let mut draw = cohort.draw(device.index, when, Purpose::Repeats);
    if !draw.chance(REPEATED) || samples.len() >= most || !cohort.has(Quirk::ExactDuplicates) {
        return;
    }
    let index = draw.below(u32::try_from(samples.len()).unwrap_or_default()) as usize;
    if let Some(sample) = samples.get(index).cloned() {
        samples.insert(index, sample);
    }
}
