//! Lenient numbers: text, empty, null, integer or decimal.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::Refusal;

/// A number of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Number {
    /// Null, empty or missing.
    #[default]
    Missing,
    /// A whole number.
    Whole(i64),
    /// A number with a point or an exponent.
    Decimal(f64),
    /// Any other text.
    Wrong(String),
}

impl Number {
    pub(crate) fn from_text(text: &str) -> Self {
        let text = text.trim();
        if let Ok(whole) = text.parse() {
            return Self::Whole(whole);
        }
        let says_nothing = ["", "nan", "null", "none", "na", "n/a"];
        if says_nothing.contains(&text.to_ascii_lowercase().as_str()) {
            return Self::Missing;
        }
        match text.parse::<f64>() {
            Ok(decimal) if decimal.is_finite() => Self::Decimal(decimal),
            _ => Self::Wrong(text.to_owned()),
        }
    }

    /// The number with its fraction.
    #[allow(clippy::cast_precision_loss, reason = "figures of a body are small")]
    pub(crate) fn decimal(&self, name: &str) -> Result<Option<f64>, Refusal> {
        match self {
            Self::Missing => Ok(None),
            Self::Whole(number) => Ok(Some(*number as f64)),
            Self::Decimal(number) => Ok(Some(*number)),
            Self::Wrong(text) => Err(Refusal::new("number", format!("{name} is no number: {text}"))),
        }
    }

    /// The number, rounded.
    #[allow(clippy::cast_possible_truncation, reason = "the range is checked")]
    pub(crate) fn whole(&self, name: &str) -> Result<Option<i64>, Refusal> {
        match self {
            Self::Whole(number) => Ok(Some(*number)),
            _ => match self.decimal(name)? {
                None => Ok(None),
                Some(number) if number.abs() < 9e15 => Ok(Some(number.round() as i64)),
                Some(number) => Err(out_of_range(name, number)),
            },
        }
    }

    /// The number, rounded, in the range of the schemas' counts.
    pub(crate) fn count(&self, name: &str) -> Result<Option<i32>, Refusal> {
        let Some(number) = self.whole(name)? else {
            return Ok(None);
        };
        i32::try_from(number)
            .map(Some)
            .map_err(|_| out_of_range(name, number))
    }

    /// The number multiplied by `factor`, rounded.
    pub(crate) fn scaled(&self, factor: f64, name: &str) -> Result<Option<i32>, Refusal> {
        self.decimal(name)?
            .map_or(Ok(None), |number| Self::Decimal(number * factor).count(name))
    }
}

/// A lenient boolean: `true`, `"True"`, `1`; anything else is none.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    let text = value.as_str().map(str::to_ascii_lowercase);
    Ok(match (value.as_bool(), value.as_i64(), text.as_deref()) {
        (Some(flag), _, _) => Some(flag),
        (_, Some(1), _) | (_, _, Some("true" | "1")) => Some(true),
        (_, Some(0), _) | (_, _, Some("false" | "0")) => Some(false),
        _ => None,
    })
}

fn out_of_range(name: &str, number: impl fmt::Display) -> Refusal {
    Refusal::new("range", format!("{name} is out of range: {number}"))
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
        Ok(Number::Whole(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
        Ok(i64::try_from(number).map_or_else(|_| Number::Wrong(number.to_string()), Number::Whole))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
        Ok(Number::Decimal(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
        Ok(Number::from_text(text))
    }

    fn visit_unit<E: Error>(self) -> Result<Number, E> {
        Ok(Number::Missing)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Number, E> {
        Ok(Number::Wrong(value.to_string()))
    }

    /// `{"$numberLong": "…"}` and its like, as mongoexport writes them.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Number, A::Error> {
        let mut number = Number::Wrong("an object".into());
        while let Some(key) = map.next_key::<String>()? {
            if key.starts_with("$number") {
                number = map.next_value()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(json: &str) -> Number {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_same_number_in_every_format() {
        for json in [
            "54",
            "\"54\"",
            "54.0",
            "\"54.0\"",
            "\" 54 \"",
            r#"{"$numberInt": "54"}"#,
        ] {
            assert_eq!(of(json).count("bpm"), Ok(Some(54)), "{json}");
        }
        for json in ["null", "\"\"", "\"NaN\"", "\"None\""] {
            assert_eq!(of(json), Number::Missing, "{json}");
        }
        for json in ["\"a lot\"", "true", "{}", "\"inf\""] {
            assert_eq!(of(json).count("bpm").unwrap_err().reason, "number", "{json}");
        }
        assert_eq!(of("3000000000").count("x").unwrap_err().reason, "range");
        assert_eq!(of("25000000000").whole("log"), Ok(Some(25_000_000_000)));
    }

    #[test]
    fn scaled_numbers_are_rounded() {
        assert_eq!(of("\"1.39\"").scaled(1_000.0, "kcal"), Ok(Some(1_390)));
        assert_eq!(of("\"1.1904\"").scaled(1_000.0, "kcal"), Ok(Some(1_190)));
        assert_eq!(of("\"4510\"").scaled(10.0, "cm"), Ok(Some(45_100)));
    }

    proptest! {
        #[test]
        fn text_and_number_mean_the_same(number in -1_000_000_000_i64..1_000_000_000, thousandths in 0_u32..1_000) {
            prop_assert_eq!(of(&format!("\"{number}\"")), of(&number.to_string()));
            let decimal = format!("{number}.{thousandths:03}");
            prop_assert_eq!(of(&format!("\"{decimal}\"")).decimal("x"), of(&decimal).decimal("x"));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,20}") {
            let _ = Number::from_text(&text).scaled(1_000.0, "x");
        }
    }
}
