//! Quarters of an hour, and the device that counts for a person in each.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use uuid::Uuid;

use super::owners::{Owners, day_of};
use super::rows::{Figures, Rows};
use crate::oracle::{Oracle, ReadingKey};

const QUARTER_MS: i64 = 900_000;
const MINUTE_MS: i64 = 60_000;

/// Readings of one stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    pub(super) readings: i64,
    pub(super) sum: i64,
    pub(super) extremes: Option<(i64, i64)>,
}

impl Sum {
    fn add(&mut self, value: i32) {
        self.readings += 1;
        self.take(value.into());
    }

    fn take(&mut self, value: i64) {
        self.sum += value;
        let (low, high) = self.extremes.unwrap_or((value, value));
        self.extremes = Some((low.min(value), high.max(value)));
    }

    /// Adds another set of readings.
    pub(super) fn merge(&mut self, other: &Self) {
        self.readings += other.readings;
        self.sum += other.sum;
        if let Some((low, high)) = other.extremes {
            let (mine, most) = self.extremes.unwrap_or((low, high));
            self.extremes = Some((mine.min(low), most.max(high)));
        }
    }

    pub(super) fn high(&self) -> Option<i64> {
        self.extremes.map(|(_, high)| high)
    }

    pub(super) fn low(&self) -> Option<i64> {
        self.extremes.map(|(low, _)| low)
    }
}

/// A device's readings in a quarter.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quarter {
    pub(super) worn: u16,
    /// Readings of any confidence; the sum is over valid ones.
    pub(super) heart: Sum,
    pub(super) valid: i64,
    /// Steps, distances, calories.
    pub(super) minutes: [Sum; 3],
}

impl Quarter {
    fn figures(&self, starts_at: i64) -> Figures {
        let is_read = self.heart.readings > 0;
        let mut figures = vec![
            Some(starts_at),
            Some(self.worn.count_ones().into()),
            is_read.then_some(self.heart.readings),
            is_read.then_some(self.valid),
            (self.valid > 0).then_some(self.heart.sum),
            self.heart.low(),
            self.heart.high(),
        ];
        for sum in &self.minutes {
            let is_there = sum.readings > 0;
            figures.extend([
                is_there.then_some(sum.readings),
                is_there.then_some(sum.sum),
                sum.low(),
                sum.high(),
            ]);
        }
        figures
    }
}

/// Device, start on the wall clock, offset.
pub(super) type QuarterKey = (Uuid, i64, i32);
pub(super) type Quarters = BTreeMap<QuarterKey, Quarter>;

pub(super) fn of(oracle: &Oracle) -> Quarters {
    let mut quarters = Quarters::new();
    for (key, row) in &oracle.heart_rates {
        let quarter = quarters.entry(place(key)).or_default();
        quarter.heart.readings += 1;
        if row.confidence != Some(0) {
            quarter.heart.take(row.bpm.into());
            quarter.valid += 1;
            quarter.worn |= 1 << (key.local_ts.0.rem_euclid(QUARTER_MS) / MINUTE_MS);
        }
    }
    for (key, row) in &oracle.steps {
        quarters.entry(place(key)).or_default().minutes[0].add(row.steps);
    }
    for (key, row) in &oracle.distances {
        quarters.entry(place(key)).or_default().minutes[1].add(row.distance_mm);
    }
    for (key, row) in &oracle.calories {
        quarters.entry(place(key)).or_default().minutes[2].add(row.millikcal);
    }
    quarters
}

fn place(key: &ReadingKey) -> QuarterKey {
    let start = key.local_ts.0.div_euclid(QUARTER_MS) * QUARTER_MS;
    (key.device_id, start, key.utc_offset_minutes)
}

fn instant((_, start, offset): &QuarterKey) -> i64 {
    start - i64::from(*offset) * MINUTE_MS
}

/// The quarters that count for each owner: of one person's devices at the same instant, the one that was worn
/// longer, then the one that moved, then the one with the smaller id.
pub(super) fn counted(quarters: &Quarters, owners: &Owners) -> Vec<(Uuid, QuarterKey, Quarter)> {
    let owned = || {
        quarters
            .iter()
            .filter_map(|(key, quarter)| Some((owners.on(key.0, day_of(key.1))?, key, quarter)))
    };
    let mut speakers: BTreeMap<(Uuid, i64), (u32, bool, Reverse<Uuid>)> = BTreeMap::new();
    for (owner, key, quarter) in owned() {
        let [steps, distance, _] = quarter.minutes.map(|minutes| minutes.sum);
        let mine = (
            quarter.worn.count_ones(),
            steps > 0 || distance > 0,
            Reverse(key.0),
        );
        let best = speakers.entry((owner, instant(key))).or_insert(mine);
        *best = mine.max(*best);
    }
    owned()
        .filter(|(owner, key, _)| {
            speakers
                .get(&(*owner, instant(key)))
                .is_some_and(|(.., best)| best.0 == key.0)
        })
        .map(|(owner, key, quarter)| (owner, *key, *quarter))
        .collect()
}

pub(super) fn rows(quarters: &Quarters) -> Rows {
    let row = |(key, quarter): (&QuarterKey, &Quarter)| {
        ((key.0, key.0, key.1, key.2.into()), quarter.figures(instant(key)))
    };
    quarters.iter().map(row).collect()
}

pub(super) fn owned_rows(quarters: &[(Uuid, QuarterKey, Quarter)]) -> Rows {
    let row = |(owner, key, quarter): &(Uuid, QuarterKey, Quarter)| {
        (
            (*owner, key.0, key.1, key.2.into()),
            quarter.figures(instant(key)),
        )
    };
    quarters.iter().map(row).collect()
}
