//! Sleeps: which of overlapping ones counts, their levels, and the heart rates between start and end.

use std::collections::BTreeMap;

use pulseline_schemas::{Sleep, SleepLevel, Upload};
use pulseline_sql::periods::DayNumber;
use uuid::Uuid;

use super::decimal::rounded;
use super::owners::{Owners, Scope, day_of};
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

    /// The longest first, then the newest upload.
    fn rank(&self) -> impl Ord {
        let (start, end) = self.span();
        let upload = self.upload();
        (
            end - start,
            upload.synced_at.0,
            upload.event_id,
            upload.device_id,
            self.log_id(),
        )
    }

    fn overlaps(&self, other: &Self) -> bool {
        let ((start, end), (from, to)) = (self.span(), other.span());
        // One that does not end after its start overlaps none.
        from < end && start < to && start < end && from < to
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

/// Counts second by second: the first short segment that covers one says what it is, else the long one.
fn tenths(levels: &[SleepLevel], shorts: &[SleepLevel]) -> [Option<i64>; 7] {
    let mut seconds: [Option<i64>; 7] = [None; 7];
    let covers = |of: &SleepLevel, at: i64| (of.ts.0..of.ts.0 + i64::from(of.seconds) * 1_000).contains(&at);
    for level in levels {
        for second in 0..i64::from(level.seconds) {
            let at = level.ts.0 + second * 1_000;
            let short = shorts.iter().find(|short| covers(short, at));
            *seconds[kind(&short.unwrap_or(level).level)].get_or_insert(0) += 1;
        }
    }
    seconds.map(|seconds| rounded(i128::from(seconds?) * 10, 60))
}

/// For each owner the periods that count: from the best one on, each that no counting one stands in the way of.
pub(super) fn best<'a, T: Stretch>(
    all: &'a [T],
    owners: &Owners,
    day: fn(&T) -> DayNumber,
    beats: fn(&T, &T) -> bool,
) -> Vec<(Uuid, &'a T)> {
    let mut of_owner: BTreeMap<Uuid, Vec<&T>> = BTreeMap::new();
    for one in all {
        if let Some(owner) = owners.on(one.upload().device_id, day(one)) {
            of_owner.entry(owner).or_default().push(one);
        }
    }
    let mut best = Vec::new();
    for (owner, mut all) in of_owner {
        all.sort_by(|one, other| other.rank().cmp(&one.rank()));
        let mut counting: Vec<&T> = Vec::new();
        for one in all {
            if !counting.iter().any(|other| beats(other, one)) {
                counting.push(one);
            }
        }
        best.extend(counting.into_iter().map(|one| (owner, one)));
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
    let ended_on = |night: &Night| day_of(night.sleep.upload.window_end.0);
    best(nights, owners, ended_on, |other, one| one.overlaps(other))
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
