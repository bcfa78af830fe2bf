//! Cancels abandoned statements at the server too.
//!
//! An abandoned statement runs on at the server, and holds up the next one on its connection.

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

/// Longest that sending the cancel request may take.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// Cancels the running statement of a connection, over another connection to the same server.
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
    /// Waits for work on this connection, at most this long. Work that times out, or whose future is dropped, is cancelled
    /// at the server; the connection then counts as closed, because the cancel request might arrive
    /// late and hit the next statement. Only for a connection that does one thing at a time.
    ///
    /// # Errors
    /// When the work takes longer.
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
                Ok(Err(error)) => tracing::debug!(%error, "an abandoned statement was not cancelled"),
                Err(_) => tracing::debug!("an abandoned statement was not cancelled in time"),
            }
        };
        // Without a runtime the process is ending; the server's limit ends the statement.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(cancelling);
        }
    }
}

/// Cancels running work when dropped.
struct Running<'a>(&'a Client);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}
