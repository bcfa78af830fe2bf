//! Parses dates and times of day in all known formats, without time zones.

use std::fmt;

use jiff::civil::Date;
use pulseline_schemas::{LocalDay, LocalMillis};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::Refusal;

const EPOCH: Date = Date::constant(1970, 1, 1);
/// Epoch numbers from here on are milliseconds, below seconds (the year 5138, or March 1973).
const MILLIS_FROM: i64 = 100_000_000_000;

/// Plausible years 1900 to 2199, in milliseconds.
const LIVED_MS: std::ops::Range<i64> = -2_208_988_800_000..7_258_118_400_000;

/// A timestamp of a record in milliseconds, as if its clock were UTC.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Stamp {
    /// Null, empty or missing.
    #[default]
    Missing,
    /// A time.
    At(i64),
    /// Any other text.
    Wrong(String),
}

impl Stamp {
    pub(crate) fn from_text(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() {
            return Self::Missing;
        }
        parse(text).map_or_else(|| Self::Wrong(text.to_owned()), Self::At)
    }

    fn from_epoch(number: i64) -> Self {
        if number.unsigned_abs() < MILLIS_FROM.unsigned_abs() {
            Self::from_millis(number * 1_000)
        } else {
            Self::from_millis(number)
        }
    }

    fn from_millis(millis: i64) -> Self {
        if LIVED_MS.contains(&millis) {
            Self::At(millis)
        } else {
            Self::Wrong(millis.to_string())
        }
    }

    /// The time, if there is one.
    pub(crate) fn optional(&self, name: &str) -> Result<Option<LocalMillis>, Refusal> {
        match self {
            Self::Missing => Ok(None),
            Self::At(millis) => Ok(Some(LocalMillis(*millis))),
            Self::Wrong(text) => Err(Refusal::new("date", format!("{name} is no date: {text}"))),
        }
    }

    /// The time; a missing one is refused.
    pub(crate) fn required(&self, name: &str) -> Result<LocalMillis, Refusal> {
        self.optional(name)?.ok_or_else(|| Refusal::missing(name))
    }

    /// The date of the time, if there is one.
    pub(crate) fn day(&self, name: &str) -> Result<Option<LocalDay>, Refusal> {
        let time = self.optional(name)?;
        Ok(time.and_then(|time| i32::try_from(time.days()).ok().map(LocalDay)))
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StampVisitor)
    }
}

struct StampVisitor;

