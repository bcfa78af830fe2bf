//! A connection to TimescaleDB for the page's queries.

use std::sync::Arc;
use std::time::Duration;

use pulseline_runtime::config::TimescaleConfig;
use pulseline_sql::Client;
use pulseline_sql::SqlError;
use tokio::sync::Mutex;

/// A longer query is cancelled, at the server too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// The server's own statement timeout, in case the cancellation does not arrive.
const STATEMENT_LIMIT: Duration = Duration::from_secs(20);

/// A session that opens at first use, and again after it broke or a statement was cancelled.
#[derive(Debug)]
pub(crate) struct Warehouse {
    timescale: TimescaleConfig,
    client: Mutex<Option<Arc<Client>>>,
}

impl Warehouse {
    pub(crate) fn new(timescale: TimescaleConfig) -> Self {
        Self {
            timescale,
            client: Mutex::default(),
        }
    }

    /// The session, for one query at a time; none when opening it took too long.
    pub(crate) async fn client(&self) -> Option<Result<Arc<Client>, SqlError>> {
        tokio::time::timeout(PATIENCE, self.opened()).await.ok()
    }

    async fn opened(&self) -> Result<Arc<Client>, SqlError> {
        let mut kept = self.client.lock().await;
        if let Some(client) = kept.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        let opened = pulseline_sql::open_reader(&self.timescale, "pulseline-console", STATEMENT_LIMIT);
        Ok(Arc::clone(kept.insert(Arc::new(opened.await?))))
    }
}
