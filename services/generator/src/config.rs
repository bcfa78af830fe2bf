//! Settings of a simulation.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::quirks::Quirks;

/// Default size of the cohort, as in the imitated data set.
const PARTICIPANTS: u32 = 16;
/// Most people: ids and log numbers have five digits.
const PARTICIPANTS_MAX: u32 = 10_000;
/// Default length: a week, so that every weekly figure has a full bucket.
const DAYS: u32 = 7;
/// Keeps dates in the range of Fitbit's date format.
const DAYS_MAX: u32 = 36_500;
/// Length of an upload's window, as in the reference store: at most 180 heart rates.
const WINDOW_SECS: u32 = 900;
/// Seconds between two heart rates of a cohort that sends all of them.
pub(crate) const HEART_RATE_SECS: u32 = 5;
/// Partitions of a created topic: enough for two sinks on two cores.
const PARTITIONS: i32 = 4;

/// Settings of a simulation. The same values give the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulateConfig {
    /// People in the cohort; some wear two devices.
    pub participants: u32,
    /// First day, in each wearer's local time, or `now`.
    pub from: Start,
    /// Days to simulate.
    pub days: u32,
    /// Speed of simulated time.
    pub speed: Speed,
    /// Seed of all random choices.
    pub seed: u64,
    /// Share of uploads that arrive hours to 7 days late.
    pub late: f64,
    /// Share of uploads that are sent twice.
    pub duplicate: f64,
    /// Share of uploads that are later corrected.
    pub correct: f64,
    /// Share of uploads with a broken upload beside them.
    pub broken: f64,
    /// Length of an upload's window in seconds; must divide 900. Short windows give fresh live data.
    pub window_secs: u32,
    /// Seconds between two heart rates; a multiple of 5 that divides the window. A sparse cohort has more people for the
    /// same bytes.
    pub heart_rate_secs: u32,
    /// Partitions of created topics.
    pub partitions: i32,
    /// Quirks of real data to simulate.
    pub quirks: Quirks,
}

impl Default for SimulateConfig {
    fn default() -> Self {
        Self {
            participants: PARTICIPANTS,
            // The first day of the imitated data set.
            from: Start::Day(Date::constant(2019, 11, 1)),
            days: DAYS,
            speed: Speed::Max,
            seed: 1,
            late: 0.05,
            duplicate: 0.02,
            correct: 0.02,
            broken: 0.001,
            window_secs: WINDOW_SECS,
            heart_rate_secs: HEART_RATE_SECS,
            partitions: PARTITIONS,
            quirks: Quirks::ALL,
        }
    }
}

impl SimulateConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// A sentence with the field and its valid range.
    pub fn validate(&self) -> Result<(), String> {
        if !(1..=PARTICIPANTS_MAX).contains(&self.participants) {
            return Err(format!(
                "--participants must be 1 to {PARTICIPANTS_MAX}, not {}",
                self.participants
            ));
        }
        if !(1..=DAYS_MAX).contains(&self.days) {
            return Err(format!("--days must be 1 to {DAYS_MAX}, not {}", self.days));
        }
        if !(5..=WINDOW_SECS).contains(&self.window_secs) || !WINDOW_SECS.is_multiple_of(self.window_secs) {
            return Err(format!(
                "--window-secs must be 5 to {WINDOW_SECS} and divide it, not {}",
                self.window_secs
            ));
        }
        let is_sparse = self.heart_rate_secs != HEART_RATE_SECS;
        if self.heart_rate_secs == 0
            || !self.heart_rate_secs.is_multiple_of(HEART_RATE_SECS)
            || is_sparse && !self.window_secs.is_multiple_of(self.heart_rate_secs)
        {
            return Err(format!(
                "--heart-rate-secs must be a multiple of {HEART_RATE_SECS} that divides --window-secs ({}), not {}",
                self.window_secs, self.heart_rate_secs
            ));
        }
        if self.partitions < 1 {
            return Err(format!(
                "--partitions must be at least 1, not {}",
                self.partitions
            ));
        }
        if let Start::Day(day) = self.from
            && !(2007..=2098).contains(&day.year())
        {
            return Err(format!("--from must lie between 2007 and 2098, not {day}"));
        }
        let shares = [
            ("late", self.late),
            ("duplicate", self.duplicate),
            ("correct", self.correct),
            ("broken", self.broken),
        ];
        for (name, share) in shares {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("--{name} must be 0 to 1, not {share}"));
            }
        }
        Ok(())
    }
}

