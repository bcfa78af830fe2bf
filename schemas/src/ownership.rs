//! Which data of a document lies on which local days: a device that was passed on belongs to several people (P17).

use bson::raw::{CStr, RawArrayBuf, cstr};
use bson::{RawBsonRef, RawDocument, RawDocumentBuf};
use jiff::civil::{Date, date};

use crate::stream::{Kind, Stream};
use crate::time::{LocalMillis, UtcMillis};

/// Where documents of readings and days keep their samples.
const SAMPLES: &CStr = cstr!("metrics");

/// What is left of a document without the data of some days.
#[derive(Clone, Debug, PartialEq)]
pub enum Left {
    /// All of it.
    All,
    /// The document without the samples of these days.
    Part(RawDocumentBuf),
    /// Nothing.
    Nothing,
}

/// Leaves out a device's data of the days that `is_left_out` says. A session is left out whole. Data without a readable day
/// goes by the start of its document, and stays where that has none.
#[must_use]
pub fn without_days(stream: Stream, document: &RawDocument, is_left_out: impl Fn(i32) -> bool) -> Left {
    let is_out = |day: Option<i32>| {
        day.or_else(|| day_at(document, "created_at"))
            .is_some_and(&is_left_out)
    };
    let all_or_nothing = |day| if is_out(day) { Left::Nothing } else { Left::All };
    let field = match stream.kind() {
        Kind::Readings(_) => "ts",
        Kind::Days => "local_date",
        Kind::Sessions(sessions) => return all_or_nothing(day_at(document, sessions.at_field)),
        Kind::Profiles => return Left::All,
    };
    let Ok(samples) = document.get_array(SAMPLES) else {
        return all_or_nothing(None);
    };
    let (mut kept, mut of, mut all) = (RawArrayBuf::new(), 0, 0);
    for sample in samples.into_iter().flatten() {
        all += 1;
        let day = sample.as_document().and_then(|sample| day_at(sample, field));
        if !is_out(day) {
            of += 1;
            kept.push(sample);
        }
    }
    match of {
        0 if all == 0 => all_or_nothing(None),
        0 => Left::Nothing,
        _ if of == all => Left::All,
        _ => Left::Part(with_samples(document, kept)),
    }
}

/// True when a dead letter of a device is of days that `is_of` says. Its bytes tell where they are a document or a sample of
/// one; a dead letter of a document that has several owners' days is of each of them. Other bytes go by the UTC date on
/// which the dead letter was made.
#[must_use]
pub fn is_dead_letter_of(
    stream: Option<Stream>,
    payload: Option<&[u8]>,
    made_at: UtcMillis,
    is_of: impl Fn(i32) -> bool,
) -> bool {
    let document = payload.and_then(|payload| RawDocument::from_bytes(payload).ok());
    let sample = document.and_then(|sample| day_at(sample, "ts").or_else(|| day_at(sample, "local_date")));
    if let Some(day) = sample {
        return is_of(day);
    }
    match (stream, document) {
        (Some(stream), Some(document)) if day_at(document, "created_at").is_some() => {
            without_days(stream, document, is_of) != Left::All
        }
        _ => i32::try_from(LocalMillis(made_at.0).days()).is_ok_and(is_of),
    }
}

/// The day of a field: a wall clock, or a date as text.
fn day_at(document: &RawDocument, field: &str) -> Option<i32> {
    match document.get(field).ok().flatten()? {
        RawBsonRef::DateTime(at) => i32::try_from(LocalMillis(at.timestamp_millis()).days()).ok(),
        RawBsonRef::String(text) => {
            let day: Date = text.parse().ok()?;
            let since = day.since(date(1970, 1, 1)).ok()?;
            Some(since.get_days())
        }
        _ => None,
    }
}

fn with_samples(document: &RawDocument, samples: RawArrayBuf) -> RawDocumentBuf {
    let mut kept = RawDocumentBuf::new();
    for (name, value) in document.iter().flatten() {
        if name != SAMPLES {
            kept.append(name, value);
        }
    }
    kept.append(SAMPLES, samples);
    kept
}

#[cfg(test)]
mod tests {
    use bson::{DateTime, rawdoc};
    use proptest::prelude::*;

