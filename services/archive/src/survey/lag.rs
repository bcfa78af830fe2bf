//! Measures the clock of the steps: at the right lag, brisk minutes have high energy.

use std::collections::HashMap;

/// Steps per minute above which walking burns clearly more than rest.
const BRISK_STEPS: i32 = 60;
/// Largest UTC offset in quarter hours, in both directions.
const LAG_QUARTERS_MAX: i32 = 14 * 4;
const QUARTER_MINUTES: i32 = 15;
/// Most minutes to keep of each kind, about a year.
const MINUTES_MAX: usize = 500_000;
/// Fewer brisk minutes are inconclusive.
const BRISK_MINUTES_MIN: u64 = 30;

/// The lag at which energy fits steps best.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeasuredClock {
    /// Minutes by which the clock of the calories is ahead of that of the steps. 0: the same clock. The zone's
    /// offset: steps in UTC, calories in local time.
    pub lag_minutes: i32,
    /// Brisk minutes with energy at that lag.
    pub brisk_minutes: u64,
    /// Mean kilocalories of those minutes.
    pub kcal: f64,
    /// Mean kilocalories of the same minutes at lag 0.
    pub kcal_at_zero: f64,
    /// True if the configured clocks and zone explain this lag.
    pub as_taken: bool,
}

/// Minutes as the files write them.
#[derive(Debug, Default)]
pub(super) struct Minutes {
    brisk: Vec<i32>,
    calories: Vec<(i32, i32)>,
}

impl Minutes {
    pub(super) fn step(&mut self, minute: i32, steps: i32) {
        if steps >= BRISK_STEPS && self.brisk.len() < MINUTES_MAX {
            self.brisk.push(minute);
        }
    }

    pub(super) fn calorie(&mut self, minute: i32, millikcal: i32) {
        if self.calories.len() < MINUTES_MAX {
            self.calories.push((minute, millikcal));
        }
    }

    /// The best lag; none with too few steps.
    pub(super) fn measure(&self, lags_taken: &[i32]) -> Option<MeasuredClock> {
        let calories: HashMap<i32, i32> = self.calories.iter().copied().collect();
        let at = |lag: i32| {
            let burnt = self
                .brisk
                .iter()
                .filter_map(|minute| calories.get(&minute.saturating_add(lag)));
            let (sum, count) = burnt.fold((0_i64, 0_u64), |(sum, count), &millikcal| {
                (sum + i64::from(millikcal), count + 1)
            });
            (mean_kcal(sum, count), count)
        };
        let (zero, _) = at(0);
        let lags = (-LAG_QUARTERS_MAX..=LAG_QUARTERS_MAX).map(|quarters| quarters * QUARTER_MINUTES);
        let enough = |(_, (_, count)): &(i32, (f64, u64))| {
            *count >= BRISK_MINUTES_MIN && *count * 2 >= self.brisk.len() as u64
        };
        let (lag_minutes, (kcal, brisk_minutes)) = lags
            .map(|lag| (lag, at(lag)))
            .filter(enough)
            .max_by(|(_, (a, _)), (_, (b, _))| a.total_cmp(b))?;
        Some(MeasuredClock {
            lag_minutes,
            brisk_minutes,
            kcal,
            kcal_at_zero: zero,
            as_taken: lags_taken.contains(&lag_minutes),
        })
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "sums of a year of minutes are far below 2^53"
)]
fn mean_kcal(sum_millikcal: i64, count: u64) -> f64 {
    if count == 0 {
        return 0.0;
    }
    sum_millikcal as f64 / count as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_of_walks_is_found_by_their_energy() {
        let mut minutes = Minutes::default();
        for walk in 0..20 {
            for minute in 0..10 {
                minutes.step(walk * 997 + minute, 100);
            }
        }
        for minute in 0..20_000 {
            let walked = minute - 600;
            let is_brisk = walked >= 0 && walked % 997 < 10;
            minutes.calorie(minute, if is_brisk { 5_000 } else { 1_100 });
        }
        let clock = minutes.measure(&[600, 660]).unwrap();
        assert_eq!(clock.lag_minutes, 600);
        assert!(clock.as_taken && !minutes.measure(&[0]).unwrap().as_taken);
        assert!(clock.kcal > 4.9 && clock.kcal_at_zero < 1.2);
        assert_eq!(Minutes::default().measure(&[0]), None);
    }
}
