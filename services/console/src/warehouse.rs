//! The one connection that everything the page shows is read through.

use std::sync::Arc;

use pulseline_runtime::config::TimescaleConfig;
use pulseline_sql::Client;
use pulseline_sql::SqlError;
use tokio::sync::Mutex;

/// Opened when it is first needed, and again after it broke.
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

    /// The connection; statements of several who use it follow each other.
    pub(crate) async fn client(&self) -> Result<Arc<Client>, SqlError> {
        let mut kept = self.client.lock().await;
        if let Some(client) = kept.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        let opened = Arc::new(pulseline_sql::open(&self.timescale, "pulseline-console").await?);
        Ok(Arc::clone(kept.insert(opened)))
    }

    /// A statement did not come back in time: the next one takes another connection.
    pub(crate) async fn forget(&self) {
        self.client.lock().await.take();
    }
}
