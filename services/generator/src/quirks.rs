//! Switchable quirks of real data, for simulated devices and written files.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Declares every quirk with its name and description.
macro_rules! quirks {
    ($($(#[$about:meta])* $quirk:ident = $name:literal;)*) => {
        /// A quirk of real data. Numbers refer to the table of quirks; the others were found in raw account
        /// exports.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Quirk {
            $($(#[$about])* $quirk,)*
        }

        impl Quirk {
            /// Every quirk.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$quirk),*];

            /// Name in configurations.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$quirk => $name,)*
                }
            }
        }
    };
}

quirks! {
    /// 1: in files, a number is an integer in one record and a float in the next.
    NumberForms = "number_forms";
    /// 1: columns of a sleep's score are empty, and so are fields of its event.
    EmptyValues = "empty_values";
    /// 1: the third person's device reports no confidence.
    NoConfidence = "no_confidence";
    /// 2: in files, a sleep's start is written with a space and its end with a `T`.
    MixedDates = "mixed_dates";
    /// 4: clocks change; without it all people live in zones without changes.
    ClockChanges = "clock_changes";
    /// 5: two sleeps on one day.
    Naps = "naps";
    /// 5: a night is sent when its sleeper wakes up, and again when it is over.
    GrowingSleeps = "growing_sleeps";
    /// 6: repeated readings in an upload, and repeated records in a file.
    ExactDuplicates = "exact_duplicates";
    /// 8: a day's totals are sent in the evening, and again the next morning.
    GrowingDays = "growing_days";
    /// 9: the twelfth person has no resting heart rate and no lightly active minutes, the thirteenth no resting heart
    /// rate.
    MissingStreams = "missing_streams";
    /// 10: in files, the summary of a classic sleep says 0 for what its levels have; and minutes in bed are not the
    /// sum of the others.
    OddSummaries = "odd_summaries";
    /// 10: sleeps with stages, and no short wakes laid over them.
    NoShortLevels = "no_short_levels";
    /// 11: Fitbit's efficiency is its own figure; without it, it is minutes asleep of those in bed.
    OwnEfficiency = "own_efficiency";
    /// 12: a sleep's duration is half a minute off.
    DurationOff = "duration_off";
    /// 13: hours and days without a reading; without it every first device is worn all the time.
    Gaps = "gaps";
    /// 13: an hour with steps and no heart rate.
    StepsWithoutHeartRate = "steps_without_heart_rate";
    /// 14: unknown keys.
    UnknownKeys = "unknown_keys";
    /// 14: unknown levels, zones and activities.
    UnknownValues = "unknown_values";
    /// 70 beats per minute with confidence 0 in the moment in which a device is put on.
    PutOnPlaceholder = "put_on_placeholder";
    /// A minute of steps occurs twice in an upload, with different values; the last one counts.
    StepsTwice = "steps_twice";
    /// Minutes with explicit 0 steps, as opposed to missing minutes.
    ZeroMinutes = "zero_minutes";
    /// Exercises without some of the keys that others have.
    AbsentKeys = "absent_keys";
}

/// A set of [`Quirk`]s, parsed from `all`, `none`, or a list such as `growing_sleeps,unknown_keys`; `-name` excludes
/// one. A list that starts with an exclusion starts from all.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Quirks(u32);

impl Quirks {
    /// Every quirk.
    pub const ALL: Self = Self((1 << Quirk::ALL.len()) - 1);
    /// The empty set.
    pub const NONE: Self = Self(0);

    /// True when the set contains it.
    #[must_use]
    pub const fn has(self, quirk: Quirk) -> bool {
        self.0 & (1 << quirk as u32) != 0
    }

    /// The set with one more.
    #[must_use]
    pub const fn with(self, quirk: Quirk) -> Self {
        Self(self.0 | (1 << quirk as u32))
    }

    /// The set without one.
    #[must_use]
    pub const fn without(self, quirk: Quirk) -> Self {
        Self(self.0 & !(1 << quirk as u32))
    }
}

impl Default for Quirks {
    fn default() -> Self {
        Self::ALL
    }
}

impl FromStr for Quirks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut quirks = if text.trim_start().starts_with('-') {
            Self::ALL
        } else {
            Self::NONE
        };
        for item in text.split(',').map(str::trim) {
            quirks = match item {
                "all" => Self::ALL,
                "none" => Self::NONE,
                _ => match item.strip_prefix('-') {
                    Some(name) => quirks.without(named(name)?),
                    None => quirks.with(named(item)?),
                },
            };
        }
        Ok(quirks)
    }
}

fn named(name: &str) -> Result<Quirk, String> {
    Quirk::ALL
        .into_iter()
        .find(|quirk| quirk.name() == name)
        .ok_or_else(|| {
            let known = Quirk::ALL.map(Quirk::name).join(", ");
            format!(
                "--quirks: unknown quirk `{name}`; use `all`, `none`, or some of {known}; `-` before a name excludes it"
            )
        })
}

impl fmt::Display for Quirks {
    /// Prints inclusions or exclusions, whichever are fewer.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (inside, outside): (Vec<_>, Vec<_>) = Quirk::ALL.into_iter().partition(|quirk| self.has(*quirk));
        if outside.is_empty() {
            return f.write_str("all");
        }
        if inside.is_empty() {
            return f.write_str("none");
        }
        let (prefix, shown) = if inside.len() <= outside.len() {
            ("", inside)
        } else {
            ("-", outside)
        };
        for (index, quirk) in shown.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{prefix}{}", quirk.name())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Quirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Quirks({self})")
    }
}

impl TryFrom<String> for Quirks {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Quirks> for String {
    fn from(quirks: Quirks) -> Self {
        quirks.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_parse_as_they_print() {
        for text in ["all", "none", "naps", "naps,unknown_keys", "-gaps", "-naps,-gaps"] {
            assert_eq!(text.parse::<Quirks>().unwrap().to_string(), text);
        }
        let naps: Quirks = "all,-naps".parse().unwrap();
        assert_eq!(naps, Quirks::ALL.without(Quirk::Naps));
        assert_eq!(
            "naps, gaps,-naps".parse::<Quirks>().unwrap(),
            Quirks::NONE.with(Quirk::Gaps)
        );
        for text in ["", "nap", "naps,", "--naps"] {
            assert!(
                text.parse::<Quirks>().unwrap_err().contains("unknown quirk"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_configuration_holds_quirks_as_text() {
        for quirk in Quirk::ALL {
            let without = Quirks::ALL.without(quirk);
            let text = serde_json::to_string(&without).unwrap();
            assert_eq!(serde_json::from_str::<Quirks>(&text).unwrap(), without);
            assert_eq!(text, format!("\"-{}\"", quirk.name()));
        }
    }
}
