//! Refreshes a continuous aggregate over whole days.

use pulseline_sql::periods::date_of;
use pulseline_sql::{Client, GenericClient};

use crate::error::CompactorError;
use crate::locks::may_try_again;
use crate::plan::Refresh;

/// One CALL per simple query: the server refuses two in one string, or one in a transaction.
pub(crate) async fn refresh(client: &Client, window: &Refresh) -> Result<(), CompactorError> {
    let call = statement(window);
    for attempt in 1.. {
        match client.batch_execute(&call).await {
            Ok(()) => return Ok(()),
            Err(error) if may_try_again(error.code(), attempt, window.relation).await => {}
            Err(error) => return Err(CompactorError::sql("refreshing a continuous aggregate")(error)),
        }
    }
    Ok(())
}

/// One pass: from TimescaleDB 2.28 on, a window is otherwise refreshed ten 15-minute buckets at a time, each planned over all
/// chunks, and its last bucket may be skipped. Earlier versions ignore the option.
fn statement(window: &Refresh) -> String {
    let (start, end) = (date_of(window.days.start), date_of(window.days.end));
    format!(
        "call refresh_continuous_aggregate('{}', timestamp '{start}', timestamp '{end}', \
        options => '{{\"buckets_per_batch\": 0}}')",
        window.relation
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_bounded_by_dates() {
        let window = Refresh {
            stream: "steps",
            relation: "agg.steps_1d",
            days: 18_206..18_208,
        };
        assert_eq!(
            statement(&window),
            "call refresh_continuous_aggregate('agg.steps_1d', timestamp '2019-11-06', timestamp '2019-11-08', \
            options => '{\"buckets_per_batch\": 0}')"
        );
    }
}
