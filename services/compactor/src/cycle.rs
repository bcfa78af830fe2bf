//! One cycle: fold, plan, refresh, recompute sleeps, close, compute days of people, settle, delete what is too old, pack.

use std::time::Instant;

use pulseline_runtime::clock::Clock;
use pulseline_sql::Client;
use pulseline_sql::floor::floor;
use pulseline_sql::lease::Lease;

use crate::config::CompactorConfig;
use crate::dirty::Dirty;
use crate::error::CompactorError;
use crate::locks::keep;
use crate::ops_tables::{self, NewEntry};
use crate::patch::{self, Aggregates, Patch};
use crate::plan::{Plan, Refresh, plan};
use crate::refresh::refresh;
use crate::report::CycleReport;
use crate::{close, facts, metrics, pack, retain, unsettled, user_days};

/// The work of one cycle.
pub(crate) struct Work {
    pub(crate) dirty: Vec<Dirty>,
    aggregates: Aggregates,
    pub(crate) plan: Plan,
    pub(crate) sleeps: Vec<facts::Sleep>,
    waiting: usize,
}

/// Finds the work to do; changes nothing.
pub(crate) async fn find_work(
    client: &Client,
    config: &CompactorConfig,
    clock: &Clock,
) -> Result<Work, CompactorError> {
    // One round trip for what does not depend on each other.
    let floor = async {
        floor(client)
            .await
            .map_err(CompactorError::sql("reading the floor"))
    };
    let dirty = ops_tables::dirty(client, config.dirty_rows);
    let (floor, dirty, waiting) = tokio::try_join!(floor, dirty, ops_tables::waiting(client))?;
    let now = clock.now_utc_millis();
    let changed = patch::changed(&dirty, &waiting, now);
    let aggregates = patch::aggregates(client, &dirty, &changed).await?;
    let few = patch::few(client, &aggregates, changed).await?;
    let mut plan = plan(&dirty, &waiting, now, config.bounds(floor), &few);
    plan.more |= is_full(dirty.len(), config.dirty_rows);
    let sleeps = facts::touched(client, &plan, floor).await?;
    Ok(Work {
        waiting: waiting.len(),
        dirty,
        aggregates,
        plan,
        sleeps,
    })
}

/// Runs one cycle. `is_rested` allows work that nobody waits for.
pub(crate) async fn cycle(
    client: &mut Client,
    lease: &Lease,
    config: &CompactorConfig,
    clock: &Clock,
    is_rested: bool,
) -> Result<CycleReport, CompactorError> {
    let began = Instant::now();
    let folded = ops_tables::fold(client, config.fold_rows).await?;
    let Work {
        dirty,
        aggregates,
        plan,
        sleeps,
        waiting,
    } = find_work(client, config, clock).await?;
    for of_stream in plan.patches.chunk_by(|one, next| one.stream == next.stream) {
        let began = Instant::now();
        patch::apply(client, lease, &aggregates, of_stream).await?;
        for entry in patched(of_stream) {
            ops_tables::journal(client, &entry, began.elapsed()).await?;
        }
        metrics::record_patches(of_stream, began.elapsed());
    }
    for window in &plan.refreshes {
        keep(client, lease).await?;
        let began = Instant::now();
        refresh(client, window).await?;
        let changes = dirty
            .iter()
            .filter(|row| row.stream == window.stream && window.days.contains(&row.day));
        let entry = entry(window, changes.count());
        ops_tables::journal(client, &entry, began.elapsed()).await?;
        metrics::record_refresh(window, began.elapsed());
    }
    let changed = facts::recompute(client, lease, &sleeps, config.slice_sleeps).await?;
    if !plan.done.is_empty() || !plan.closed.is_empty() {
        close::close(client, lease, (&dirty, &plan, &sleeps)).await?;
    }
    let computed = user_days::compute(
        client,
        lease,
        clock.now_utc_millis(),
        (config.user_days, plan.more),
    )
    .await?;
    let is_quiet = is_rested && plan.is_quiet() && !computed.more;
    let settled = unsettled::settle(client, lease, config, is_quiet).await?;
    let deleted = retain::retain(client, lease, config, clock.now_utc_millis()).await?;
    let due = pack::due(client, config, clock.now_utc_millis());
    let (due, ()) = tokio::try_join!(due, ops_tables::trim(client, config.journal_days))?;
    let packed = pack::pack(client, lease, &due).await?;
    let report = CycleReport {
        days: plan.done.len(),
        refreshes: plan.refreshes.len(),
        patched: plan.patches.iter().map(Patch::device_days).sum(),
        sleeps: changed,
        user_days: computed.user_days,
        settled: settled.days,
        packed,
        deleted,
        folded,
        waiting: waiting + plan.wait.len() - plan.closed.len(),
        // If no chunk could be packed, looking again at once is useless.
        more: plan.more
            || computed.more
            || folded >= config.fold_rows
            || is_full(deleted, config.retain_chunks)
            || packed > 0 && is_full(due.len(), config.pack_chunks),
    };
    metrics::record_unsettled(settled.left);
    metrics::record_backlog(&ops_tables::backlog(client).await?);
    metrics::record_cycle(&report, began.elapsed());
    Ok(report)
}

fn is_full(taken: usize, limit: i64) -> bool {
    i64::try_from(taken).is_ok_and(|taken| taken >= limit)
}

fn entry(window: &Refresh, changes: usize) -> NewEntry<'static> {
    NewEntry {
        task: "refresh",
        relation: window.relation,
        days: window.days.clone(),
        reason: match changes {
            0 => "days that were open have closed".to_owned(),
            1 => "1 change".to_owned(),
            changes => format!("{changes} changes"),
        },
        rows: i64::try_from(changes).unwrap_or(i64::MAX),
    }
}

/// Of all patches of a stream, one entry for each relation: so many that each one is short would fill the journal.
fn patched(patches: &[Patch]) -> impl Iterator<Item = NewEntry<'static>> {
    let first = patches.iter().map(|patch| patch.days.start).min().unwrap_or(0);
    let end = patches.iter().map(|patch| patch.days.end).max().unwrap_or(0);
    let device_days: usize = patches.iter().map(Patch::device_days).sum();
    let relations = patches.first().into_iter().flat_map(|patch| patch.relations);
    relations.map(move |relation| NewEntry {
        task: "patch",
        relation,
        days: first..end,
        reason: match device_days {
            1 => "a day of 1 device changed".to_owned(),
            days => format!("{days} days of devices changed"),
        },
        rows: i64::try_from(device_days).unwrap_or(i64::MAX),
    })
}
