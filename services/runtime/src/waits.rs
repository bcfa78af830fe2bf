//! Waits of a process: visible while they last, logged once with their cause and then rarely (P19).

use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a continuing wait is logged.
const LOG_AGAIN: Duration = Duration::from_secs(60);

/// A server that a process may wait for; a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hop {
    /// The brokers.
    Kafka,
    /// The schema registry.
    Registry,
    /// The document store.
    Mongo,
    /// The warehouse.
    Timescale,
    /// Unknown: the error does not say which server.
    Other,
}

impl Hop {
    /// Every hop.
    pub const ALL: [Self; 5] = [
        Self::Kafka,
        Self::Registry,
        Self::Mongo,
        Self::Timescale,
        Self::Other,
    ];

    /// Its name as a label and in sentences.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Registry => "registry",
            Self::Mongo => "mongo",
            Self::Timescale => "timescale",
            Self::Other => "other",
        }
    }
}

/// The current waits. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Waits(Arc<Mutex<Vec<Shown>>>);

/// A wait that others can see.
#[derive(Clone, Debug)]
struct Shown {
    id: u64,
    hop: Hop,
    what: String,
    since: Instant,
    tried: Instant,
}

/// A wait, for reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The server that fails.
    pub hop: Hop,
    /// The operation that waits.
    pub what: String,
    /// For how long.
    pub lasts: Duration,
}

impl Display for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (hop, seconds, what) = (self.hop.name(), self.lasts.as_secs(), &self.what);
        write!(f, "waiting for {hop} for {seconds} s: {what}")
    }
}

impl Waits {
    /// No waits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Prepares a wait for `what`; it becomes visible at the first failure.
    #[must_use]
    pub fn prepare(&self, what: &str) -> Wait {
        Wait {
            waits: self.clone(),
            what: what.to_owned(),
            shown: None,
            logged: None,
        }
    }

    /// Current waits, the longest first.
    #[must_use]
    pub fn now(&self) -> Vec<Waiting> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Vec<Waiting> {
        let mut shown = self.shown().clone();
        shown.sort_by_key(|wait| (wait.since, wait.id));
        let shown_as = |wait: Shown| Waiting {
            hop: wait.hop,
            lasts: now.saturating_duration_since(wait.since),
            what: wait.what,
        };
        shown.into_iter().map(shown_as).collect()
    }

    /// Time since the latest retry of any wait; none without waits.
    pub(crate) fn tried_ago(&self, now: Instant) -> Option<Duration> {
        let ago = |wait: &Shown| now.saturating_duration_since(wait.tried);
        self.shown().iter().map(ago).min()
    }

    fn shown(&self) -> MutexGuard<'_, Vec<Shown>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One wait, from its first failure until success or drop.
#[derive(Debug)]
pub struct Wait {
    waits: Waits,
    what: String,
    /// Its id and when it began.
    shown: Option<(u64, Instant)>,
    logged: Option<Instant>,
}

impl Wait {
    /// Records a transient failure: the wait becomes visible, and is logged at first and then rarely.
    pub fn failed(&mut self, hop: Hop, cause: &dyn Display) {
        self.failed_at(Instant::now(), hop, cause);
    }

    pub(crate) fn failed_at(&mut self, now: Instant, hop: Hop, cause: &dyn Display) {
        let began = match self.shown {
            Some((id, began)) => {
                for wait in self.waits.shown().iter_mut().filter(|wait| wait.id == id) {
                    (wait.hop, wait.tried) = (hop, now);
                }
                began
            }
            None => {
                let mut shown = self.waits.shown();
                let id = shown.iter().map(|wait| wait.id).max().unwrap_or(0) + 1;
                let what = self.what.clone();
                shown.push(Shown {
                    id,
                    hop,
                    what,
                    since: now,
                    tried: now,
                });
                self.shown = Some((id, now));
                now
            }
        };
        if self.logged.is_none_or(|logged| now >= logged + LOG_AGAIN) {
            self.logged = Some(now);
            let (what, hop, waited_seconds) = (&self.what, hop.name(), (now - began).as_secs());
            tracing::warn!(hop, %cause, waited_seconds, "{what}: waiting for an outage to end");
        }
    }

    /// Records success: the wait ends, and the log says how long it took.
    pub fn over(&mut self) {
        let Some((_, began)) = self.shown else { return };
        let (what, waited_seconds) = (&self.what, began.elapsed().as_secs());
        tracing::info!(waited_seconds, "{what}: the outage is over");
        self.leave();
    }

    /// True while the wait is visible.
    #[must_use]
    pub fn lasts(&self) -> bool {
        self.shown.is_some()
    }

    fn leave(&mut self) {
        if let Some((id, _)) = self.shown.take() {
            self.waits.shown().retain(|wait| wait.id != id);
        }
        self.logged = None;
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_19_a_wait_shows_from_its_first_failure_until_it_is_over() {
        let (waits, start) = (Waits::new(), Instant::now());
        let later = start + Duration::from_secs(70);
        let mut first = waits.prepare("storing");
        assert!(waits.now().is_empty());
        first.failed_at(start, Hop::Mongo, &"refused");
        let mut second = waits.prepare("asking");
        second.failed_at(later, Hop::Kafka, &"refused");
        first.failed_at(later, Hop::Mongo, &"refused");
        let shown_as: Vec<String> = waits.at(later).iter().map(ToString::to_string).collect();
        assert_eq!(
            shown_as,
            [
                "waiting for mongo for 70 s: storing",
                "waiting for kafka for 0 s: asking"
            ]
        );
        first.over();
        assert!(!first.lasts() && waits.now().len() == 1);
        // Dropped, as by a stop.
        drop(second);
        assert!(waits.now().is_empty() && waits.tried_ago(later).is_none());
    }

    #[test]
    fn p_19_a_wait_is_logged_once_and_then_rarely() {
        let (mut wait, start) = (Waits::new().prepare("storing"), Instant::now());
        let mut lines = 0;
        for seconds in 0..150 {
            let before = wait.logged;
            wait.failed_at(start + Duration::from_secs(seconds), Hop::Mongo, &"refused");
            lines += u32::from(wait.logged != before);
        }
        assert_eq!(lines, 3);
    }
}
