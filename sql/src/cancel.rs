//! What is given up here is ended at the server too.
//!
//! A statement whose answer nobody waits for runs on at the server, and holds up the next one on its connection.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pulseline_clients::postgres::{self, PostgresError};
use pulseline_runtime::config::TimescaleConfig;
use tokio::runtime::Handle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_postgres::CancelToken;

use crate::client::Client;

/// Longest that telling the server may take.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// Ends what a connection is doing, over another one that is made the same way.
#[derive(Clone)]
pub(crate) struct Canceller {
    token: CancelToken,
    timescale: TimescaleConfig,
}

impl Canceller {
    pub(crate) fn new(client: &tokio_postgres::Client, timescale: TimescaleConfig) -> Self {
        Self {
            token: client.cancel_token(),
            timescale,
        }
    }

    async fn cancel(&self) -> Result<(), PostgresError> {
        postgres::cancel(&self.timescale, &self.token).await
    }
}

impl std::fmt::Debug for Canceller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Canceller")
    }
}

impl Client {
    /// Waits for work on this connection, so long at most. Work that is given up, because it takes longer or because nobody
    /// waits for this any more, is ended at the server; the connection then counts as closed, since what ends it might come
    /// late and meet the next statement. Only for a connection that does one thing at a time.
    ///
    /// # Errors
    /// When it takes longer.
    pub async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Result<T, Elapsed> {
        let running = Running(self);
        let done = timeout(limit, work).await;
        if done.is_ok() {
            std::mem::forget(running);
        }
        done
    }

    fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        let canceller = self.canceller.clone();
        let cancelling = async move {
            match timeout(CANCEL_TIMEOUT, canceller.cancel()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a statement that was given up was not ended"),
                Err(_) => tracing::debug!("a statement that was given up was not ended in time"),
            }
        };
        // Without a runtime the process ends, and the statement by the server's limit.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(cancelling);
        }
    }
}

/// Dropped, it gives up what runs.
struct Running<'a>(&'a Client);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}
