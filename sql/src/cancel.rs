//! Cancels abandoned statements at the server too.
//!
//! An abandoned statement runs on at the server, and holds up the next one on its connection.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pulseline_clients::postgres;
use pulseline_runtime::config::TimescaleConfig;
use tokio::runtime::Handle;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_postgres::CancelToken;

/// Longest that sending the cancel request may take.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(10);

/// Cancels the running statement of a connection, over another connection to the same server.
pub(crate) struct Canceller {
    token: CancelToken,
    timescale: TimescaleConfig,
    /// A statement was abandoned: it may still run.
    given_up: AtomicBool,
}

impl Canceller {
    pub(crate) fn new(client: &tokio_postgres::Client, timescale: TimescaleConfig) -> Self {
        Self {
            token: client.cancel_token(),
            timescale,
            given_up: AtomicBool::new(false),
        }
    }

    /// See [`Client::within`](crate::Client::within).
    pub(crate) async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T>,
    ) -> Result<T, Elapsed> {
        let running = Running(self);
        let done = timeout(limit, work).await;
        if done.is_ok() {
            std::mem::forget(running);
        }
        done
    }

    /// True once a statement was abandoned.
    pub(crate) fn has_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
        let (token, timescale) = (self.token.clone(), self.timescale.clone());
        let cancelling = async move {
            match timeout(CANCEL_TIMEOUT, postgres::cancel(&timescale, &token)).await {
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

impl std::fmt::Debug for Canceller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Canceller")
    }
}

/// Cancels running work when dropped.
struct Running<'a>(&'a Canceller);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}
