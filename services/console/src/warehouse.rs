//! A connection that the page is read through.

use std::sync::Arc;
use std::time::Duration;

use pulseline_runtime::config::TimescaleConfig;
use pulseline_sql::Client;
use pulseline_sql::SqlError;
use tokio::sync::Mutex;

/// What takes longer is given up, and ended at the server.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// What the server ends by itself, should it not be told.
const STATEMENT_LIMIT: Duration = Duration::from_secs(20);

/// Opened when it is first needed, and again after it broke or a statement was given up.
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

    /// The connection, for one question at a time: none when it took too long to open.
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
