//! Whole archives: layouts, sources, packing, damage, and the same result every time.
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod damage;
mod layouts;
mod sources;
mod tree;

use pulseline_archive::{Archive, Item, Options, REASONS, Refused, Survey};
use pulseline_schemas::{Event, Stream, UtcMillis};

/// 2021-01-01T00:00Z
const NOW: UtcMillis = UtcMillis(1_609_459_200_000);

fn options(folder: &tree::Folder) -> Options {
    Options {
        person: Some("anna".into()),
        ..Options::new(folder.path(), "Europe/Oslo", NOW)
    }
}

struct Read {
    survey: Survey,
    events: Vec<Event>,
    refused: Vec<Refused>,
}

impl Read {
    fn of(&self, stream: Stream) -> Vec<&Event> {
        self.events
            .iter()
            .filter(|event| event.stream() == stream)
            .collect()
    }
}

/// Reads an archive, and checks what holds for every archive.
fn read(options: Options) -> Read {
    let archive = Archive::open(options).unwrap();
    let mut surveyed = 0;
    let survey = archive.survey(&mut |bytes| surveyed = bytes).unwrap();
    let read_items = || -> Vec<Item> { archive.events(&survey).map(Result::unwrap).collect() };
    let items = read_items();
    assert_eq!(items, read_items(), "the same files give the same events");
    let mut events_read = archive.events(&survey);
    assert!(events_read.by_ref().all(|item| item.is_ok()));
    assert_eq!(
        (surveyed, events_read.consumed()),
        (archive.bytes(), archive.bytes())
    );

    let (mut events, mut refused) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            Item::Event(event) => events.push(event),
            Item::Refused(one) => refused.push(one),
        }
    }
    let counted: u64 = survey
        .people
        .iter()
        .flat_map(|person| &person.counts)
        .map(|(_, counts)| counts.rows)
        .sum();
    let made = survey
        .people
        .iter()
        .filter(|person| !person.has_profile && person.newest.is_some());
    let sent: usize = events.iter().map(Event::readings).sum();
    assert_eq!(sent as u64, counted + made.count() as u64, "{survey}");
    let problems: u64 = survey.problems.iter().map(|problem| problem.count).sum();
    assert_eq!(refused.len() as u64, problems);
    for one in &refused {
        assert!(REASONS.contains(&one.reason), "{one:?}");
    }
    Read {
        survey,
        events,
        refused,
    }
}
