//! A connection to TimescaleDB for the page's queries.

use std::sync::Arc;
use std::time::Duration;

use pulseline_runtime::config::TimescaleConfig;
use pulseline_sql::{Client, GenericClient, SqlError};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

/// A longer query is cancelled, at the server too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// The server's own statement timeout, in case the cancellation does not arrive.
const STATEMENT_LIMIT: Duration = Duration::from_secs(20);

/// A session that opens at first use, and again after it broke or a statement was cancelled.
#[derive(Debug)]
pub(crate) struct Warehouse {
    timescale: TimescaleConfig,
    session: Mutex<Option<Session>>,
}

#[derive(Debug)]
struct Session {
    client: Arc<Client>,
    /// Until when the session, whose statement was cancelled, is waited for.
    ends_by: Option<Instant>,
}

impl Warehouse {
    pub(crate) fn new(timescale: TimescaleConfig) -> Self {
        Self {
            timescale,
            session: Mutex::default(),
        }
    }

    /// The session, for one query at a time; none when opening it took too long.
    pub(crate) async fn client(&self) -> Option<Result<Arc<Client>, SqlError>> {
        timeout(PATIENCE, self.opened()).await.ok()
    }

    async fn opened(&self) -> Result<Arc<Client>, SqlError> {
        let mut kept = self.session.lock().await;
        if let Some(session) = kept.as_mut() {
            if !session.client.is_closed() {
                return Ok(Arc::clone(&session.client));
            }
            session.until_idle().await;
        }
        let opened = pulseline_sql::open_reader(&self.timescale, "pulseline-console", STATEMENT_LIMIT);
        let session = kept.insert(Session {
            client: Arc::new(opened.await?),
            ends_by: None,
        });
        Ok(Arc::clone(&session.client))
    }
}

impl Session {
    /// Waits until the cancelled statement has ended, so that it never runs beside the next one: the server answers an empty
    /// statement after those that were sent before it. The wait ends with the server's own limit for the cancelled one.
    async fn until_idle(&mut self) {
        let ends_by = *self
            .ends_by
            .get_or_insert_with(|| Instant::now() + STATEMENT_LIMIT);
        // Answered, refused or late: whatever the reason, nothing runs on this session any more.
        let _idle = timeout_at(ends_by, self.client.batch_execute("")).await;
    }
}
