//! A time zone as a table of offsets, for fast look-ups.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pulseline_schemas::time::MINUTE_MS;
use pulseline_schemas::{LocalMillis, UtcMillis};

use crate::ArchiveError;

/// End of the table: 2100-01-01T00:00Z.
const END_MS: i64 = 4_102_444_800_000;

/// A time zone.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    name: String,
    periods: Vec<Period>,
}

/// A period with one offset.
#[derive(Clone, Copy, Debug)]
struct Period {
    /// First instant.
    from: i64,
    /// First local time that belongs to it by default.
    local_from: i64,
    utc_offset_minutes: i32,
}

/// Possible offsets of a local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// Minutes east of UTC: the only one, the one before a gap, or the first pass of a fold.
    pub(crate) utc_offset_minutes: i32,
    /// The offset of the second pass, in a fold.
    pub(crate) second_pass: Option<i32>,
}

impl Zone {
    pub(crate) fn new(name: &str) -> Result<Self, ArchiveError> {
        let rules = TimeZone::get(name).map_err(|source| ArchiveError::Zone {
            name: name.to_owned(),
            source,
        })?;
        let offset_at = |at: Timestamp| rules.to_offset(at).seconds() / 60;
        let start = Timestamp::UNIX_EPOCH;
        let mut periods = vec![Period {
            from: i64::MIN,
            local_from: i64::MIN,
            utc_offset_minutes: offset_at(start),
        }];
        for change in rules.following(start) {
            let from = change.timestamp().as_millisecond();
            if from >= END_MS {
                break;
            }
            let before = periods.last().map_or(0, |period| period.utc_offset_minutes);
            let after = offset_at(change.timestamp());
            if before != after {
                periods.push(Period {
                    from,
                    // In a gap and in the first pass of a fold, the offset before the change holds.
                    local_from: from + i64::from(before.max(after)) * MINUTE_MS,
                    utc_offset_minutes: after,
                });
            }
        }
        Ok(Self {
            name: name.to_owned(),
            periods,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Minutes east of UTC at an instant.
    pub(crate) fn offset_at(&self, at: UtcMillis) -> i32 {
        let after = self.periods.partition_point(|period| period.from <= at.0);
        self.periods[after.saturating_sub(1)].utc_offset_minutes
    }

    /// The offsets of a local time.
    pub(crate) fn meaning(&self, local: LocalMillis) -> Meaning {
        let after = self
            .periods
            .partition_point(|period| period.local_from <= local.0);
        let utc_offset_minutes = self.periods[after.saturating_sub(1)].utc_offset_minutes;
        // In a gap, the offset after it would make an instant before the change.
        let second_pass = self
            .periods
            .get(after)
            .filter(|next| local.at_offset(next.utc_offset_minutes).0 >= next.from)
            .map(|next| next.utc_offset_minutes);
        Meaning {
            utc_offset_minutes,
            second_pass,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::parse_date;

    fn meaning(zone: &str, text: &str) -> (i32, Option<i32>) {
        let zone = Zone::new(zone).unwrap();
        let meaning = zone.meaning(LocalMillis(parse_date(text).unwrap()));
        (meaning.utc_offset_minutes, meaning.second_pass)
    }

    #[test]
    fn in_a_gap_the_offset_before_it_holds() {
        assert_eq!(meaning("Europe/Oslo", "2020-03-29 01:59:59"), (60, None));
        assert_eq!(meaning("Europe/Oslo", "2020-03-29 02:00:00"), (60, None));
        assert_eq!(meaning("Europe/Oslo", "2020-03-29 02:59:59"), (60, None));
        assert_eq!(meaning("Europe/Oslo", "2020-03-29 03:00:00"), (120, None));
    }

    #[test]
    fn in_a_fold_both_passes_are_known() {
        assert_eq!(meaning("Europe/Oslo", "2019-10-27 01:59:59"), (120, None));
        assert_eq!(meaning("Europe/Oslo", "2019-10-27 02:00:00"), (120, Some(60)));
        assert_eq!(meaning("Europe/Oslo", "2019-10-27 02:59:59"), (120, Some(60)));
        assert_eq!(meaning("Europe/Oslo", "2019-10-27 03:00:00"), (60, None));
        assert_eq!(
            meaning("Australia/Sydney", "2020-04-05 02:30:00"),
            (660, Some(600))
        );
        assert_eq!(
            meaning("Australia/Lord_Howe", "2020-04-05 01:45:00"),
            (660, Some(630))
        );
    }

    #[test]
    fn instants_have_one_offset() {
        let zone = Zone::new("Australia/Sydney").unwrap();
        let at = |text| zone.offset_at(UtcMillis(parse_date(text).unwrap()));
        assert_eq!(at("2020-04-04 15:59:59"), 660);
        assert_eq!(at("2020-04-04 16:00:00"), 600);
        assert_eq!(Zone::new("UTC").unwrap().offset_at(UtcMillis(0)), 0);
        assert!(Zone::new("Europe/Atlantis").is_err());
    }
}
