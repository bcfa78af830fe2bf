//! What a page can ask the warehouse, read from an address. Pure.

use std::collections::HashMap;

use jiff::civil::Date;
use uuid::Uuid;

/// Days of a person that are asked for at a time.
const DAYS_MAX: i32 = 31;

/// A question; the same one is asked once for everybody.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// The journal, and the plan of the next cycle.
    Compactor,
    /// Dead letters, newest first.
    DeadLetters {
        reason: Option<String>,
        stream: Option<String>,
        with_resolved: bool,
    },
    /// The dead letters of an origin with their bytes.
    DeadLetter { origin: String },
    /// Everybody.
    People,
    /// A person's days.
    Person { user: Uuid, from: Date, to: Date },
}

/// The fields behind the question mark; empty ones are left out.
#[derive(Debug)]
pub(crate) struct Fields(HashMap<String, String>);

impl Fields {
    pub(crate) fn read(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned();
        Self(pairs.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// A field that must be there.
    pub(crate) fn take(&mut self, name: &str) -> Result<String, String> {
        self.0.remove(name).ok_or_else(|| format!("{name} is missing"))
    }

    fn parse<T: std::str::FromStr>(&mut self, name: &str) -> Result<T, String> {
        self.take(name)?
            .parse()
            .map_err(|_| format!("{name} cannot be read"))
    }
}

/// The question about dead letters.
pub(crate) fn dead_letters(query: Option<&str>) -> Question {
    let Fields(mut fields) = Fields::read(query);
    Question::DeadLetters {
        reason: fields.remove("reason"),
        stream: fields.remove("stream"),
        with_resolved: fields.remove("all").is_some(),
    }
}

/// The question about one dead letter.
pub(crate) fn dead_letter(query: Option<&str>) -> Result<Question, String> {
    let origin = Fields::read(query).take("origin")?;
    Ok(Question::DeadLetter { origin })
}

/// The question about a person's days, `to` included.
pub(crate) fn person(query: Option<&str>) -> Result<Question, String> {
    let mut fields = Fields::read(query);
    let (user, from, to): (Uuid, Date, Date) =
        (fields.parse("user")?, fields.parse("from")?, fields.parse("to")?);
    let days = from.until(to).map_err(|error| error.to_string())?.get_days();
    if !(0..DAYS_MAX).contains(&days) {
        return Err(format!("from and to must span 1 to {DAYS_MAX} days"));
    }
    Ok(Question::Person { user, from, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_what_is_missing_is_named() {
        let expected = Question::DeadLetter {
            origin: "mongo:steps/a b".into(),
        };
        assert_eq!(dead_letter(Some("origin=mongo%3Asteps%2Fa+b")), Ok(expected));
        assert_eq!(dead_letter(Some("origin=")), Err("origin is missing".into()));
        let all = dead_letters(Some("reason=out_of_range&stream=&all=1"));
        let expected = Question::DeadLetters {
            reason: Some("out_of_range".into()),
            stream: None,
            with_resolved: true,
        };
        assert_eq!(all, expected);
    }

    #[test]
    fn a_person_is_asked_about_a_month_at_most() {
        let asked = |from: &str, to: &str| {
            let user = Uuid::nil();
            person(Some(&format!("user={user}&from={from}&to={to}")))
        };
        assert!(asked("2019-11-01", "2019-11-01").is_ok());
        assert!(asked("2019-12-01", "2019-12-31").is_ok());
        for (from, to) in [
            ("2019-11-02", "2019-11-01"),
            ("2019-11-01", "2020-11-01"),
            ("2019-12-01", "2020-01-01"),
        ] {
            assert!(asked(from, to).is_err(), "{from} {to}");
        }
        assert_eq!(
            asked("yesterday", "2019-11-01"),
            Err("from cannot be read".into())
        );
        assert_eq!(person(Some("user=p01")), Err("user cannot be read".into()));
    }
}
