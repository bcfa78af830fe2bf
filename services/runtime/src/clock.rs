//! An injectable clock, so that tests and replays control the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A source of the current time, in milliseconds since 1970-01-01T00:00Z.
#[derive(Clone, Debug)]
pub struct Clock(TimeSource);

#[derive(Clone, Debug)]
enum TimeSource {
    System,
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(TimeSource::System)
    }

    /// A clock that stays at `utc_millis` until [`Clock::set`] moves it.
    #[must_use]
    pub fn fixed(utc_millis: i64) -> Self {
        Self(TimeSource::Fixed(Arc::new(AtomicI64::new(utc_millis))))
    }

    /// The current time, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_utc_millis(&self) -> i64 {
        match &self.0 {
            TimeSource::System => system_utc_millis(),
            TimeSource::Fixed(at) => at.load(Ordering::Relaxed),
        }
    }

    /// Moves a fixed clock; has no effect on the machine's clock.
    pub fn set(&self, utc_millis: i64) {
        if let TimeSource::Fixed(at) = &self.0 {
            at.store(utc_millis, Ordering::Relaxed);
        }
    }
}

/// The machine's clock in milliseconds since the Unix epoch (0 before 1970).
#[must_use]
#[allow(
    clippy::disallowed_methods,
    reason = "the one place that reads the machine's clock"
)]
pub fn system_utc_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_stands_until_it_is_moved() {
        let clock = Clock::fixed(5);
        assert_eq!(clock.now_utc_millis(), 5);
        clock.clone().set(7);
        assert_eq!(clock.now_utc_millis(), 7);
    }
}
