//! Each quirk of the files, with the smallest record that shows it.

mod anything;
mod samples;
mod sessions;

use pulseline_schemas::Event;
use serde_json::Value;

use super::*;
use crate::Options;
use crate::moment::Moment;

/// The readings of a record of this family and clock, for a person in Oslo.
fn read(family: Family, clock: Clock, records: &[&str]) -> (Out, People) {
    let options = Options::new("", "Europe/Oslo", UtcMillis(0));
    let mut people = People::new(&options).unwrap();
    let mut progress = Progress {
        owner: Some(people.named("p01")),
        ..Progress::default()
    };
    let mut out = Out::default();
    let mut records = records.iter();
    if family.is_csv() {
        let header = records.next().unwrap();
        progress.columns = Some(Columns::named_by(header.as_bytes()));
    }
    for record in records {
        let mut context = Context {
            family,
            clock,
            people: &mut people,
            progress: &mut progress,
        };
        if let Err(refusal) = context.read(record.as_bytes(), &mut out) {
            out.refusals.push((-1, refusal));
        }
    }
    (out, people)
}

fn samples(family: Family, records: &[&str]) -> Vec<(Moment, Sample)> {
    let (out, _) = read(family, Clock::Local, records);
    assert_eq!(out.refusals, [], "{records:?}");
    let rows = out.rows.into_iter().map(|row| match row.reading {
        Reading::Sample { at, sample, .. } => (at, sample),
        other => panic!("{other:?}"),
    });
    rows.collect()
}

fn reasons(family: Family, records: &[&str]) -> Vec<(i32, &'static str)> {
    let (out, _) = read(family, Clock::Local, records);
    let refusals = out.refusals.into_iter();
    refusals.map(|(item, refusal)| (item, refusal.reason)).collect()
}

fn events(family: Family, clock: Clock, records: &[&str]) -> Vec<Event> {
    let (out, _) = read(family, clock, records);
    assert_eq!(out.refusals, [], "{records:?}");
    let rows = out.rows.into_iter().map(|row| match row.reading {
        Reading::Session { event, .. } | Reading::Profile(event) => *event,
        other => panic!("{other:?}"),
    });
    rows.collect()
}
