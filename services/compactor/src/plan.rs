//! What a cycle does: a pure function of the dirty days, the waiting days and the time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pulseline_sql::periods::{DayNumber, Level};
use uuid::Uuid;

/// Continuous aggregates of a stream, parents first. Both are refreshed by whole days.
const RELATIONS: [(&str, [&str; 2]); 4] = [
    ("heart_rates", ["stage.heart_rates_15m", "agg.heart_rates_1d"]),
    ("steps", ["stage.steps_15m", "agg.steps_1d"]),
    ("distances", ["stage.distances_15m", "agg.distances_1d"]),
    ("calories", ["stage.calories_15m", "agg.calories_1d"]),
];
/// Streams whose changes can change the heart rate of a sleep.
const OF_SLEEPS: [&str; 2] = ["heart_rates", "sleeps"];
/// Days in one CALL: a long statement holds everyone where all clients share one session.
const CALL_DAYS: usize = 7;

/// A row of `ops.dirty_days`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dirty {
    pub(crate) id: i64,
    pub(crate) stream: String,
    pub(crate) device: Option<Uuid>,
    pub(crate) day: DayNumber,
}

/// A row of `ops.waiting_days`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Waiting {
    pub(crate) stream: String,
    pub(crate) day: DayNumber,
}

/// One CALL: whole days of one relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refresh {
    pub(crate) stream: &'static str,
    pub(crate) relation: &'static str,
    pub(crate) days: Range<DayNumber>,
}

/// How much a cycle takes up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Days before it are not refreshed: their readings are deleted (P12).
    pub(crate) floor: Option<DayNumber>,
    /// Days of a stream that are refreshed.
    pub(crate) days: usize,
    /// Days of devices whose sleeps are looked at.
    pub(crate) device_days: usize,
}

/// What to do in a cycle, in this order: refresh, recompute sleeps, then change the books in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) refreshes: Vec<Refresh>,
    /// Days of devices whose sleeps may have another heart rate now, newest first.
    pub(crate) slept: Vec<(Uuid, DayNumber)>,
    /// Ids that are dealt with once all of this is done: refreshed where closed, noted as waiting where open.
    pub(crate) done: Vec<i64>,
    /// Days that are still open: real-time shows them, a later cycle refreshes them (P5).
    pub(crate) wait: Vec<Waiting>,
    /// Waiting days that have closed and are refreshed now.
    pub(crate) closed: Vec<Waiting>,
    /// True when more is left than the bounds allow.
    pub(crate) more: bool,
}

/// Plans a cycle, newest days first: a year of backlog cannot keep the present waiting.
pub(crate) fn plan(dirty: &[Dirty], waiting: &[Waiting], now_utc_millis: i64, bounds: Bounds) -> Plan {
    let is_open = |day: DayNumber| Level::Day.is_open(day, now_utc_millis);
    let is_gone = |day: DayNumber| bounds.floor.is_some_and(|floor| day < floor);
    let mut plan = Plan::default();
    let mut taken: BTreeMap<&str, BTreeSet<DayNumber>> = BTreeMap::new();
    for (stream, _) in RELATIONS {
        let of_dirty = dirty.iter().filter(|row| row.stream == stream).map(|row| row.day);
        let of_waiting = waiting
            .iter()
            .filter(|row| row.stream == stream)
            .map(|row| row.day);
        let closed: BTreeSet<_> = of_dirty
            .chain(of_waiting)
            .filter(|day| !is_open(*day) && !is_gone(*day))
            .collect();
        plan.more |= closed.len() > bounds.days;
        taken.insert(stream, closed.into_iter().rev().take(bounds.days).collect());
    }
    let slept: BTreeSet<_> = dirty.iter().filter_map(slept_of).collect();
    plan.more |= slept.len() > bounds.device_days;
    let slept: BTreeSet<_> = slept.into_iter().rev().take(bounds.device_days).collect();
    let mut wait = BTreeSet::new();
    for row in dirty {
        let is_refreshed = taken
            .get(row.stream.as_str())
            .is_none_or(|days| is_open(row.day) || is_gone(row.day) || days.contains(&row.day));
        if is_refreshed && slept_of(row).is_none_or(|day| slept.contains(&day)) {
            plan.done.push(row.id);
            if taken.contains_key(row.stream.as_str()) && is_open(row.day) {
                wait.insert(Waiting {
                    stream: row.stream.clone(),
                    day: row.day,
                });
            }
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
    plan.refreshes = refreshes(&taken);
    plan
}

/// Ordered by day, so that the newest can be taken first.
fn slept_of(row: &Dirty) -> Option<(DayNumber, Uuid)> {
    let device = row.device?;
    OF_SLEEPS
        .contains(&row.stream.as_str())
        .then_some((row.day, device))
}

/// Window by window, newest first, and within a window parents first.
fn refreshes(taken: &BTreeMap<&str, BTreeSet<DayNumber>>) -> Vec<Refresh> {
    let mut refreshes = Vec::new();
    for (stream, relations) in RELATIONS {
        for days in taken.get(stream).into_iter().flat_map(windows) {
            refreshes.extend(relations.map(|relation| Refresh {
                stream,
                relation,
                days: days.clone(),
            }));
        }
    }
    // Stable: parents stay before what stands on them.
    refreshes.sort_by_key(|refresh| std::cmp::Reverse(refresh.days.end));
    refreshes
}

/// Joins days that touch, up to a CALL's length; a gap stays a gap, so that nothing else is refreshed.
fn windows(days: &BTreeSet<DayNumber>) -> Vec<Range<DayNumber>> {
    let mut windows: Vec<Range<DayNumber>> = Vec::new();
    for &day in days {
        match windows.last_mut() {
            Some(last) if last.end == day && last.len() < CALL_DAYS => last.end = day + 1,
            _ => windows.push(day..day + 1),
        }
    }
    windows
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
