//! One cycle: fold, plan, refresh, close.

use std::time::{Duration, Instant};

use pulseline_runtime::clock::Clock;
use pulseline_sql::periods::date_of;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::books;
use crate::config::CompactorConfig;
use crate::error::CompactorError;
use crate::metrics;
use crate::plan::{Refresh, plan};

/// Attempts at a refresh that another one blocks (55P03) before the cycle gives way.
const LOCKED_ATTEMPTS: u32 = 5;
const LOCKED_PAUSE: Duration = Duration::from_millis(200);

/// What a cycle did and left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CycleReport {
    /// Dirty days that were dealt with.
    pub days: usize,
    /// Windows that were refreshed.
    pub refreshes: usize,
    /// Rows of the accounting's log that were folded.
    pub folded: i64,
    /// Periods that wait until they have closed.
    pub waiting: usize,
    /// True when more is left than one cycle takes.
    pub more: bool,
}

/// Runs one cycle.
pub(crate) async fn cycle(
    client: &mut Client,
    config: &CompactorConfig,
    clock: &Clock,
) -> Result<CycleReport, CompactorError> {
    let began = Instant::now();
    let folded = books::fold(client, config.fold_rows).await?;
    let dirty = books::dirty(client, config.dirty_rows).await?;
    let waiting = books::waiting(client).await?;
    let plan = plan(&dirty, &waiting, clock.now_utc_millis());
    for window in &plan.refreshes {
        let began = Instant::now();
        refresh(client, window).await?;
        books::journal(client, window, began.elapsed()).await?;
        metrics::record_refresh(window, began.elapsed());
    }
    if !plan.done.is_empty() || !plan.closed.is_empty() {
        books::close(client, &plan).await?;
    }
    let is_full = |taken: usize, limit: i64| i64::try_from(taken).is_ok_and(|taken| taken >= limit);
    let report = CycleReport {
        days: dirty.len(),
        refreshes: plan.refreshes.len(),
        folded,
        waiting: waiting.len() + plan.wait.len() - plan.closed.len(),
        more: is_full(dirty.len(), config.dirty_rows) || folded >= config.fold_rows,
    };
    metrics::record_cycle(&report, began.elapsed());
    Ok(report)
}

/// One CALL, alone in its simple query: two in one string, or one in a transaction, are refused.
async fn refresh(client: &Client, window: &Refresh) -> Result<(), CompactorError> {
    let call = statement(window);
    for attempt in 1.. {
        match client.batch_execute(&call).await {
            Ok(()) => return Ok(()),
            Err(error)
                if attempt < LOCKED_ATTEMPTS && error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) =>
            {
                tracing::info!(
                    relation = window.relation,
                    "another refresh is running: trying again"
                );
                tokio::time::sleep(LOCKED_PAUSE * attempt).await;
            }
            Err(error) => return Err(CompactorError::sql("refreshing a continuous aggregate")(error)),
        }
    }
    Ok(())
}

fn statement(window: &Refresh) -> String {
    let (start, end) = (date_of(window.days.start), date_of(window.days.end));
    format!(
        "call refresh_continuous_aggregate('{}', timestamp '{start}', timestamp '{end}')",
        window.relation
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_bounded_by_dates() {
        let window = Refresh {
            relation: "agg.daily_steps",
            days: 18_206..18_208,
            periods: 2,
        };
        assert_eq!(
            statement(&window),
            "call refresh_continuous_aggregate('agg.daily_steps', timestamp '2019-11-06', timestamp '2019-11-08')"
        );
    }
}
