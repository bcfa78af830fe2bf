//! The bounds of plausible readings. One row in 2099 would move every watermark there: it becomes a dead letter instead.

use std::ops::RangeInclusive;

use pulseline_schemas::Position;

use crate::document::{DAY_MILLIS, Refusal};

pub(crate) const MINUTE_MILLIS: i64 = 60_000;
/// 2007-01-01: Fitbit has no older device.
const EARLIEST_MILLIS: i64 = 1_167_609_600_000;
/// 0001-01-01: PostgreSQL's dates go further, no profile does.
const FIRST_MILLIS: i64 = -62_135_596_800_000;
/// 10000-01-01: later than any reading, and still inside PostgreSQL's timestamps.
const LATEST_MILLIS: i64 = 253_402_300_800_000;
/// No zone on Earth is further from UTC than 14 hours; ISO 8601 libraries allow 18.
const OFFSET_MINUTES: RangeInclusive<i16> = -1_080..=1_080;

pub(crate) const BPM: RangeInclusive<i32> = 20..=250;
pub(crate) const CONFIDENCE: RangeInclusive<i32> = 0..=3;
/// Longest topic name in Kafka.
const TOPIC_BYTES: usize = 249;
/// Minutes of the longest possible day: 25 hours.
pub(crate) const DAY_MINUTES: f64 = 1_500.0;
/// Longest session: a week.
pub(crate) const SESSION_MS: f64 = 604_800_000.0;

/// Accepts a wall-clock time that the wearer could have seen before the upload was synced.
pub(crate) fn local_time(name: &str, local: i64, offset_minutes: i16, synced_at: i64) -> Result<(), Refusal> {
    if local < EARLIEST_MILLIS {
        return Err(Refusal::out_of_range(format!("{name} is before 2007")));
    }
    let instant = local.saturating_sub(i64::from(offset_minutes) * MINUTE_MILLIS);
    if instant > synced_at.saturating_add(DAY_MILLIS) {
        return Err(Refusal::out_of_range(format!(
            "{name} is more than a day after its upload was synced"
        )));
    }
    Ok(())
}

/// Accepts a position that a message can have: accounting would fail on another one, and block for good.
pub(crate) fn position(position: &Position) -> Result<(), Refusal> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let Position {
        topic,
        incarnation,
        partition,
        offset,
    } = position;
    if topic.is_empty() || topic.len() > TOPIC_BYTES || !topic.chars().all(is_of_name) {
        return Err(Refusal::unmappable("kafka.topic is no name of a topic"));
    }
    // Accounting also uses the next offset.
    if *incarnation < 0 || *partition < 0 || !(0..i64::MAX).contains(offset) {
        return Err(Refusal::unmappable(format!(
            "kafka: no message stands at offset {offset} of partition {partition}, generation {incarnation}"
        )));
    }
    Ok(())
}

pub(crate) fn value(name: &str, value: i32, range: &RangeInclusive<i32>) -> Result<(), Refusal> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Refusal::out_of_range(format!(
        "{name} = {value} is outside {}..{}",
        range.start(),
        range.end()
    )))
}

pub(crate) fn offset(name: &str, minutes: i16) -> Result<i16, Refusal> {
    if OFFSET_MINUTES.contains(&minutes) {
        return Ok(minutes);
    }
    Err(Refusal::unmappable(format!(
        "{name} = {minutes} is no offset from UTC"
    )))
}

pub(crate) fn synced_at(millis: i64) -> Result<i64, Refusal> {
    if (EARLIEST_MILLIS..LATEST_MILLIS).contains(&millis) {
        return Ok(millis);
    }
    Err(Refusal::unmappable("synced_at is outside 2007..9999"))
}

pub(crate) fn instant(name: &str, millis: i64) -> Result<i64, Refusal> {
    if (FIRST_MILLIS..LATEST_MILLIS).contains(&millis) {
        return Ok(millis);
    }
    Err(Refusal::unmappable(format!(
        "{name} is outside the years 1..9999"
    )))
}
