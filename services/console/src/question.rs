//! Queries of the page, parsed from the URL. Pure.

use std::collections::HashMap;

use jiff::civil::Date;
use uuid::Uuid;

/// Most days of a person in one query.
const DAYS_MAX: i32 = 31;

/// A query; equal queries share one answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// The compactor's journal, and the plan of its next cycle.
    Compactor,
    /// Dead letters, newest first.
    DeadLetters {
        reason: Option<String>,
        stream: Option<String>,
        with_resolved: bool,
    },
    /// The dead letters of one origin, with their bytes.
    DeadLetter { origin: String },
    /// All people.
    People,
    /// A person's days.
    Person { user: Uuid, from: Date, to: Date },
}

/// The non-empty fields of the query string.
#[derive(Debug)]
pub(crate) struct Fields(HashMap<String, String>);

impl Fields {
    pub(crate) fn read(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned();
        Self(pairs.filter(|(_, value)| !value.is_empty()).collect())
    }

    /// A required field.
    pub(crate) fn take(&mut self, name: &str) -> Result<String, String> {
        self.0.remove(name).ok_or_else(|| format!("{name} is missing"))
    }

    fn parse<T: std::str::FromStr>(&mut self, name: &str) -> Result<T, String> {
        self.take(name)?.parse().map_err(|_| format!("{name} is invalid"))
    }
}

/// Parses a query for dead letters.
pub(crate) fn dead_letters(query: Option<&str>) -> Question {
    let Fields(mut fields) = Fields::read(query);
    Question::DeadLetters {
        reason: fields.remove("reason"),
        stream: fields.remove("stream"),
        with_resolved: fields.remove("all").is_some(),
    }
}

/// Parses a query for one dead letter.
pub(crate) fn dead_letter(query: Option<&str>) -> Result<Question, String> {
    let origin = Fields::read(query).take("origin")?;
    Ok(Question::DeadLetter { origin })
}

/// Parses a query for a person's days, `to` included.
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
        assert_eq!(asked("yesterday", "2019-11-01"), Err("from is invalid".into()));
        assert_eq!(person(Some("user=p01")), Err("user is invalid".into()));
    }
}
