//! Two kinds of time that must not be mixed: an instant, and local time.

use jiff::ToSpan;
use jiff::civil::date;

/// Milliseconds in a minute.
pub const MINUTE_MS: i64 = 60_000;
/// Milliseconds in a day.
pub const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Years after which the calendar repeats itself.
const CYCLE_YEARS: i32 = 400;
/// The days of these years.
const CYCLE_DAYS: i32 = 146_097;

/// An instant: milliseconds since 1970-01-01T00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtcMillis(pub i64);

/// A wearer's local time: milliseconds since 1970-01-01T00:00 on that clock, as if it were UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalMillis(pub i64);

/// A date on the wearer's calendar: days since 1970-01-01.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalDay(pub i32);

impl LocalMillis {
    /// The instant at which a clock `utc_offset_minutes` east of UTC shows this time.
    #[must_use]
    pub const fn at_offset(self, utc_offset_minutes: i32) -> UtcMillis {
        UtcMillis(self.0.saturating_sub(utc_offset_minutes as i64 * MINUTE_MS))
    }

    /// Days since 1970-01-01 of the date on this clock.
    #[must_use]
    pub const fn days(self) -> i64 {
        self.0.div_euclid(DAY_MS)
    }
}

impl UtcMillis {
    /// What a clock `utc_offset_minutes` east of UTC shows at this instant.
    #[must_use]
    pub const fn at_offset(self, utc_offset_minutes: i32) -> LocalMillis {
        LocalMillis(self.0.saturating_add(utc_offset_minutes as i64 * MINUTE_MS))
    }
}

/// `YYYY-MM-DD` of a number of days since 1970-01-01 (proleptic Gregorian calendar, as Avro's `date`).
#[must_use]
pub fn date_text(days: i32) -> String {
    // The calendar repeats itself, and goes on after the last year that the library knows, 9999.
    let (cycles, days) = (days.div_euclid(CYCLE_DAYS), days.rem_euclid(CYCLE_DAYS));
    let date = date(1970, 1, 1).saturating_add(days.days());
    let year = i32::from(date.year()) + cycles * CYCLE_YEARS;
    format!("{year:04}-{:02}-{:02}", date.month(), date.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_leads_there_and_back() {
        let local = LocalMillis(1_572_566_400_000);
        assert_eq!(local.at_offset(60).at_offset(60), local);
        assert_eq!(local.at_offset(60).0, local.0 - 3_600_000);
    }

    #[test]
    fn dates_before_and_after_the_epoch() {
        let known = [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (18_201, "2019-11-01"),
            (18_321, "2020-02-29"),
            (11_016, "2000-02-29"),
            (-719_528, "0000-01-01"),
            (-719_529, "-001-12-31"),
            (2_932_896, "9999-12-31"),
            (2_932_897, "10000-01-01"),
            (i32::MIN, "-5877641-06-23"),
            (i32::MAX, "5881580-07-11"),
        ];
        for (days, text) in known {
            assert_eq!(date_text(days), text);
        }
    }

    #[test]
    fn the_date_of_a_wall_clock_rounds_down() {
        assert_eq!(LocalMillis(-1).days(), -1);
        assert_eq!(LocalMillis(DAY_MS).days(), 1);
    }
}
