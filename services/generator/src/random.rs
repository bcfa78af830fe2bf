//! Random numbers that depend only on a seed and their purpose.
//!
//! Each purpose has its own generator, keyed by (seed, who, when, what), so a window's readings do not depend on
//! the rest of the plan. Ranges are computed here, so that another version of a library cannot change a byte.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Purpose of random numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Person,
    Night,
    Nap,
    Wear,
    Minutes,
    HeartRates,
    StepsTwice,
    FateOfHeartRates,
    FateOfSteps,
    FateOfSleep,
    FateOfUser,
    Correction,
    Breakage,
    // Append new ones at the end: the position is part of the key.
    Body,
    SensorOff,
    NightOddities,
    Growth,
    Repeats,
    UnknownKeys,
    Resting,
    DailyOddities,
    Score,
    Exercise,
    ScoreCorrection,
    DayCorrection,
    FateOfDistances,
    FateOfCalories,
    FateOfActivityMinutes,
    FateOfZones,
    FateOfResting,
    FateOfScore,
    FateOfExercise,
    Files,
}

/// A source of numbers for one purpose.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    pub(crate) fn new(seed: u64, who: u64, when: i64, what: Purpose) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&who.to_le_bytes());
        key[16..24].copy_from_slice(&when.to_le_bytes());
        key[24..].copy_from_slice(&(what as u64).to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// 32 random bits.
    pub(crate) fn bits(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// A number below `end` (0 when `end` is 0).
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        ((u64::from(self.bits()) * u64::from(end)) >> 32) as u32
    }

    /// A number from `low` to `high`, both inclusive; the range must fit 32 bits.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u32::try_from(high - low + 1).unwrap_or(u32::MAX);
        low + i64::from(self.below(width))
    }

    /// [`Draw::between`] for small numbers.
    pub(crate) fn int(&mut self, low: i32, high: i32) -> i32 {
        low + self.below((high - low + 1).unsigned_abs()).cast_signed()
    }

    /// True with this probability. Always draws, so that a share of 0 does not shift later draws.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        f64::from(self.bits()) < share * 4_294_967_296.0
    }

    /// `length` random bytes.
    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stay_in_range_and_shares_are_met() {
        let mut draw = Draw::new(1, 2, 3, Purpose::Person);
        let mut hits = 0;
        for _ in 0..100_000 {
            assert!((-5..=5).contains(&draw.between(-5, 5)));
            assert!((0..=3).contains(&draw.int(0, 3)));
            hits += u32::from(draw.chance(0.05));
            assert!(!draw.chance(0.0));
            assert!(draw.chance(1.0));
        }
        assert!((4_500..=5_500).contains(&hits), "{hits}");
    }

    #[test]
    fn each_purpose_has_its_own_numbers() {
        let first = |what| Draw::new(1, 2, 3, what).bits();
        assert_ne!(first(Purpose::Night), first(Purpose::Nap));
        assert_eq!(first(Purpose::Night), first(Purpose::Night));
    }
}
