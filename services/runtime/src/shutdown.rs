//! Two signals: stop taking in work, and abandon what is left when the deadline has passed.
//!
//! One token for both would abort a drain at its first hiccup. Every wait has to know of them, so what is waited for
//! travels with them.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::waits::Waits;

/// How a service learns that it should end. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    stop: CancellationToken,
    abandon: CancellationToken,
    waits: Waits,
}

impl Shutdown {
    /// A shutdown that nobody has asked for yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that ends with this one, or before it: what ends the child leaves this one as it is.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            stop: self.stop.child_token(),
            abandon: self.abandon.child_token(),
            waits: self.waits.clone(),
        }
    }

    /// What is waited for by whoever ends with this, children included.
    #[must_use]
    pub fn waits(&self) -> &Waits {
        &self.waits
    }

    /// Asks for a graceful stop: intake ends, what was taken in is finished.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Gives up on what is unfinished; it is taken up again from the durable position at the next start.
    pub fn abandon(&self) {
        self.stop.cancel();
        self.abandon.cancel();
    }

    /// True once a stop was asked for.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// True once unfinished work is to be left.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.abandon.is_cancelled()
    }

    /// Resolves when a stop was asked for.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Resolves when unfinished work is to be left.
    pub async fn abandoned(&self) {
        self.abandon.cancelled().await;
    }

    /// Sleeps for `duration`, or until a stop is asked for; true when it slept to the end.
    pub async fn sleep(&self, duration: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.stopping() => false,
            () = tokio::time::sleep(duration) => true,
        }
    }

    /// Listens for SIGTERM and SIGINT: the first stops, a second one or the deadline abandons.
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
                "stopping: finishing what was taken in"
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
