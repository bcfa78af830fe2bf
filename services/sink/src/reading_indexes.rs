//! Indexes that only bulk readers need: built in the background, because on a large collection they take hours.

use pulseline_runtime::retry::{RetryError, retry_transient};
use pulseline_runtime::shutdown::Shutdown;

use crate::mongo_store::MongoStore;

/// Builds them in the background. It waits out outages and reports permanent errors; readers report them too.
pub(crate) fn make(store: MongoStore, shutdown: Shutdown) {
    tokio::spawn(async move {
        let attempt = || store.ensure_reading_indexes();
        match retry_transient(&shutdown, "indexes for bulk readers", attempt).await {
            Ok(()) => tracing::debug!("the indexes for bulk readers exist"),
            Err(RetryError::Abandoned) => {}
            Err(RetryError::Failed(error)) => {
                tracing::warn!(%error, "indexes for bulk readers are missing: snapshots, backfill and verify wait or are slow");
            }
        }
    });
}
