//! Maps simulated time to real time.

use std::time::Duration;

use pulseline_runtime::clock::Clock;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::UtcMillis;

use crate::config::Speed;

/// Longest sleep without a check of the clock, which may have been set.
const NAP_MAX: Duration = Duration::from_secs(1);

/// Maps simulated instants to the clock.
#[derive(Debug)]
pub(crate) struct Pace {
    clock: Clock,
    speed: Speed,
    simulated_start: UtcMillis,
    clock_start: i64,
}

impl Pace {
    /// `simulated_start` is now.
    pub(crate) fn new(clock: Clock, speed: Speed, simulated_start: UtcMillis) -> Self {
        let clock_start = clock.now_utc_millis();
        Self {
            clock,
            speed,
            simulated_start,
            clock_start,
        }
    }

    /// Time until a simulated instant; zero when it has passed.
    fn wait(&self, until: UtcMillis) -> Duration {
        let Speed::Times(factor) = self.speed else {
            return Duration::ZERO;
        };
        let due = (until.0 - self.simulated_start.0) as f64 / factor;
        let passed = (self.clock.now_utc_millis() - self.clock_start) as f64;
        // Rounded up, so that no message is sent before its time; a negative wait casts to zero.
        Duration::from_millis((due - passed).ceil() as u64)
    }

    /// Waits for a simulated instant; false when a stop was requested first.
    pub(crate) async fn wait_until(&self, until: UtcMillis, shutdown: &Shutdown) -> bool {
        loop {
            let wait = self.wait(until);
            if wait.is_zero() {
                return !shutdown.is_stopping();
            }
            if !shutdown.sleep(wait.min(NAP_MAX)).await {
                return false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UtcMillis = UtcMillis(1_000_000);

    #[test]
    fn ten_minutes_at_60_are_ten_seconds() {
        let clock = Clock::fixed(5_000);
        let pace = Pace::new(clock.clone(), Speed::Times(60.0), START);
        let later = UtcMillis(START.0 + 600_000);
        assert_eq!(pace.wait(later), Duration::from_secs(10));
        clock.set(5_000 + 9_999);
        assert_eq!(pace.wait(later), Duration::from_millis(1));
        clock.set(5_000 + 10_001);
        assert_eq!(pace.wait(later), Duration::ZERO);
    }

    #[tokio::test]
    async fn as_fast_as_possible_never_waits_and_a_stop_ends_a_wait() {
        let shutdown = Shutdown::new();
        let far = UtcMillis(i64::MAX / 2);
        assert!(
            Pace::new(Clock::fixed(0), Speed::Max, START)
                .wait_until(far, &shutdown)
                .await
        );
        shutdown.stop();
        assert!(
            !Pace::new(Clock::fixed(0), Speed::Times(1.0), START)
                .wait_until(far, &shutdown)
                .await
        );
    }
}
