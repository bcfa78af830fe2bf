//! The readings of one window, as measured and as corrected later.

use pulseline_schemas::time::MINUTE_MS;
use pulseline_schemas::{HeartRate, Step, UtcMillis};

use super::Cohort;
use super::day::Day;
use super::zone::Span;
use crate::config::HEART_RATE_SECS;
use crate::quirks::Quirk;
use crate::random::{Draw, Purpose};

/// Time between two readings when none is missing and all are sent.
const EVERY_MS: i64 = HEART_RATE_SECS as i64 * 1_000;
/// Readings of 256 that are missing.
const MISSING_OF_256: u32 = 15;
/// Of 1,024 readings, those with confidence 0, up to 1, up to 2; the rest have 3. Measured on one participant.
const CONFIDENCE_OF_1024: [u32; 3] = [6, 330, 727];
/// The placeholder that a device reports when it is put on.
const PUT_ON_BPM: i32 = 70;
const BPM_MIN: i32 = 36;
const BPM_MAX: i32 = 205;

/// Heart rates of a window while worn: about every 5 seconds, of which a sparse cohort sends every so many.
pub(crate) fn heart_rates(cohort: &Cohort, day: &Day, window: &Span) -> Vec<HeartRate> {
    let mut draw = cohort.draw(day.device.index, window.from, Purpose::HeartRates);
    let knows_confidence = cohort.knows_confidence(&day.device);
    // The phase of a device within the five seconds.
    let phase = i64::from(day.device.index % 5) * 1_000;
    let slots = (window.to - window.from).div_euclid(EVERY_MS);
    let sent_of_slots = i64::from(cohort.heart_rate_secs) * 1_000 / EVERY_MS;
    let mut samples = Vec::with_capacity(usize::try_from(slots).unwrap_or_default());
    let mut put_on = day
        .minute(window.from - MINUTE_MS)
        .is_some_and(|minute| minute.measured_bpm().is_none());
    // Sixteenths of a beat; a window begins at its first minute's value.
    let mut level = day.minute(window.from).map_or(0, |minute| minute.bpm * 16);
    for slot in 0..slots {
        let at = window.from + slot * EVERY_MS + phase;
        let bits = draw.bits();
        let Some(minute) = day.minute(at).filter(|minute| minute.measured_bpm().is_some()) else {
            put_on = true;
            continue;
        };
        level += (minute.bpm * 16 - level) / 12 + ((bits >> 8) & 31).cast_signed() - 15;
        if bits & 255 < MISSING_OF_256 || slot % sent_of_slots != 0 {
            continue;
        }
        let ts = UtcMillis(at).at_offset(window.utc_offset_minutes);
        if std::mem::take(&mut put_on) && cohort.has(Quirk::PutOnPlaceholder) {
            samples.push(HeartRate {
                ts,
                bpm: PUT_ON_BPM,
                confidence: knows_confidence.then_some(0),
            });
            continue;
        }
        let roll = (bits >> 16) & 1_023;
        let confidence = CONFIDENCE_OF_1024.iter().filter(|limit| roll >= **limit).count();
        let confidence = i32::try_from(confidence).unwrap_or_default();
        samples.push(HeartRate {
            ts,
            bpm: (level / 16).clamp(BPM_MIN, BPM_MAX),
            confidence: knows_confidence.then_some(confidence),
        });
    }
    samples
}

/// Steps of a window: sparse. Sometimes a minute occurs twice, from two sources; the last one counts.
pub(crate) fn steps(cohort: &Cohort, day: &Day, window: &Span) -> Vec<Step> {
    let reported = day.minutes_in(window).filter_map(|(at, minute)| {
        let ts = UtcMillis(at).at_offset(window.utc_offset_minutes);
        Some(Step {
            ts,
            steps: minute.steps?,
        })
    });
    let mut samples: Vec<_> = reported.collect();
    let mut draw = cohort.draw(day.device.index, window.from, Purpose::StepsTwice);
    if draw.chance(0.02)
        && cohort.has(Quirk::StepsTwice)
        && let Some(ts) = samples
            .iter()
            .find(|sample| sample.steps > 0)
            .map(|sample| sample.ts)
    {
        // The second source counted no step, or one.
        let steps = i32::from(!cohort.has(Quirk::ZeroMinutes));
        samples.push(Step { ts, steps });
    }
    samples
}

/// The values of a later upload of the same window: some readings differ, some are missing. A missing reading keeps
/// its earlier value.
pub(crate) fn correct_heart_rates(samples: &mut Vec<HeartRate>, draw: &mut Draw) {
    let (last, share) = (
        samples.len().saturating_sub(1),
        0.1 + f64::from(draw.below(50)) / 100.0,
    );
    let mut index = 0;
    samples.retain(|_| {
        index += 1;
        !draw.chance(0.1) || index > last
    });
    let last = samples.len().saturating_sub(1);
    for (index, sample) in samples.iter_mut().enumerate() {
        // At least the last reading differs.
        if draw.chance(share) || index == last {
            let shift = draw.int(1, 12);
            sample.bpm += if sample.bpm > 120 { -shift } else { shift };
            sample.confidence = sample.confidence.map(|_| 3);
        }
    }
}

/// [`correct_heart_rates`] for steps.
pub(crate) fn correct_steps(samples: &mut [Step], draw: &mut Draw) {
    let last = samples.len().saturating_sub(1);
    for (index, sample) in samples.iter_mut().enumerate() {
        if draw.chance(0.3) || index == last {
            sample.steps += draw.int(1, 20);
        }
    }
}
