//! When the next cycle begins: soon while the database has had rest, later where cycles took more than their share of its time.

use std::time::{Duration, Instant};

use crate::config::CompactorConfig;

/// Most work that rest is saved up for: changes after a quiet time are seen at once, and one long cycle delays nothing.
const SAVED_MAX_SECONDS: f64 = 10.0;

/// With so much saved up, a long refresh that nobody waits for delays no later cycle.
const RESTED_SECONDS: f64 = 9.0;

/// Work that the database still has time for.
#[derive(Debug)]
pub(crate) struct Rhythm {
    saved_seconds: f64,
    counted: Instant,
}

impl Rhythm {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            saved_seconds: SAVED_MAX_SECONDS,
            counted: now,
        }
    }

    /// True when nearly all rest is saved up.
    pub(crate) fn is_rested(&self) -> bool {
        self.saved_seconds >= RESTED_SECONDS
    }

    /// The pause after a cycle that ends now and took `busy`: the usual one while rest is saved up, and otherwise as long as the
    /// share of `pause_factor` asks for. While a backlog remains it equals the cycle.
    pub(crate) fn pause_after(
        &mut self,
        now: Instant,
        busy: Duration,
        is_more_left: bool,
        config: &CompactorConfig,
    ) -> Duration {
        let (worked, factor) = (busy.as_secs_f64(), f64::from(config.pause_factor));
        let passed = now.saturating_duration_since(self.counted).as_secs_f64();
        self.counted = now;
        let earned = (self.saved_seconds + passed / (1.0 + factor)).min(SAVED_MAX_SECONDS);
        // A debt is that of the last cycle at most: a backlog that is worked off delays nothing after it.
        let debt_max = worked * factor / (1.0 + factor);
        self.saved_seconds = (earned - worked).max(-debt_max);
        if is_more_left {
            return busy;
        }
        let usual = Duration::from_millis(config.interval_ms);
        let rest = (-self.saved_seconds * (1.0 + factor)).max(0.0);
        usual.max(Duration::from_secs_f64(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn config() -> CompactorConfig {
        CompactorConfig {
            interval_ms: 1_000,
            pause_factor: 4,
            ..CompactorConfig::default()
        }
    }

    #[test]
    fn a_long_cycle_after_a_quiet_time_delays_nothing() {
        let start = Instant::now();
        let mut rhythm = Rhythm::new(start);
        assert_eq!(
            rhythm.pause_after(start + 7 * SECOND, 7 * SECOND, false, &config()),
            SECOND
        );
    }

    #[test]
    fn cycles_one_after_the_other_take_their_share_and_no_more() {
        let (mut now, mut busy) = (Instant::now(), Duration::ZERO);
        let (began, mut rhythm) = (now, Rhythm::new(now));
        for _ in 0..200 {
            now += 2 * SECOND;
            busy += 2 * SECOND;
            let pause = rhythm.pause_after(now, 2 * SECOND, false, &config());
            assert!(pause >= SECOND && pause <= 8 * SECOND, "{pause:?}");
            now += pause;
        }
        let share = busy.as_secs_f64() / (now - began).as_secs_f64();
        assert!((0.19..0.21).contains(&share), "{share}");
    }

    #[test]
    fn a_backlog_halves_the_time_and_leaves_no_debt_beyond_its_last_cycle() {
        let (mut now, mut rhythm) = (Instant::now(), Rhythm::new(Instant::now()));
        for _ in 0..100 {
            now += 2 * SECOND;
            assert_eq!(rhythm.pause_after(now, 2 * SECOND, true, &config()), 2 * SECOND);
            now += 2 * SECOND;
        }
        now += SECOND;
        assert!(rhythm.pause_after(now, SECOND, false, &config()) <= 4 * SECOND);
    }

    #[test]
    fn refreshes_that_nobody_waits_for_take_their_share_and_make_no_debt() {
        let (mut now, mut busy) = (Instant::now(), Duration::ZERO);
        let (began, mut rhythm) = (now, Rhythm::new(now));
        for _ in 0..2_000 {
            let long = if rhythm.is_rested() {
                8 * SECOND
            } else {
                SECOND / 50
            };
            now += long;
            busy += long;
            let pause = rhythm.pause_after(now, long, false, &config());
            assert_eq!(pause, SECOND);
            now += pause;
        }
        let share = busy.as_secs_f64() / (now - began).as_secs_f64();
        assert!((0.15..0.21).contains(&share), "{share}");
    }

    #[test]
    fn without_a_factor_the_interval_alone_counts() {
        let start = Instant::now();
        let config = CompactorConfig {
            pause_factor: 0,
            ..config()
        };
        let mut rhythm = Rhythm::new(start);
        for cycle in 1..50 {
            let now = start + 3 * cycle * SECOND;
            assert_eq!(rhythm.pause_after(now, 3 * SECOND, false, &config), SECOND);
        }
    }
}
