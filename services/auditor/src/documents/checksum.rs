//! A checksum that Rust and SQL compute alike, and the rule of who wins.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use pulseline_sql::periods::DayNumber;

pub(super) const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
/// 2007-01-01 UTC.
const EARLIEST_MS: i64 = 1_167_609_600_000;
/// A prime below 2^31: the square of a remainder fits into 63 bits.
const PRIME: i64 = 2_147_483_647;

/// Stands for null in the sum.
const NO_CONFIDENCE: i32 = 4;

/// One reading of one upload.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) local_ms: i64,
    pub(super) offset: i32,
    pub(super) synced_at: i64,
    pub(super) event_id: Arc<str>,
    pub(super) seq: usize,
    pub(super) value: i32,
    pub(super) confidence: Option<i32>,
}

/// Rows of a day and the sum over them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct DaySum {
    pub(super) rows: i64,
    pub(super) checksum: i64,
}

/// True when the wall clock could have been lived before the upload was synced; others are dead letters.
pub(super) fn could_be_lived(local_ms: i64, offset: i32, synced_at: i64) -> bool {
    local_ms >= EARLIEST_MS && local_ms - i64::from(offset) * MINUTE_MS <= synced_at + DAY_MS
}

/// The wearer's day of a wall clock.
pub(super) fn day_of(local_ms: i64) -> DayNumber {
    DayNumber::try_from(local_ms.div_euclid(DAY_MS)).unwrap_or(DayNumber::MAX)
}

/// Sums per day, of readings that come nearly in order: those of the days that are still open are held.
#[derive(Debug, Default)]
pub(super) struct DaySums {
    open: BTreeMap<DayNumber, Vec<Reading>>,
    closed: BTreeMap<DayNumber, DaySum>,
}

impl DaySums {
    pub(super) fn add(&mut self, reading: Reading) {
        self.open
            .entry(day_of(reading.local_ms))
            .or_default()
            .push(reading);
    }

    /// No reading of an earlier day comes any more.
    pub(super) fn close_before(&mut self, day: DayNumber) {
        let open = self.open.split_off(&day);
        let closed = std::mem::replace(&mut self.open, open);
        self.closed.extend(closed.into_values().flat_map(sums));
    }

    /// Of all days.
    pub(super) fn close(mut self) -> BTreeMap<DayNumber, DaySum> {
        self.close_before(DayNumber::MAX);
        self.closed
    }
}

/// Sums per day of the winners: the greatest (synced_at, event_id, position in the upload) of each key (D-5).
fn sums(readings: Vec<Reading>) -> BTreeMap<DayNumber, DaySum> {
    let mut winners: HashMap<(i64, i32), Reading> = HashMap::with_capacity(readings.len());
    for reading in readings {
        let key = (reading.local_ms, reading.offset);
        match winners.get(&key) {
            Some(kept) if rank(kept) > rank(&reading) => {}
            _ => drop(winners.insert(key, reading)),
        }
    }
    let mut days: BTreeMap<DayNumber, DaySum> = BTreeMap::new();
    for reading in winners.into_values() {
        let sum = days.entry(day_of(reading.local_ms)).or_default();
        sum.rows += 1;
        sum.checksum += mix(&reading);
    }
    days
}

fn rank(reading: &Reading) -> (i64, &str, usize) {
    (reading.synced_at, &reading.event_id, reading.seq)
}

fn mix(reading: &Reading) -> i64 {
    let hash = (reading.local_ms % PRIME * 31
        + (i64::from(reading.offset) + 1_440) * 7_919
        + i64::from(reading.value) * 131
        + i64::from(reading.confidence.unwrap_or(NO_CONFIDENCE)) * 17
        + reading.synced_at % 1_000_003)
        % PRIME;
    hash * hash % PRIME
}

/// The same sum by SQL, per device and day.
pub(super) fn statement(table: &str, value: &str, confidence: &str, (from, to): (&str, &str)) -> String {
    format!(
        "select device_id::text, local_ts::date - date '1970-01-01', count(*), sum(hash * hash % {PRIME})::bigint from ( \
         select device_id, local_ts, ((extract(epoch from local_ts) * 1000)::bigint % {PRIME} * 31 \
         + (utc_offset_minutes + 1440)::bigint * 7919 + {value}::bigint * 131 + coalesce({confidence}, {NO_CONFIDENCE})::bigint * 17 \
         + (extract(epoch from synced_at) * 1000)::bigint % 1000003) % {PRIME} as hash \
         from {table} where local_ts >= '{from}' and local_ts < '{to}') h group by 1, 2"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(synced_at: i64, event_id: &str, seq: usize, value: i32) -> Reading {
        Reading {
            local_ms: EARLIEST_MS,
            offset: 60,
            synced_at,
            event_id: event_id.into(),
            seq,
            value,
            confidence: Some(3),
        }
    }

    #[test]
    fn d_5_the_greatest_version_wins_in_any_order() {
        let versions = [
            reading(1, "b", 0, 60),
            reading(2, "a", 0, 70),
            reading(2, "a", 1, 71),
            reading(1, "z", 9, 80),
        ];
        let alone = sums(vec![versions[2].clone()]);
        for rotation in 0..versions.len() {
            let mut rotated = versions.to_vec();
            rotated.rotate_left(rotation);
            assert_eq!(sums(rotated), alone);
        }
    }

    #[test]
    fn b_8_days_are_summed_up_one_after_the_other_as_all_at_once() {
        let on = |day: i64, value| Reading {
            local_ms: EARLIEST_MS + day * DAY_MS,
            ..reading(1, "a", 0, value)
        };
        let readings: Vec<Reading> = (0..20).map(|day| on(day, 60)).chain([on(19, 70)]).collect();
        let mut days = DaySums::default();
        for reading in readings.clone() {
            days.close_before(day_of(reading.local_ms) - 1);
            days.add(reading);
            assert!(days.open.len() <= 2);
        }
        assert_eq!(days.close(), sums(readings));
    }

    #[test]
    fn another_value_gives_another_sum() {
        assert_ne!(
            sums(vec![reading(1, "a", 0, 60)]),
            sums(vec![reading(1, "a", 0, 61)])
        );
        assert!(!could_be_lived(EARLIEST_MS - 1, 0, EARLIEST_MS));
        assert!(!could_be_lived(EARLIEST_MS + DAY_MS + 1, 0, EARLIEST_MS));
        assert!(could_be_lived(EARLIEST_MS + DAY_MS + MINUTE_MS, 1, EARLIEST_MS));
    }
}
