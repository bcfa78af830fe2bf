//! Error classes, and retries of transient errors.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

use crate::shutdown::Shutdown;
use crate::waits::Hop;

/// First pause after a transient error.
pub const BACKOFF_MIN_MS: u64 = 100;
/// Longest pause between attempts: spares a starting server, yet resumes quickly.
pub const BACKOFF_MAX_MS: u64 = 5_000;

/// The class of an error: what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// An outage or a conflict: wait and retry.
    Transient,
    /// A bad record: it becomes a dead letter.
    Definite,
    /// Unknown, or a guarantee would break: the service stops with a clear message.
    Fatal,
}

/// An error with a class. Implementations match exhaustively; unknown errors are fatal.
pub trait Classify {
    /// What this error means for the work at hand.
    fn class(&self) -> Class;

    /// The server that caused the error, for the report of the wait.
    fn hop(&self) -> Hop {
        Hop::Other
    }
}

/// Why a retried operation failed.
#[derive(Debug, thiserror::Error)]
pub enum RetryError<E> {
    /// The error was not transient.
    #[error(transparent)]
    Failed(E),
    /// The drain deadline passed while the outage lasted.
    #[error("abandoned while waiting for an outage to end")]
    Abandoned,
}

/// Endless pauses between attempts: exponential with jitter.
pub fn pauses() -> impl Iterator<Item = Duration> + Send {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(BACKOFF_MIN_MS))
        .with_max_delay(Duration::from_millis(BACKOFF_MAX_MS))
        .with_jitter()
        .without_max_times()
        .build()
}

/// Runs `attempt` until it succeeds or fails permanently; retries transient errors.
///
/// It never cancels a running attempt: a stop only shortens the pauses. During a wait, `/readyz` and
/// `pulseline_waiting_seconds` name the server; the log gives the cause once, and then rarely.
///
/// # Errors
/// The first error that is not transient, or [`RetryError::Abandoned`].
pub async fn retry_transient<T, E, F, A>(
    shutdown: &Shutdown,
    what: &str,
    attempt: F,
) -> Result<T, RetryError<E>>
where
    E: Classify + Display,
    F: FnMut() -> A,
    A: Future<Output = Result<T, E>>,
{
    retry_with(pauses(), shutdown, what, attempt).await
}

async fn retry_with<T, E, F, A>(
    mut pauses: impl Iterator<Item = Duration>,
    shutdown: &Shutdown,
    what: &str,
    mut attempt: F,
) -> Result<T, RetryError<E>>
where
    E: Classify + Display,
    F: FnMut() -> A,
    A: Future<Output = Result<T, E>>,
{
    let mut wait = shutdown.waits().prepare(what);
    loop {
        let error = match attempt().await {
            Ok(value) => {
                wait.over();
                return Ok(value);
            }
            Err(error) if error.class() == Class::Transient => error,
            Err(error) => return Err(RetryError::Failed(error)),
        };
        let pause = pauses.next().unwrap_or(Duration::from_millis(BACKOFF_MAX_MS));
        wait.failed(error.hop(), &error);
        tokio::select! {
            biased;
            () = shutdown.abandoned() => return Err(RetryError::Abandoned),
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0:?}")]
    struct Scripted(Class);

    impl Classify for Scripted {
        fn class(&self) -> Class {
            self.0
        }
    }

    #[tokio::test]
    async fn an_outage_is_waited_out() {
        let mut left = 40;
        let no_pause = std::iter::repeat(Duration::ZERO);
        let got = retry_with(no_pause, &Shutdown::new(), "test", || {
            left -= 1;
            let answer = if left == 0 {
                Ok(7)
            } else {
                Err(Scripted(Class::Transient))
            };
            async move { answer }
        })
        .await;
        assert!(matches!(got, Ok(7)));
    }

    #[test]
    fn pauses_grow_to_their_longest_and_never_end() {
        let longest = Duration::from_millis(2 * BACKOFF_MAX_MS);
        assert!(pauses().take(1_000).all(|pause| pause <= longest));
        assert!(pauses().nth(1_000) >= Some(Duration::from_millis(BACKOFF_MAX_MS)));
    }

    #[tokio::test]
    async fn an_unknown_error_ends_at_once() {
        let got = retry_transient(&Shutdown::new(), "test", || async {
            Err::<(), _>(Scripted(Class::Fatal))
        })
        .await;
        assert!(matches!(got, Err(RetryError::Failed(Scripted(Class::Fatal)))));
    }

    #[tokio::test]
    async fn a_stop_does_not_end_a_retry_but_the_deadline_does() {
        let shutdown = Shutdown::new();
        shutdown.stop();
        let an_hour = std::iter::repeat(Duration::from_secs(3_600));
        let attempts = std::cell::Cell::new(0);
        let waiting = retry_with(an_hour, &shutdown, "test", || {
            attempts.set(attempts.get() + 1);
            async { Err::<(), _>(Scripted(Class::Transient)) }
        });
        tokio::pin!(waiting);
        // Polled once: it has tried, and waits although a stop was asked for.
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("a stop must not end it"),
            () = std::future::ready(()) => {}
        }
        assert_eq!(shutdown.child().waits().now()[0].what, "test");
        shutdown.abandon();
        assert!(matches!(waiting.await, Err(RetryError::Abandoned)));
        assert_eq!(attempts.get(), 1);
        assert!(shutdown.waits().now().is_empty());
    }
}
