//! Indexes that only bulk readers need: made beside the work, because on a large collection they take hours.

use pulseline_runtime::retry::{RetryError, retry_transient};
use pulseline_runtime::shutdown::Shutdown;

use crate::store::Store;

/// Makes them in the background. Outages are waited out; what waiting does not fix is told, and readers tell it too.
pub(crate) fn make(store: Store, shutdown: Shutdown) {
    tokio::spawn(async move {
        let attempt = || store.ensure_reading_indexes();
        match retry_transient(&shutdown, "indexes for bulk readers", attempt).await {
            Ok(()) => tracing::debug!("the indexes for bulk readers are there"),
            Err(RetryError::Abandoned) => {}
            Err(RetryError::Failed(error)) => {
                tracing::warn!(%error, "no indexes for bulk readers: snapshots, backfill and verify wait or are slow");
            }
        }
    });
}
