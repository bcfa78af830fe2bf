//! Fitbit's score of a night.

use pulseline_schemas::{SleepScore, Stream, Upload, UtcMillis};
use uuid::Uuid;

use super::daily::resting_estimate;
use super::day::Day;
use super::night::Session;
use super::oddities::extra;
use super::{Cohort, Device};
use crate::quirks::Quirk;
use crate::random::Purpose;

/// Scores without two of their columns.
const EMPTY: f64 = 0.15;

/// The score of a sleep of a day; a corrected score differs by a few points.
pub(crate) fn score(
    cohort: &Cohort,
    day: &Day,
    session: &Session,
    (synced_at, corrected): (i64, bool),
) -> SleepScore {
    let device: &Device = &day.device;
    let mut draw = cohort.draw(device.index, session.start.0, Purpose::Score);
    let offset = cohort.owner(device).zone.offset(session.end);
    let ended = session.end.at_offset(offset);
    let (_, asleep) = session.minutes();
    let (composition, mut revitalization) = (draw.int(14, 25), draw.int(13, 25));
    let duration = (asleep / 10).clamp(20, 50);
    if corrected {
        revitalization -= cohort
            .draw(device.index, session.start.0, Purpose::ScoreCorrection)
            .int(1, 9);
    }
    let restlessness = f64::from(draw.int(20_000, 190_000)) / 1_000_000.0;
    let empty = draw.chance(EMPTY) && cohort.has(Quirk::EmptyValues);
    let resting = resting_estimate(cohort, device, day.date).round();
    SleepScore {
        upload: Upload {
            event_id: Uuid::nil(),
            device_id: device.device_id,
            synced_at: UtcMillis(synced_at),
            utc_offset_minutes: offset,
            window_start: ended,
            window_end: ended,
        },
        log_id: session.log_id,
        overall_score: Some(composition + revitalization + duration),
        composition_score: (!empty).then_some(composition),
        revitalization_score: (!empty).then_some(revitalization),
        duration_score: Some(duration),
        deep_sleep_minutes: Some(session.deep_minutes()),
        resting_heart_rate: Some(resting),
        restlessness: Some(restlessness),
        extra: extra(cohort, device, session.start.0, Stream::SleepScores),
    }
}
