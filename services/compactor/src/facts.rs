//! The heart rate of sleeps: stored in `stage.sleep_heart_rates`, recomputed for the nights that a change can affect.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Instant;

use pulseline_sql::lease::Lease;
use pulseline_sql::periods::{DayNumber, Midnight, sleep_window};
use pulseline_sql::{Client, GenericClient, query};
use uuid::Uuid;

use crate::error::CompactorError;
use crate::locks::{NO_ERASURE, keep};
use crate::metrics;
use crate::ops_tables::{self, NewEntry};
use crate::plan::Plan;

/// Planned with its days each time: a plan for any days would lock every chunk.
const PLAN: &str = "set local plan_cache_mode = force_custom_plan";
const RECOMPUTE: &str = query!("compactor/sleep_heart_rates");

/// The greatest UTC offset of a loaded reading, in either direction.
const OFFSET_HOURS: i32 = 18;
/// Local days from the start of a statement's first sleep to the end of its last. For each sleep the statement reads
/// the chunks of these days, and of two more on each side.
const SPAN_DAYS: usize = 14;

/// A sleep to recompute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sleep {
    device: Uuid,
    log_id: i64,
    /// Local days from its start to its end.
    days: Range<DayNumber>,
}

impl Sleep {
    pub(crate) fn device(&self) -> Uuid {
        self.device
    }

    /// The local day on which it ended, whose figures it is part of.
    pub(crate) fn ends_on(&self) -> DayNumber {
        self.days.end - 1
    }
}

/// The sleeps whose heart rate changes on these days can affect, newest first. A sleep that waits for a day's refresh
/// is left to that refresh's cycle. A sleep that may have readings below the floor keeps its stored heart rate.
pub(crate) async fn touched(
    client: &Client,
    plan: &Plan,
    floor: Option<DayNumber>,
) -> Result<Vec<Sleep>, CompactorError> {
    let devices: Vec<_> = plan.slept.iter().map(|(device, _)| *device).collect();
    let windows = || plan.slept.iter().map(|(_, day)| sleep_window(*day));
    let low: Vec<_> = windows().map(|window| window.start).collect();
    let high: Vec<_> = windows().map(|window| window.end).collect();
    let rows = client
        .query(
            query!("compactor/sleeps_near_days"),
            &[&devices, &low, &high, &floor.map(first_start)],
        )
        .await
        .map_err(CompactorError::sql("looking for sleeps"))?;
    let near = rows.iter().map(|row| {
        let sleep = Sleep {
            device: row.get(0),
            log_id: row.get(1),
            days: row.get(2)..row.get::<_, DayNumber>(3) + 1,
        };
        (sleep, days_of_readings(row.get(4), row.get(5)))
    });
    Ok(due(near, plan))
}

/// Local days on which a reading of a sleep can lie, whatever its offset, from the sleep's hours UTC. A sleep whose
/// offsets make it end before it begins has no readings, but still a day.
fn days_of_readings(starts: i32, ends: i32) -> Range<DayNumber> {
    let low = (starts - OFFSET_HOURS).div_euclid(24);
    low..((ends + OFFSET_HOURS).div_euclid(24) + 1).max(low + 1)
}

/// Keeps the sleeps whose days a change touches, and drops those whose refresh is still to come.
fn due(near: impl Iterator<Item = (Sleep, Range<DayNumber>)>, plan: &Plan) -> Vec<Sleep> {
    let slept: BTreeSet<_> = plan.slept.iter().copied().collect();
    let has_one = |of: &BTreeSet<(Uuid, DayNumber)>, device, days: &Range<DayNumber>| {
        of.range((device, days.start)..(device, days.end))
            .next()
            .is_some()
    };
    near.filter(|(sleep, days)| {
        has_one(&slept, sleep.device, days) && !has_one(&plan.pending, sleep.device, days)
    })
    .map(|(sleep, _)| sleep)
    .collect()
}

/// The first day on which a sleep may start so that all its readings lie at or above the floor.
fn first_start(floor: DayNumber) -> DayNumber {
    floor + (floor - sleep_window(floor).start)
}

/// Recomputes sleeps, at most `most` per statement; returns how many heart rates changed.
pub(crate) async fn recompute(
    client: &mut Client,
    lease: &Lease,
    sleeps: &[Sleep],
    most: usize,
) -> Result<u64, CompactorError> {
    let mut changed = 0;
    for sleeps in slices(sleeps, most) {
        let began = Instant::now();
        let written = write(client, lease, sleeps).await?;
        changed += written;
        let entry = NewEntry {
            task: "facts",
            relation: "stage.sleep_heart_rates",
            days: days(sleeps),
            reason: format!("{} sleeps on changed days", sleeps.len()),
            rows: i64::try_from(written).unwrap_or(i64::MAX),
        };
        if written > 0 {
            ops_tables::journal(client, &entry, began.elapsed()).await?;
        }
        metrics::record_sleeps(sleeps.len(), began.elapsed());
    }
    Ok(changed)
}

/// One statement, kept only if this compactor still holds the lease at its end: otherwise it may overwrite a new
/// owner's rows with older data.
async fn write(client: &mut Client, lease: &Lease, sleeps: &[Sleep]) -> Result<u64, CompactorError> {
    let failed = || CompactorError::sql("recomputing the heart rate of sleeps");
    let devices: Vec<_> = sleeps.iter().map(|sleep| sleep.device).collect();
    let logs: Vec<_> = sleeps.iter().map(|sleep| sleep.log_id).collect();
    let days = days(sleeps);
    let transaction = client.transaction().await.map_err(failed())?;
    for statement in [PLAN, NO_ERASURE] {
        transaction.batch_execute(statement).await.map_err(failed())?;
    }
    let written = transaction
        .execute(
            RECOMPUTE,
            &[&devices, &logs, &Midnight(days.start), &Midnight(days.end)],
        )
        .await
        .map_err(failed())?;
    keep(&transaction, lease).await?;
    transaction.commit().await.map_err(failed())?;
    Ok(written)
}

/// Splits sleeps, in order, into statements: each few enough, and close enough together to touch few chunks.
fn slices(sleeps: &[Sleep], most: usize) -> Vec<&[Sleep]> {
    let mut slices = Vec::new();
    let mut rest = sleeps;
    while let Some(first) = rest.first() {
        let span_days = first.days.len().max(SPAN_DAYS);
        let mut span = first.days.clone();
        let near = rest.iter().take(most).take_while(|sleep| {
            span = span.start.min(sleep.days.start)..span.end.max(sleep.days.end);
            span.len() <= span_days
        });
        let (slice, after) = rest.split_at(near.count().max(1));
        slices.push(slice);
        rest = after;
    }
    slices
}

/// Local days on which readings of these sleeps can lie.
fn days(sleeps: &[Sleep]) -> Range<DayNumber> {
    let low = sleeps.iter().map(|sleep| sleep.days.start).min().unwrap_or(0);
    let high = sleeps.iter().map(|sleep| sleep.days.end).max().unwrap_or(0);
    sleep_window(low).start..sleep_window(high).end
}

#[cfg(test)]
#[path = "facts_tests.rs"]
pub(crate) mod tests;
