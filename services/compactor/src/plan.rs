//! Plans a cycle: a pure function of the dirty days, the waiting days and the time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pulseline_schemas::{Readings, Stream};
use pulseline_sql::periods::{DayNumber, Level};
use uuid::Uuid;

use crate::dirty::{Dirty, Waiting};
use crate::patch::{Changed, Patch, patched, patches};

/// Most days per CALL, which are whole. A long statement blocks all clients that share one session.
const DAYS_MAX: usize = 28;
/// Most readings of a device that a CALL computes 15-minute buckets from: 7 days of heart rates.
const READINGS_MAX: usize = 7 * 17_280;
/// Streams whose changes can affect the heart rate of a sleep.
const OF_SLEEPS: [Stream; 2] = [Stream::HeartRates, Stream::Sleeps];

/// One CALL: whole days of one relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refresh {
    pub(crate) stream: &'static str,
    pub(crate) relation: &'static str,
    pub(crate) days: Range<DayNumber>,
}

/// The bounds of a cycle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Earlier days are not refreshed: their readings are deleted (P12).
    pub(crate) floor: Option<DayNumber>,
    /// Days of a stream to refresh.
    pub(crate) days: usize,
    /// Device days whose sleeps are checked.
    pub(crate) device_days: usize,
}

/// The work of a cycle, in this order: refresh, recompute sleeps, then change the ops tables in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) refreshes: Vec<Refresh>,
    /// Days that changed for few devices, before the refreshes: they cost little, and are seen soon.
    pub(crate) patches: Vec<Patch>,
    /// Device days whose sleeps may have another heart rate now, newest first.
    pub(crate) slept: Vec<(Uuid, DayNumber)>,
    /// Device days with changed heart rates that are left for a later cycle: sleeps with readings there wait for it.
    pub(crate) pending: BTreeSet<(Uuid, DayNumber)>,
    /// Ids to delete afterwards: closed days were refreshed, open days noted as waiting.
    pub(crate) done: Vec<i64>,
    /// Days that are still open: real-time aggregation shows them, a later cycle refreshes them (P5).
    pub(crate) wait: Vec<Waiting>,
    /// Waiting days that have closed and are refreshed now.
    pub(crate) closed: Vec<Waiting>,
    /// True when more is left than the bounds allow.
    pub(crate) more: bool,
}

impl Plan {
    /// True when no figure of a closed day waits.
    pub(crate) fn is_quiet(&self) -> bool {
        self.patches.is_empty() && self.refreshes.is_empty() && !self.more
    }
}

