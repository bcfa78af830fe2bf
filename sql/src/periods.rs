//! Days, ISO weeks and months, and what depends on a changed day: one place for the compactor and for `verify` (P6).

use std::error::Error;
use std::ops::Range;

use bytes::{BufMut, BytesMut};
use jiff::civil::{Date, date};
use jiff::{Span, ToSpan};
use tokio_postgres::types::{IsNull, ToSql, Type, accepts, to_sql_checked};

/// A period is open until it has ended everywhere on Earth: the westernmost clocks run 12 hours behind UTC.
pub const OPEN_MARGIN_MS: i64 = 12 * 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// Length of a period of the agg layer. The 15-minute aggregates are refreshed by whole days.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// A local day.
    Day,
    /// Monday to Sunday.
    Week,
    /// A calendar month.
    Month,
}

/// A local day as days since 1970-01-01.
pub type DayNumber = i32;

/// The first day that has not ended everywhere on Earth (P5).
#[must_use]
pub fn first_open_day(now_utc_millis: i64) -> DayNumber {
    let day = (now_utc_millis - OPEN_MARGIN_MS).div_euclid(DAY_MS);
    DayNumber::try_from(day).unwrap_or(DayNumber::MAX)
}

impl Level {
    /// Shortest first: a week or a month stands on its days.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// The period that holds `day`.
    #[must_use]
    pub fn period(self, day: DayNumber) -> Range<DayNumber> {
        match self {
            Self::Day => day..day + 1,
            Self::Week => {
                let monday = day - DayNumber::from(date_of(day).weekday().to_monday_zero_offset());
                monday..monday + 7
            }
            Self::Month => {
                let first = date_of(day).first_of_month();
                number_of(first)..number_of(first.saturating_add(1.month()))
            }
        }
    }

    /// True when the period that holds `day` has not ended everywhere on Earth (P5).
    #[must_use]
    pub fn is_open(self, day: DayNumber, now_utc_millis: i64) -> bool {
        i64::from(self.period(day).end) * DAY_MS > now_utc_millis - OPEN_MARGIN_MS
    }
}

/// Local days between whose first and last moment a sleep must lie, at least in part, for a change on `day` to be able
/// to change its heart rate. Reading and sleep may have offsets of their own: up to 36 hours apart, so 2 days each way.
#[must_use]
pub fn sleep_window(day: DayNumber) -> Range<DayNumber> {
    day - 2..day + 3
}

/// The calendar date of a day number; years beyond -9999..9999 are cut off there.
#[must_use]
pub fn date_of(day: DayNumber) -> Date {
    EPOCH.saturating_add(Span::new().try_days(day).unwrap_or_default())
}

/// The day number of a calendar date.
#[must_use]
pub fn number_of(day: Date) -> DayNumber {
    day.duration_since(EPOCH)
        .as_hours()
        .div_euclid(24)
        .try_into()
        .unwrap_or_default()
}

const EPOCH: Date = date(1970, 1, 1);

/// The start of a local day, as a parameter of type `timestamp`.
#[derive(Clone, Copy, Debug)]
pub struct Midnight(pub DayNumber);

impl ToSql for Midnight {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        /// 2000-01-01, from which PostgreSQL counts microseconds.
        const EPOCH_2000: i64 = 10_957;
        out.put_i64((i64::from(self.0) - EPOCH_2000) * DAY_MS * 1_000);
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMP);
    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn day(y: i16, m: i8, d: i8) -> DayNumber {
        number_of(date(y, m, d))
    }

    #[test]
    fn weeks_begin_on_monday_and_months_on_the_first() {
        assert_eq!(
            Level::Week.period(day(2019, 11, 3)),
            day(2019, 10, 28)..day(2019, 11, 4)
        );
        assert_eq!(Level::Week.period(day(2019, 11, 4)).start, day(2019, 11, 4));
        assert_eq!(
            Level::Month.period(day(2020, 2, 29)),
            day(2020, 2, 1)..day(2020, 3, 1)
        );
        assert_eq!(
            Level::Month.period(day(2019, 12, 31)),
            day(2019, 12, 1)..day(2020, 1, 1)
        );
    }

    #[test]
    fn a_day_is_open_until_the_last_clock_on_earth_has_passed_it() {
        let midnight = i64::from(day(2019, 11, 2)) * DAY_MS;
        assert!(Level::Day.is_open(day(2019, 11, 1), midnight));
        assert!(Level::Day.is_open(day(2019, 11, 1), midnight + OPEN_MARGIN_MS - 1));
        assert!(!Level::Day.is_open(day(2019, 11, 1), midnight + OPEN_MARGIN_MS));
        assert!(Level::Month.is_open(day(2019, 11, 1), midnight + OPEN_MARGIN_MS));
    }

    proptest! {
        #[test]
        fn a_2_a_period_holds_its_day_and_is_the_period_of_all_its_days(number in -40_000_i32..60_000) {
            prop_assert_eq!(number_of(date_of(number)), number);
            for (level, period) in Level::ALL.map(|level| (level, level.period(number))) {
                prop_assert!(period.contains(&number));
                prop_assert_eq!(level.period(period.start), period.clone());
                prop_assert_eq!(level.period(period.end - 1), period.clone());
                prop_assert_ne!(level.period(period.end), period);
            }
        }
    }
}
