//! What a cycle refreshes: a pure function of the dirty days, the waiting periods and the time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use pulseline_sql::periods::{DayNumber, Level, dependents};

/// Continuous aggregates of a stream, parents first, with the level of their buckets. The 15-minute ones go by days.
const RELATIONS: [(&str, &str, Level); 8] = [
    ("heart_rates", "stage.heart_rates_15m", Level::Day),
    ("heart_rates", "agg.daily_heart_rates", Level::Day),
    ("heart_rates", "agg.weekly_heart_rates", Level::Week),
    ("heart_rates", "agg.monthly_heart_rates", Level::Month),
    ("steps", "stage.steps_15m", Level::Day),
    ("steps", "agg.daily_steps", Level::Day),
    ("steps", "agg.weekly_steps", Level::Week),
    ("steps", "agg.monthly_steps", Level::Month),
];

/// A row of `ops.dirty_days`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dirty {
    pub(crate) id: i64,
    pub(crate) stream: String,
    pub(crate) day: DayNumber,
}

/// A row of `ops.waiting_periods`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Waiting {
    pub(crate) stream: String,
    pub(crate) level: Level,
    pub(crate) starts_on: DayNumber,
}

/// One CALL: whole buckets of one relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refresh {
    pub(crate) relation: &'static str,
    pub(crate) days: Range<DayNumber>,
    /// Changed periods inside the window.
    pub(crate) periods: usize,
}

/// What to do in a cycle, in this order: refresh, then change the books in one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) refreshes: Vec<Refresh>,
    /// Ids that are dealt with once the refreshes are done: refreshed where closed, noted as waiting where open.
    pub(crate) done: Vec<i64>,
    /// Periods that are still open: real-time shows them, a later cycle refreshes them.
    pub(crate) wait: Vec<Waiting>,
    /// Waiting periods that have closed and are refreshed now.
    pub(crate) closed: Vec<Waiting>,
}

/// Plans a cycle.
pub(crate) fn plan(dirty: &[Dirty], waiting: &[Waiting], now_utc_millis: i64) -> Plan {
    let mut plan = Plan {
        done: dirty.iter().map(|row| row.id).collect(),
        ..Plan::default()
    };
    // Per stream and level: the periods to refresh, by their first day.
    let mut periods: BTreeMap<(&str, Level), BTreeMap<DayNumber, DayNumber>> = BTreeMap::new();
    let mut wait = BTreeSet::new();
    for row in dirty.iter().filter(|row| has_aggregates(&row.stream)) {
        for (level, period) in dependents(row.day) {
            if level.is_open(row.day, now_utc_millis) {
                wait.insert(Waiting {
                    stream: row.stream.clone(),
                    level,
                    starts_on: period.start,
                });
            } else {
                periods
                    .entry((&row.stream, level))
                    .or_default()
                    .insert(period.start, period.end);
            }
        }
    }
    for row in waiting
        .iter()
        .filter(|row| !row.level.is_open(row.starts_on, now_utc_millis))
    {
        let period = row.level.period(row.starts_on);
        periods
            .entry((&row.stream, row.level))
            .or_default()
            .insert(period.start, period.end);
        plan.closed.push(row.clone());
    }
    plan.wait = wait.into_iter().collect();
    for (stream, relation, level) in RELATIONS {
        let found = periods.get(&(stream, level));
        plan.refreshes
            .extend(found.into_iter().flat_map(|found| windows(relation, found)));
    }
    plan
}

fn has_aggregates(stream: &str) -> bool {
    RELATIONS.iter().any(|(of, ..)| *of == stream)
}

/// Joins periods that touch; a gap stays a gap, so that nothing else is refreshed.
fn windows(relation: &'static str, periods: &BTreeMap<DayNumber, DayNumber>) -> Vec<Refresh> {
    let mut windows: Vec<Refresh> = Vec::new();
    for (&start, &end) in periods {
        match windows.last_mut() {
            Some(last) if last.days.end == start => {
                last.days.end = end;
                last.periods += 1;
            }
            _ => windows.push(Refresh {
                relation,
                days: start..end,
                periods: 1,
            }),
        }
    }
    windows
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