/// Plans a cycle, newest days first: a year of backlog cannot delay the present. Closed days go first: once a later day is
/// refreshed, real-time aggregation shows them no more. Days in `few` are patched.
pub(crate) fn plan(
    dirty: &[Dirty],
    waiting: &[Waiting],
    now_utc_millis: i64,
    bounds: Bounds,
    few: &Changed,
) -> Plan {
    let is_open = |day: DayNumber| Level::Day.is_open(day, now_utc_millis);
    let is_gone = |day: DayNumber| bounds.floor.is_some_and(|floor| day < floor);
    let mut plan = Plan::default();
    let mut taken: BTreeMap<&str, BTreeSet<DayNumber>> = BTreeMap::new();
    for (stream, _) in Stream::readings() {
        let stream = stream.name();
        let is_due = |day: &DayNumber| !is_open(*day) && !is_gone(*day);
        let of_waiting = waiting.iter().filter(|row| row.stream == stream);
        let of_waiting: BTreeSet<_> = of_waiting.map(|row| row.day).filter(is_due).collect();
        let of_dirty = dirty.iter().filter(|row| row.stream == stream);
        let of_dirty: BTreeSet<_> = of_dirty.map(|row| row.day).filter(is_due).collect();
        let of_dirty: Vec<_> = of_dirty.difference(&of_waiting).collect();
        let mut newest = of_waiting.iter().rev().chain(of_dirty.into_iter().rev()).copied();
        taken.insert(stream, newest.by_ref().take(bounds.days).collect());
        plan.more |= newest.next().is_some();
    }
    let is_refreshed = |row: &&Dirty| {
        let days = taken.get(row.stream.as_str());
        days.is_none_or(|days| is_open(row.day) || is_gone(row.day) || days.contains(&row.day))
    };
    let slept: BTreeSet<_> = dirty.iter().filter(is_refreshed).filter_map(slept_of).collect();
    plan.more |= slept.len() > bounds.device_days;
    let slept: BTreeSet<_> = slept.into_iter().rev().take(bounds.device_days).collect();
    let mut wait = BTreeSet::new();
    for row in dirty {
        if is_refreshed(&row) && slept_of(row).is_none_or(|day| slept.contains(&day)) {
            plan.done.push(row.id);
            if taken.contains_key(row.stream.as_str()) && is_open(row.day) {
                wait.insert(Waiting {
                    stream: row.stream.clone(),
                    day: row.day,
                });
            }
        } else if row.stream == Stream::HeartRates.name() {
            plan.pending.extend(row.device.map(|device| (device, row.day)));
        }
    }
    plan.wait = wait.into_iter().collect();
    let is_taken = |row: &&Waiting| {
        taken
            .get(row.stream.as_str())
            .is_some_and(|days| is_gone(row.day) || days.contains(&row.day))
    };
    plan.closed = waiting.iter().filter(is_taken).cloned().collect();
    plan.slept = slept
        .into_iter()
        .rev()
        .map(|(day, device)| (device, day))
        .collect();
    for (stream, readings) in Stream::readings() {
        let (stream, most) = (stream.name(), quarters_days_max(readings));
        let Some(days) = taken.get_mut(stream) else {
            continue;
        };
        let patched = patched(stream, days, dirty, few);
        plan.patches.extend(patches(stream, readings, &patched, most));
        days.retain(|day| !few.contains_key(&(stream, *day)));
    }
    plan.refreshes = refreshes(&taken);
    plan
}

/// Ordered by day, so that the newest can be taken first.
fn slept_of(row: &Dirty) -> Option<(DayNumber, Uuid)> {
    let device = row.device?;
    let is_of_sleeps = OF_SLEEPS.iter().any(|stream| stream.name() == row.stream);
    is_of_sleeps.then_some((row.day, device))
}

/// Most days of 15-minute buckets per CALL. A day is computed from 96 rows of a device, its buckets from its readings.
fn quarters_days_max(readings: Readings) -> usize {
    (READINGS_MAX / readings.a_day).clamp(1, DAYS_MAX)
}

/// Windows of the top relations, newest first, each preceded by the windows it is computed from.
fn refreshes(taken: &BTreeMap<&str, BTreeSet<DayNumber>>) -> Vec<Refresh> {
    let mut refreshes = Vec::new();
    for (stream, readings) in Stream::readings() {
        let stream = stream.name();
        let refresh = |relation, days| Refresh {
            stream,
            relation,
            days,
        };
        let all = taken.get(stream).into_iter().flatten().copied();
        for window in windows(all, DAYS_MAX) {
            let parts = windows(window.clone(), quarters_days_max(readings))
                .into_iter()
                .rev();
            let of_window = parts.map(|part| refresh(readings.quarters, part));
            let of_window = of_window.chain([refresh(readings.days, window.clone())]);
            refreshes.extend(of_window.map(|refresh| (window.end, refresh)));
        }
    }
    // Stable: parents stay before their children.
    refreshes.sort_by_key(|(end, _)| std::cmp::Reverse(*end));
    refreshes.into_iter().map(|(_, refresh)| refresh).collect()
}

/// Joins adjacent days, up to a number; a gap stays a gap, so that nothing else is refreshed.
fn windows(days: impl Iterator<Item = DayNumber>, most: usize) -> Vec<Range<DayNumber>> {
    let mut windows: Vec<Range<DayNumber>> = Vec::new();
    for day in days {
        match windows.last_mut() {
            Some(last) if last.end == day && last.len() < most => last.end = day + 1,
            _ => windows.push(day..day + 1),
        }
    }
    windows
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