impl<'de> Visitor<'de> for StampVisitor {
    type Value = Stamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Stamp, E> {
        Ok(Stamp::from_text(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Stamp, E> {
        Ok(Stamp::Missing)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Stamp, E> {
        Ok(Stamp::from_epoch(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Stamp, E> {
        Ok(i64::try_from(number).map_or_else(|_| Stamp::Wrong(number.to_string()), Stamp::from_epoch))
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "a cast saturates; the range is checked"
    )]
    fn visit_f64<E: Error>(self, number: f64) -> Result<Stamp, E> {
        if number.abs() < 1e15 {
            let millis = if number.abs() < 1e11 { number * 1e3 } else { number };
            return Ok(Stamp::from_millis(millis.round() as i64));
        }
        Ok(Stamp::Wrong(number.to_string()))
    }

    /// `{"$date": …}` and `{"$numberLong": "…"}`, as mongoexport writes them.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Stamp, A::Error> {
        let mut stamp = Stamp::Wrong("an object".into());
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "$date" => stamp = of_date(map.next_value()?),
                "$numberLong" | "$numberInt" => {
                    let text: String = map.next_value()?;
                    stamp = text.parse().map_or(Stamp::Wrong(text), Stamp::from_epoch);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(stamp)
    }
}

/// The content of `$date`: a text, or milliseconds of any size.
fn of_date(value: Value) -> Stamp {
    let millis = match &value {
        Value::String(text) => return Stamp::from_text(text),
        Value::Number(number) => number.as_i64(),
        Value::Object(fields) => fields
            .get("$numberLong")
            .and_then(|text| text.as_str()?.parse().ok()),
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    };
    millis.map_or_else(|| Stamp::Wrong(value.to_string()), Stamp::from_millis)
}

/// Milliseconds since 1970-01-01T00:00 of a local date and time, or of a date's midnight.
///
/// `2019-11-01 00:00:05`, `2019-11-12T07:30:00.000`, `11/01/19 00:00:05`, `4/12/2016 7:21:00 AM`, `4/13/2016 0:00`.
/// A trailing `Z` is ignored: such files use local time.
pub(crate) fn parse(text: &str) -> Option<i64> {
    let mut rest = Cursor(text.trim().as_bytes());
    let (first, width) = rest.number(4)?;
    let (year, month, day) = if rest.take(b'-') {
        let (month, _) = rest.number(2)?;
        rest.take(b'-').then_some(())?;
        (first, month, rest.number(2)?.0)
    } else {
        rest.take(b'/').then_some(())?;
        let (second, _) = rest.number(2)?;
        rest.take(b'/').then_some(())?;
        let (third, third_width) = rest.number(4)?;
        match (width, third_width) {
            (4, _) => (first, second, third),
            (_, 4) => (third, first, second),
            // Two digits: there were no trackers before 1970.
            (_, 2) => (third + if third < 70 { 2000 } else { 1900 }, first, second),
            _ => return None,
        }
    };
    Some(midnight(year, month, day)? + rest.time_of_day()?)
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// A number of at most `width` digits, and how many it has.
    fn number(&mut self, width: usize) -> Option<(i64, usize)> {
        let digits = self
            .0
            .iter()
            .take(width)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (head, tail) = self.0.split_at(digits);
        self.0 = tail;
        let value = head
            .iter()
            .fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        (digits > 0).then_some((value, digits))
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    /// Milliseconds since midnight of the rest of the text, which may be empty.
    fn time_of_day(&mut self) -> Option<i64> {
        if self.0.is_empty() {
            return Some(0);
        }
        if !self.take(b'T') {
            self.take(b' ').then_some(())?;
            while self.take(b' ') {}
        }
        let (mut hour, _) = self.number(2)?;
        self.take(b':').then_some(())?;
        let (minute, _) = self.number(2)?;
        let second = if self.take(b':') { self.number(2)?.0 } else { 0 };
        let millis = if self.take(b'.') { self.fraction()? } else { 0 };
        while self.take(b' ') {}
        match self.0 {
            b"" | b"Z" => {}
            b"AM" | b"am" if (1..=12).contains(&hour) => hour %= 12,
            b"PM" | b"pm" if (1..=12).contains(&hour) => hour = hour % 12 + 12,
            _ => return None,
        }
        (hour < 24 && minute < 60 && second < 60)
            .then_some(((hour * 60 + minute) * 60 + second) * 1_000 + millis)
    }

    /// Decimal places as milliseconds, truncated.
    fn fraction(&mut self) -> Option<i64> {
        let (value, width) = self.number(3)?;
        while self.0.first().is_some_and(u8::is_ascii_digit) {
            self.0 = &self.0[1..];
        }
        Some(value * [1, 100, 10, 1].get(width).copied()?)
    }
}

/// Milliseconds from 1970 to the midnight before a day; none for invalid dates and outside 1900 to 2199.
fn midnight(year: i64, month: i64, day: i64) -> Option<i64> {
    (1900..2200).contains(&year).then_some(())?;
    let date = Date::new(
        year.try_into().ok()?,
        month.try_into().ok()?,
        day.try_into().ok()?,
    )
    .ok()?;
    Some(date.duration_since(EPOCH).as_secs() * 1_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulseline_schemas::time::{DAY_MS, date_text};

    use super::*;

    #[test]
    fn every_known_format_is_parsed() {
        let of = |text| parse(text).map(|millis| (date_text((millis / DAY_MS) as i32), millis % DAY_MS));
        let at = |date: &str, seconds: i64| Some((date.to_owned(), seconds * 1_000));
        assert_eq!(of("2019-11-01 00:00:05"), at("2019-11-01", 5));
        assert_eq!(of("11/01/19 00:00:05"), at("2019-11-01", 5));
        assert_eq!(of("2019-11-12T07:30:00.000"), at("2019-11-12", 27_000));
        assert_eq!(of("4/12/2016 7:21:00 AM"), at("2016-04-12", 26_460));
        assert_eq!(of("4/12/2016 12:00:00 AM"), at("2016-04-12", 0));
        assert_eq!(of("4/12/2016 12:00:00 PM"), at("2016-04-12", 43_200));
        assert_eq!(of("4/13/2016 0:00"), at("2016-04-13", 0));
        assert_eq!(of("4/13/2016"), at("2016-04-13", 0));
        assert_eq!(of("2020-07-21T08:47:30Z"), at("2020-07-21", 31_650));
        assert_eq!(of("2020-02-29"), at("2020-02-29", 0));
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in [
            "",
            "x",
            "2019-13-01",
            "2019-02-29",
            "2019-11-01 24:00:00",
            "2019-11-01 10",
            "2019-11-01 13:00 PM",
            "13/01/19 00:00:00",
            "2019-11-01 00:00:05+01:00",
            "11/01/199",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn stamps_of_documents() {
        let of = |text| serde_json::from_str::<Stamp>(text).unwrap();
        assert_eq!(of("1572566400"), Stamp::At(1_572_566_400_000));
        assert_eq!(of("1572566400000"), Stamp::At(1_572_566_400_000));
        assert_eq!(of("1572566400.5"), Stamp::At(1_572_566_400_500));
        assert_eq!(
            of(r#"{"$date": {"$numberLong": "1572566400000"}}"#),
            Stamp::At(1_572_566_400_000)
        );
        assert_eq!(
            of(r#"{"$date": "2019-11-01T00:00:00Z"}"#),
            Stamp::At(1_572_566_400_000)
        );
        assert_eq!(of(r#"{"$date": {"$numberLong": "-5000"}}"#), Stamp::At(-5_000));
        assert_eq!(of("null"), Stamp::Missing);
        assert_eq!(of("\"\""), Stamp::Missing);
        assert_eq!(of("\"soon\""), Stamp::Wrong("soon".into()));
        for text in [
            "9223372036854775807",
            "-9223372036854775808",
            "1e300",
            "99999999999",
        ] {
            assert!(matches!(of(text), Stamp::Wrong(_)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn dates_round_trip(day in -25_000_i32..80_000, second in 0_i64..86_400) {
            let millis = i64::from(day) * DAY_MS + second * 1_000;
            let date = date_text(day);
            let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
            for form in [format!("{date} {hour:02}:{minute:02}:{second:02}"), format!("{date}T{hour:02}:{minute:02}:{second:02}.000")] {
                prop_assert_eq!(parse(&form), Some(millis));
            }
            let (year, month, day) = (&date[..4], &date[5..7], &date[8..]);
            prop_assert_eq!(parse(&format!("{month}/{day}/{year} {hour}:{minute:02}:{second:02}")), Some(millis));
            let half = if hour < 12 { "AM" } else { "PM" };
            let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
            prop_assert_eq!(parse(&format!("{month}/{day}/{year} {twelve}:{minute:02}:{second:02} {half}")), Some(millis));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = parse(&text);
        }
    }
}
