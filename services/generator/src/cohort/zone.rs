//! A home time zone: local times, and the periods between changes of the offset.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use pulseline_schemas::time::DAY_MS;
use pulseline_schemas::{LocalMillis, UtcMillis};

const EPOCH: Date = Date::constant(1970, 1, 1);

/// A time zone.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    name: &'static str,
    rules: TimeZone,
}

/// A period with one offset: `from` inclusive, `to` exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) utc_offset_minutes: i32,
}

impl Zone {
    pub(crate) fn new(name: &'static str) -> Result<Self, String> {
        let rules = TimeZone::get(name).map_err(|error| format!("time zone {name}: {error}"))?;
        Ok(Self { name, rules })
    }

    pub(crate) const fn name(&self) -> &'static str {
        self.name
    }

    /// The instant at which a local date begins.
    pub(crate) fn midnight(&self, day: i32) -> UtcMillis {
        self.instant(LocalMillis(i64::from(day) * DAY_MS))
    }

    /// The instant of a wall clock: the first of two in a fold, the later side of a gap.
    pub(crate) fn instant(&self, local: LocalMillis) -> UtcMillis {
        let wall =
            Offset::UTC.to_datetime(Timestamp::from_millisecond(local.0).unwrap_or(Timestamp::UNIX_EPOCH));
        UtcMillis(
            self.rules
                .to_timestamp(wall)
                .unwrap_or(Timestamp::UNIX_EPOCH)
                .as_millisecond(),
        )
    }

    /// Minutes east of UTC at an instant.
    pub(crate) fn offset(&self, at: UtcMillis) -> i32 {
        let at = Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
        self.rules.to_offset(at).seconds() / 60
    }

    #[cfg(test)]
    pub(crate) fn local(&self, at: UtcMillis) -> LocalMillis {
        at.at_offset(self.offset(at))
    }

    /// The periods with one offset between two instants, in order.
    pub(crate) fn spans(&self, from: UtcMillis, to: UtcMillis) -> Vec<Span> {
        let mut spans = Vec::new();
        let mut start = from.0;
        let first = Timestamp::from_millisecond(from.0).unwrap_or(Timestamp::UNIX_EPOCH);
        for change in self.rules.following(first) {
            let at = change.timestamp().as_millisecond();
            if at >= to.0 {
                break;
            }
            let before = self.offset(UtcMillis(start));
            // A change of name or rule without a change of offset is ignored.
            if self.offset(UtcMillis(at)) != before {
                spans.push(Span {
                    from: start,
                    to: at,
                    utc_offset_minutes: before,
                });
                start = at;
            }
        }
        spans.push(Span {
            from: start,
            to: to.0,
            utc_offset_minutes: self.offset(UtcMillis(start)),
        });
        spans
    }
}

/// Days since 1970-01-01 of a date.
pub(crate) fn days_of(date: Date) -> i32 {
    (date - EPOCH).get_days()
}

/// Cuts spans into windows on a grid of `window_ms`; a window never spans a change of the offset.
pub(crate) fn windows(spans: &[Span], window_ms: i64) -> Vec<Span> {
    let mut windows = Vec::new();
    for span in spans {
        let mut from = span.from;
        while from < span.to {
            let to = (from.div_euclid(window_ms) * window_ms + window_ms).min(span.to);
            windows.push(Span { from, to, ..*span });
            from = to;
        }
    }
    windows
}

#[cfg(test)]
mod tests {
    use pulseline_schemas::time::MINUTE_MS;

    use super::*;

    fn day(text: &str) -> i32 {
        days_of(text.parse().unwrap())
    }

    #[test]
    fn a_day_has_23_24_or_25_hours() {
        let hours = |zone: &str, date: &str| {
            let zone = Zone::new(if zone == "Oslo" {
                "Europe/Oslo"
            } else {
                "America/New_York"
            })
            .unwrap();
            (zone.midnight(day(date) + 1).0 - zone.midnight(day(date)).0) / 3_600_000
        };
        assert_eq!(hours("Oslo", "2019-11-01"), 24);
        assert_eq!(hours("Oslo", "2019-10-27"), 25);
        assert_eq!(hours("Oslo", "2020-03-29"), 23);
        assert_eq!(hours("New York", "2019-11-03"), 25);
    }

    #[test]
    fn wall_clocks_convert_to_instants_and_back() {
        let zone = Zone::new("Europe/Oslo").unwrap();
        for date in [
            "2019-10-26",
            "2019-10-27",
            "2019-10-28",
            "2020-03-29",
            "2020-07-01",
        ] {
            for minute in (0..24 * 60).step_by(15) {
                let local = LocalMillis(i64::from(day(date)) * DAY_MS + minute * MINUTE_MS);
                let shown = zone.local(zone.instant(local));
                let in_gap = date == "2020-03-29" && (120..180).contains(&minute);
                assert_eq!(
                    shown.0 - local.0,
                    if in_gap { 3_600_000 } else { 0 },
                    "{date} {minute}"
                );
            }
        }
    }

    #[test]
    fn no_window_spans_a_change_of_offset() {
        let zone = Zone::new("Europe/Oslo").unwrap();
        let (from, to) = (zone.midnight(day("2019-10-27")), zone.midnight(day("2019-10-28")));
        let spans = zone.spans(from, to);
        assert_eq!(
            spans
                .iter()
                .map(|span| span.utc_offset_minutes)
                .collect::<Vec<_>>(),
            [120, 60]
        );
        assert_eq!(windows(&spans, 900_000).len(), 100);
        // The change is not on the grid: the window is cut there.
        for window in windows(&spans, 7_000_000) {
            assert_eq!(
                zone.offset(UtcMillis(window.from)),
                zone.offset(UtcMillis(window.to - 1))
            );
        }
    }
}
