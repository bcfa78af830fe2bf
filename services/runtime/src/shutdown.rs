//! Two-stage shutdown: stop taking in work, then abandon the rest at the deadline.
//!
//! A single token would abort a drain at its first transient error. Every wait observes both tokens, so the list of waits
//! is kept with them.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::waits::Waits;

/// Tells a service to stop. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    stop: CancellationToken,
    abandon: CancellationToken,
    waits: Waits,
}

impl Shutdown {
    /// A shutdown that is not requested yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A child that stops with this one, or earlier without affecting it.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            stop: self.stop.child_token(),
            abandon: self.abandon.child_token(),
            waits: self.waits.clone(),
        }
    }

    /// The current waits, including those of children.
    #[must_use]
    pub fn waits(&self) -> &Waits {
        &self.waits
    }

    /// Requests a graceful stop: intake ends, work in progress is finished.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Abandons unfinished work; the next start resumes from the durable position.
    pub fn abandon(&self) {
        self.stop.cancel();
        self.abandon.cancel();
    }

    /// True once a stop was requested.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// True once unfinished work must be abandoned.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.abandon.is_cancelled()
    }

    /// Resolves when a stop is requested.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Resolves when unfinished work must be abandoned.
    pub async fn abandoned(&self) {
        self.abandon.cancelled().await;
    }

    /// Sleeps for `duration` or until a stop is requested; true after the full duration.
    pub async fn sleep(&self, duration: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.stopping() => false,
            () = tokio::time::sleep(duration) => true,
        }
    }

    /// Handles SIGTERM and SIGINT: the first requests a stop, the second or the deadline abandons unfinished work.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub fn on_signals(&self, drain: Duration) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let shutdown = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!(
                drain_seconds = drain.as_secs(),
                "stopping: finishing work in progress"
            );
            shutdown.stop();
            tokio::select! {
                _ = terminate.recv() => tracing::warn!("second signal: abandoning unfinished work"),
                _ = interrupt.recv() => tracing::warn!("second signal: abandoning unfinished work"),
                () = tokio::time::sleep(drain) => tracing::warn!("drain deadline passed: abandoning unfinished work"),
            }
            shutdown.abandon();
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn stop_leaves_time_to_drain_and_abandon_does_not() {
        let shutdown = Shutdown::new();
        let other = shutdown.clone();
        shutdown.stop();
        other.stopping().await;
        assert!(other.is_stopping() && !other.is_abandoned());
        assert!(!other.sleep(Duration::from_secs(3600)).await);
        shutdown.abandon();
        other.abandoned().await;
        assert!(other.is_abandoned());
    }

    #[test]
    fn a_child_ends_alone_or_with_its_parent() {
        let parent = Shutdown::new();
        let (first, second) = (parent.child(), parent.child());
        first.stop();
        assert!(first.is_stopping() && !parent.is_stopping() && !second.is_stopping());
        parent.abandon();
        assert!(second.is_stopping() && second.is_abandoned() && first.is_abandoned());
    }
}