/// Start of simulated time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Start {
    /// Midnight of this date, in each wearer's local time.
    Day(Date),
    /// Now: only uploads from now on.
    Now,
}

impl FromStr for Start {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "now" {
            return Ok(Self::Now);
        }
        text.parse()
            .map(Self::Day)
            .map_err(|_| format!("--from: `{text}` is neither a date such as 2019-11-01 nor `now`"))
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::Now => f.write_str("now"),
        }
    }
}

impl TryFrom<String> for Start {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Start> for String {
    fn from(start: Start) -> Self {
        start.to_string()
    }
}

/// Speed of simulated time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Speed {
    /// As fast as Kafka accepts messages.
    Max,
    /// This many times real time.
    Times(f64),
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "max" => return Ok(Self::Max),
            "realtime" => return Ok(Self::Times(1.0)),
            _ => {}
        }
        let factor = text
            .strip_prefix('x')
            .or_else(|| text.strip_suffix('x'))
            .unwrap_or(text)
            .parse::<f64>();
        match factor {
            Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(Self::Times(factor)),
            _ => Err(format!(
                "`{text}` is not a speed: use `realtime`, a factor such as `x60`, or `max`"
            )),
        }
    }
}

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Max => f.write_str("max"),
            Self::Times(factor) if (*factor - 1.0).abs() < f64::EPSILON => f.write_str("realtime"),
            Self::Times(factor) => write!(f, "x{factor}"),
        }
    }
}

impl TryFrom<String> for Speed {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Speed> for String {
    fn from(speed: Speed) -> Self {
        speed.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_and_starts_parse_as_they_print() {
        for text in ["max", "realtime", "x60", "x0.5"] {
            assert_eq!(text.parse::<Speed>().unwrap().to_string(), text);
        }
        assert_eq!("60x".parse::<Speed>(), "60".parse());
        for text in ["", "x0", "x-1", "fast", "xNaN"] {
            assert!(text.parse::<Speed>().is_err(), "{text}");
        }
        for text in ["now", "2019-11-01"] {
            assert_eq!(text.parse::<Start>().unwrap().to_string(), text);
        }
        assert!("2019-02-30".parse::<Start>().is_err());
    }

    #[test]
    fn defaults_are_valid_and_faults_are_named() {
        let good = SimulateConfig::default();
        assert_eq!(good.validate(), Ok(()));
        let faults = [
            (
                "participants",
                SimulateConfig {
                    participants: 0,
                    ..good.clone()
                },
            ),
            (
                "days",
                SimulateConfig {
                    days: 0,
                    ..good.clone()
                },
            ),
            (
                "window-secs",
                SimulateConfig {
                    window_secs: 7,
                    ..good.clone()
                },
            ),
            (
                "heart-rate-secs",
                SimulateConfig {
                    heart_rate_secs: 40,
                    ..good.clone()
                },
            ),
            (
                "late",
                SimulateConfig {
                    late: 1.5,
                    ..good.clone()
                },
            ),
            (
                "broken",
                SimulateConfig {
                    broken: f64::NAN,
                    ..good.clone()
                },
            ),
            (
                "from",
                SimulateConfig {
                    from: Start::Day(Date::constant(1999, 1, 1)),
                    ..good.clone()
                },
            ),
        ];
        for (field, config) in faults {
            assert!(config.validate().unwrap_err().contains(field));
        }
    }
}