    use super::*;
    use crate::time::{DAY_MS, date_text};

    fn at(day: i32) -> DateTime {
        DateTime::from_millis((i64::from(day) + 1) * DAY_MS - 1)
    }

    fn readings(days: &[i32]) -> RawDocumentBuf {
        let mut samples = RawArrayBuf::new();
        for day in days {
            samples.push(rawdoc! { "ts": at(*day), "steps": 1 });
        }
        rawdoc! { "_id": "x", "created_at": at(days.first().copied().unwrap_or(7)), "metrics": samples, "kafka": {} }
    }

    fn samples_of(document: &RawDocument) -> Vec<Option<i32>> {
        let samples = document.get_array("metrics").unwrap().into_iter();
        let day = |sample: RawBsonRef<'_>| day_at(sample.as_document().unwrap(), "ts");
        samples.map(|sample| day(sample.unwrap())).collect()
    }

    proptest! {
        #[test]
        fn p_17_exactly_the_samples_of_other_days_are_left_in_their_order(
            days in prop::collection::vec(-3..12_i32, 0..6), out in -3..12_i32
        ) {
            let document = readings(&days);
            let kept: Vec<i32> = days.iter().copied().filter(|day| *day < out).collect();
            let (all, left) = (days.len(), without_days(Stream::Steps, &document, |day| day >= out));
            match left {
                Left::All if all == 0 => prop_assert!(7 < out),
                Left::Nothing if all == 0 => prop_assert!(7 >= out),
                Left::All => prop_assert_eq!(kept.len(), all),
                Left::Nothing => prop_assert!(kept.is_empty()),
                Left::Part(part) => {
                    prop_assert!(!kept.is_empty() && kept.len() < all);
                    prop_assert_eq!(samples_of(&part), kept.into_iter().map(Some).collect::<Vec<_>>());
                    prop_assert_eq!(part.get_str("_id").unwrap(), "x");
                    prop_assert!(part.get_document("kafka").is_ok());
                }
            }
        }
    }

    #[test]
    fn p_17_a_session_belongs_to_its_day_and_days_to_their_own() {
        let sleep = rawdoc! { "created_at": at(4), "ended_at": at(5) };
        assert_eq!(without_days(Stream::Sleeps, &sleep, |day| day < 5), Left::All);
        assert_eq!(
            without_days(Stream::Sleeps, &sleep, |day| day >= 5),
            Left::Nothing
        );
        assert_eq!(
            without_days(Stream::Exercises, &sleep, |day| day == 4),
            Left::Nothing
        );
        assert_eq!(
            without_days(Stream::SleepScores, &sleep, |day| day == 4),
            Left::All
        );
        assert_eq!(without_days(Stream::Users, &sleep, |_| true), Left::All);
        let date = |day| rawdoc! { "local_date": date_text(day).as_str() };
        let mut samples = RawArrayBuf::new();
        samples.push(date(3));
        samples.push(date(4));
        let days = rawdoc! { "created_at": at(3), "metrics": samples };
        let Left::Part(part) = without_days(Stream::RestingHeartRates, &days, |day| day == 3) else {
            panic!("not a part")
        };
        assert_eq!(part.get_array("metrics").unwrap().into_iter().count(), 1);
    }

    #[test]
    fn p_17_a_dead_letter_tells_its_days_or_goes_by_the_date_on_which_it_was_made() {
        let made_at = UtcMillis(9 * DAY_MS);
        let is_of = |stream, payload: Option<&[u8]>, day| {
            is_dead_letter_of(stream, payload, made_at, |other| other == day)
        };
        let sample = rawdoc! { "ts": at(3), "bpm": 300 };
        let whole = readings(&[4, 5]);
        assert!(is_of(None, Some(sample.as_bytes()), 3) && !is_of(None, Some(sample.as_bytes()), 9));
        for day in [4, 5, 9] {
            let of_day = is_of(Some(Stream::Steps), Some(whole.as_bytes()), day);
            assert_eq!(of_day, day != 9);
        }
        assert!(is_of(Some(Stream::Steps), Some(b"\0\x01avro"), 9) && is_of(None, None, 9));
        assert!(!is_of(Some(Stream::Steps), None, 3));
    }
}
