//! Broken uploads.

use pulseline_schemas::{Event, LocalDay, LocalMillis, Upload, encode, frame};

use super::{Breakage, Payload};
use crate::random::Draw;

/// An id that no registry assigns: registries count up from 1.
const UNKNOWN_SCHEMA_ID: u32 = 2_000_000_000;
/// 2099-07-01T12:00 on any clock.
const YEAR_2099: LocalMillis = LocalMillis(4_086_590_400_000);
/// That date.
const DAY_IN_2099: LocalDay = LocalDay(47_298);
const IMPOSSIBLE_BPM: i32 = 400;
const IMPOSSIBLE_STEPS: i32 = 60_000;
const IMPOSSIBLE_MM: i32 = 90_000_000;
const IMPOSSIBLE_MILLIKCAL: i32 = 5_000_000;
const IMPOSSIBLE_MINUTES: i32 = 5_000;
const IMPOSSIBLE_SCORE: i32 = 900;

/// The bytes of a broken upload; an unmappable one was built before and is sent unchanged.
pub(super) fn payload(breakage: Breakage, event: Event, draw: &mut Draw) -> Payload {
    match breakage {
        Breakage::Garbage => Payload::Bytes(garbage(draw)),
        Breakage::Truncated => {
            let mut datum = datum_of(&event);
            datum.truncate(datum.len() / 2);
            Payload::Datum(datum)
        }
        Breakage::UnknownSchema => Payload::Bytes(frame(UNKNOWN_SCHEMA_ID, &datum_of(&event))),
        Breakage::Unmappable => Payload::Event(event),
    }
}

/// Bytes without the framing of an event, so that they cannot be taken for one by accident.
fn garbage(draw: &mut Draw) -> Vec<u8> {
    let length = draw.between(1, 200);
    let mut bytes = draw.bytes(usize::try_from(length).unwrap_or(1));
    bytes[0] |= 1;
    bytes
}

/// An event that does not encode gives no bytes, which is broken as well.
fn datum_of(event: &Event) -> Vec<u8> {
    encode(event).unwrap_or_default()
}

/// Makes one reading impossible and keeps the others. A session becomes impossible as a whole.
pub(super) fn make_unmappable(event: &mut Event, draw: &mut Draw) {
    let in_2099 = draw.chance(0.5);
    // Both impossible values affect the same sample.
    macro_rules! one_of {
        ($samples:expr, $time:ident = $when:expr, $value:ident = $impossible:expr) => {{
            let index = draw.below(u32::try_from($samples.len()).unwrap_or(1)) as usize;
            if let Some(sample) = $samples.get_mut(index) {
                if in_2099 {
                    sample.$time = $when;
                } else {
                    sample.$value = $impossible;
                }
            }
        }};
    }
    match event {
        Event::HeartRates(event) => one_of!(event.samples, ts = YEAR_2099, bpm = IMPOSSIBLE_BPM),
        Event::Steps(event) => one_of!(event.samples, ts = YEAR_2099, steps = IMPOSSIBLE_STEPS),
        Event::Distances(event) => one_of!(event.samples, ts = YEAR_2099, distance_mm = IMPOSSIBLE_MM),
        Event::Calories(event) => one_of!(event.samples, ts = YEAR_2099, millikcal = IMPOSSIBLE_MILLIKCAL),
        Event::ActivityMinutes(event) => {
            one_of!(
                event.samples,
                local_date = DAY_IN_2099,
                minutes = IMPOSSIBLE_MINUTES
            );
        }
        Event::HeartRateZones(event) => {
            one_of!(
                event.samples,
                local_date = DAY_IN_2099,
                minutes = IMPOSSIBLE_MINUTES.into()
            );
        }
        Event::RestingHeartRates(event) => {
            one_of!(
                event.samples,
                local_date = DAY_IN_2099,
                bpm = IMPOSSIBLE_BPM.into()
            );
        }
        Event::Sleeps(sleep) => send_to_2099(&mut sleep.upload),
        Event::SleepScores(score) if in_2099 => send_to_2099(&mut score.upload),
        Event::SleepScores(score) => score.overall_score = Some(IMPOSSIBLE_SCORE),
        Event::Exercises(exercise) if in_2099 => send_to_2099(&mut exercise.upload),
        Event::Exercises(exercise) => exercise.average_heart_rate = Some(IMPOSSIBLE_BPM),
        Event::Users(_) => {}
    }
}

/// The loadable part of an unmappable upload: all but the impossible reading, and nothing of a session.
pub(crate) fn without_impossible(mut event: Event) -> Option<Event> {
    macro_rules! keep {
        ($samples:expr, $time:ident != $when:expr, $value:ident < $impossible:expr) => {
            $samples.retain(|sample| sample.$time != $when && sample.$value < $impossible)
        };
    }
    match &mut event {
        Event::HeartRates(event) => keep!(event.samples, ts != YEAR_2099, bpm < IMPOSSIBLE_BPM),
        Event::Steps(event) => keep!(event.samples, ts != YEAR_2099, steps < IMPOSSIBLE_STEPS),
        Event::Distances(event) => keep!(event.samples, ts != YEAR_2099, distance_mm < IMPOSSIBLE_MM),
        Event::Calories(event) => keep!(event.samples, ts != YEAR_2099, millikcal < IMPOSSIBLE_MILLIKCAL),
        Event::ActivityMinutes(event) => {
            keep!(
                event.samples,
                local_date != DAY_IN_2099,
                minutes < IMPOSSIBLE_MINUTES
            );
        }
        Event::HeartRateZones(event) => {
            keep!(
                event.samples,
                local_date != DAY_IN_2099,
                minutes < f64::from(IMPOSSIBLE_MINUTES)
            );
        }
        Event::RestingHeartRates(event) => {
            keep!(
                event.samples,
                local_date != DAY_IN_2099,
                bpm < f64::from(IMPOSSIBLE_BPM)
            );
        }
        Event::Sleeps(_) | Event::SleepScores(_) | Event::Exercises(_) | Event::Users(_) => return None,
    }
    Some(event)
}

/// The same window in another century.
const fn send_to_2099(upload: &mut Upload) {
    let length = upload.window_end.0 - upload.window_start.0;
    upload.window_start = YEAR_2099;
    upload.window_end = LocalMillis(YEAR_2099.0 + length);
}
