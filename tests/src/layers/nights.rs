//! Sleeps: which of overlapping ones counts, their levels, and the heart rates between start and end.

use std::collections::BTreeMap;

use pulseline_schemas::{Sleep, SleepLevel, Upload};
use uuid::Uuid;

use super::decimal::rounded;
use super::owners::{Owners, Scope};
use super::rows::{Figures, Rows};
use crate::oracle::{HeartRateRow, Oracle};

/// Order of the level columns.
const KINDS: [&str; 7] = ["deep", "light", "rem", "wake", "asleep", "restless", "other"];

/// A sleep with its figures.
#[derive(Clone, Debug)]
pub(super) struct Night {
    pub(super) sleep: Sleep,
    pub(super) score: Option<i32>,
    /// Tenths of minutes by kind; none without a segment of the kind.
    pub(super) tenths: [Option<i64>; 7],
    pub(super) readings: i64,
    pub(super) valid: i64,
    pub(super) sum: i64,
    pub(super) extremes: Option<(i64, i64)>,
}

/// A period of a device, with what decides between two overlapping ones.
pub(super) trait Stretch {
    fn upload(&self) -> &Upload;
    fn log_id(&self) -> i64;
    fn end_offset(&self) -> i32;

    /// Start and end on the UTC line, milliseconds.
    fn span(&self) -> (i64, i64) {
        let upload = self.upload();
        let start = upload.window_start.at_offset(upload.utc_offset_minutes).0;
        (start, upload.window_end.at_offset(self.end_offset()).0)
    }

    fn is_beaten_by(&self, other: &Self) -> bool {
        let rank = |of: &Self| {
            let (start, end) = of.span();
            let upload = of.upload();
            (
                end - start,
                upload.synced_at,
                upload.event_id,
                upload.device_id,
                of.log_id(),
            )
        };
        let ((start, end), (from, to)) = (self.span(), other.span());
        from < end && start < to && rank(other) > rank(self)
    }
}

impl Stretch for Sleep {
    fn upload(&self) -> &Upload {
        &self.upload
    }

    fn log_id(&self) -> i64 {
        self.log_id
    }

    fn end_offset(&self) -> i32 {
        self.end_utc_offset_minutes
    }
}

pub(super) fn of(oracle: &Oracle) -> Vec<Night> {
    let mut readings: BTreeMap<Uuid, Vec<(i64, HeartRateRow)>> = BTreeMap::new();
    for (key, row) in &oracle.heart_rates {
        readings
            .entry(key.device_id)
            .or_default()
            .push((key.at().0, *row));
    }
    let night = |((device, log_id), sleep): (&(Uuid, i64), &Sleep)| {
        let (start, end) = sleep.span();
        let mut night = Night {
            sleep: sleep.clone(),
            score: oracle
                .sleep_scores
                .get(&(*device, *log_id))
                .and_then(|score| score.overall_score),
            tenths: tenths(&sleep.levels, &sleep.short_levels),
            readings: 0,
            valid: 0,
            sum: 0,
            extremes: None,
        };
        for (at, row) in readings.get(device).into_iter().flatten() {
            if (start..end).contains(at) {
                night.read(row);
            }
        }
        night
    };
    oracle.sleeps.iter().map(night).collect()
}

impl Night {
    fn read(&mut self, row: &HeartRateRow) {
        self.readings += 1;
        if row.confidence != Some(0) {
            let bpm = i64::from(row.bpm);
            self.valid += 1;
            self.sum += bpm;
            let (low, high) = self.extremes.unwrap_or((bpm, bpm));
            self.extremes = Some((low.min(bpm), high.max(bpm)));
        }
    }

    /// Tenths of minutes of all four stages, for a log that has stages.
    pub(super) fn staged(&self) -> Option<i64> {
        (self.sleep.kind == "stages").then(|| self.tenths[..4].iter().flatten().sum())
    }
}

fn kind(level: &str) -> usize {
    let level = if level == "awake" { "wake" } else { level };
    KINDS
        .iter()
        .position(|kind| *kind == level && *kind != "other")
        .unwrap_or(6)
}

/// Counts by the second: a short segment replaces the part of the long one that it covers.
fn tenths(levels: &[SleepLevel], shorts: &[SleepLevel]) -> [Option<i64>; 7] {
    let mut seconds: [Option<i64>; 7] = [None; 7];
    for level in levels {
        let below = seconds[kind(&level.level)].get_or_insert(0);
        *below += i64::from(level.seconds);
        for short in shorts {
            let end = |of: &SleepLevel| of.ts.0 + i64::from(of.seconds) * 1_000;
            let covered = end(level).min(end(short)) - level.ts.0.max(short.ts.0);
            if covered > 0 {
                *seconds[kind(&level.level)].get_or_insert(0) -= covered / 1_000;
                *seconds[kind(&short.level)].get_or_insert(0) += covered / 1_000;
            }
        }
    }
    seconds.map(|seconds| rounded(i128::from(seconds?) * 10, 60))
}

/// For each owner the periods that no better one overlaps.
pub(super) fn best<'a, T: Stretch>(
    all: &'a [T],
    owners: &Owners,
    beats: fn(&T, &T) -> bool,
) -> Vec<(Uuid, &'a T)> {
    let mut of_owner: BTreeMap<Uuid, Vec<&T>> = BTreeMap::new();
    for one in all {
        if let Some(owner) = owners.get(&one.upload().device_id) {
            of_owner.entry(*owner).or_default().push(one);
        }
    }
    let mut best = Vec::new();
    for (owner, all) in of_owner {
        let kept = all
            .iter()
            .filter(|one| !all.iter().any(|other| beats(other, one)));
        best.extend(kept.map(|one| (owner, *one)));
    }
    best
}

impl Stretch for Night {
    fn upload(&self) -> &Upload {
        &self.sleep.upload
    }

    fn log_id(&self) -> i64 {
        self.sleep.log_id
    }

    fn end_offset(&self) -> i32 {
        self.sleep.end_utc_offset_minutes
    }
}

pub(super) fn surviving<'a>(nights: &'a [Night], owners: &Owners) -> Vec<(Uuid, &'a Night)> {
    best(nights, owners, |other, one| one.is_beaten_by(other))
}

pub(super) fn rows(nights: &[(Uuid, &Night)], scope: Scope) -> Rows {
    let row = |(owner, night): &(Uuid, &Night)| {
        let sleep = &night.sleep;
        let device = sleep.upload.device_id;
        let (start, end) = night.span();
        let in_bed = i128::from(sleep.time_in_bed);
        let mut figures: Figures = vec![
            Some(start),
            Some(end),
            rounded(i128::from(sleep.minutes_asleep) * 1_000, in_bed),
            night.score.map(i64::from),
        ];
        figures.extend(night.tenths);
        figures.extend([
            Some(night.readings),
            Some(night.valid),
            Some(night.sum),
            night.extremes.map(|(low, _)| low),
            night.extremes.map(|(_, high)| high),
            rounded(i128::from(night.sum) * 100, night.valid.into()),
        ]);
        let owner = if scope == Scope::User { *owner } else { device };
        ((owner, device, sleep.log_id, 0), figures)
    };
    nights.iter().map(row).collect()
}
