//! Formats of local times and dates in the files, which have no time zone.

use jiff::Timestamp;
use jiff::tz::Offset;
use pulseline_schemas::time::{DAY_MS, date_text};
use pulseline_schemas::{LocalDay, LocalMillis};

/// `2019-11-01 00:00:05`.
pub(super) fn spaced(local: LocalMillis) -> String {
    text(local, ' ')
}

/// `2019-11-01T00:00:05.000`.
pub(super) fn with_t(local: LocalMillis) -> String {
    let mut text = text(local, 'T');
    text.push_str(".000");
    text
}

/// `2019-11-01T00:00:05Z`: the time is local, although the `Z` means UTC.
pub(super) fn with_z(local: LocalMillis) -> String {
    let mut text = text(local, 'T');
    text.push('Z');
    text
}

/// `2019-11-01`.
pub(super) fn date(day: LocalDay) -> String {
    date_text(day.0)
}

/// `11/01/19`.
pub(super) fn american(day: LocalDay) -> String {
    let text = date_text(day.0);
    let part = |from: usize| text.get(from..from + 2).unwrap_or_default();
    format!("{}/{}/{}", part(5), part(8), part(2))
}

/// `2019-11-01 00:00:00`.
pub(super) fn midnight(day: LocalDay) -> String {
    spaced(LocalMillis(i64::from(day.0) * DAY_MS))
}

fn text(local: LocalMillis, between: char) -> String {
    let second = Timestamp::from_second(local.0.div_euclid(1_000)).unwrap_or_default();
    let shown = Offset::UTC.to_datetime(second);
    format!("{}{between}{}", shown.date(), shown.time())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_formats_of_the_data_set() {
        let local = LocalMillis(1_572_566_405_000);
        assert_eq!(spaced(local), "2019-11-01 00:00:05");
        assert_eq!(with_t(local), "2019-11-01T00:00:05.000");
        assert_eq!(with_z(local), "2019-11-01T00:00:05Z");
        assert_eq!(american(LocalDay(18_201)), "11/01/19");
        assert_eq!(midnight(LocalDay(18_201)), "2019-11-01 00:00:00");
        assert_eq!(date(LocalDay(18_201)), "2019-11-01");
    }
}
