//! The second reading: events and refused records, with a stable order and stable ids.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pulseline_schemas::{Event, User, UtcMillis};
use uuid::Uuid;

use crate::archive::Archive;
use crate::group::{Grouper, OPEN_BYTES_MAX};
use crate::identity::identify;
use crate::record::{Reading, Row};
use crate::survey::{Fate, Survey, fate_of, today};
use crate::tree::Consumed;
use crate::walk::{RecordOutcome, Walk};
use crate::{ArchiveError, Refused};

/// An item of an archive.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// An event, ready to be sent.
    Event(Event),
    /// A refused record.
    Refused(Refused),
}

/// Events and refused records: profiles first, then file by file. The iterator ends after an error.
pub struct Events<'a> {
    archive: &'a Archive,
    survey: &'a Survey,
    walk: Walk<'a>,
    outcome: RecordOutcome,
    grouper: Grouper,
    grouped: Vec<Event>,
    ready: VecDeque<Item>,
    consumed: Consumed,
    ended: bool,
}

impl Archive {
    /// Reads everything again, as events. The survey must be this archive's.
    #[must_use]
    pub fn events<'a>(&'a self, survey: &'a Survey) -> Events<'a> {
        Events::new(self, survey)
    }
}

impl<'a> Events<'a> {
    fn new(archive: &'a Archive, survey: &'a Survey) -> Self {
        let consumed = Consumed::default();
        let mut events = Self {
            archive,
            survey,
            walk: Walk::new(
                archive,
                0..archive.files.len(),
                archive.people.clone(),
                Arc::clone(&consumed),
            ),
            outcome: RecordOutcome::default(),
            grouper: Grouper::new(archive.options.window_minutes, OPEN_BYTES_MAX),
            grouped: Vec::new(),
            ready: VecDeque::new(),
            consumed,
            ended: false,
        };
        for person in &survey.people {
            if !person.has_profile && person.newest.is_some() {
                events.send(
                    Event::Users(User {
                        event_id: Uuid::nil(),
                        user_id: person.user_id,
                        synced_at: UtcMillis::default(),
                        created_at: person.oldest.unwrap_or_default(),
                        email: None,
                        date_of_birth: None,
                        gender: None,
                        height_cm: None,
                        max_heart_rate: None,
                        zone: Some(person.zone.clone()),
                        devices: person.devices.clone(),
                        extra: pulseline_schemas::Extra::default(),
                    }),
                    person.synced_at,
                );
            }
        }
        events
    }

    /// Bytes read from the disk so far, of [`Archive::bytes`].
    #[must_use]
    pub fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }

    fn send(&mut self, mut event: Event, synced_at: UtcMillis) {
        event.set_synced_at(synced_at);
        identify(&mut event);
        self.ready.push_back(Item::Event(event));
    }

    fn read_record(&mut self) -> Result<(), ArchiveError> {
        if !self.walk.next(&mut self.outcome)? {
            self.ended = true;
            return Ok(());
        }
        self.walk.leave_out(&mut self.outcome);
        let synced_at = self.survey.synced_at(self.archive, self.outcome.file);
        let rows = std::mem::take(&mut self.outcome.rows);
        for row in rows {
            self.take_row(row, synced_at);
        }
        if self.outcome.ended {
            self.grouper.finish(&mut self.grouped);
        }
        for event in std::mem::take(&mut self.grouped) {
            self.send(event, synced_at);
        }
        let refused = self.outcome.refused.drain(..).map(Item::Refused);
        self.ready.extend(refused);
        Ok(())
    }

    fn take_row(&mut self, row: Row, synced_at: UtcMillis) {
        let daily = self.archive.files[self.outcome.file].family.is_daily();
        let today = daily.then(|| today(&self.walk.people, row.who, synced_at));
        if fate_of(&row, &self.archive.options, today) != Fate::Carried {
            return;
        }
        match row.reading {
            Reading::Sample { at, sample, unknown } => {
                self.grouper
                    .push(row.device, at, (sample, unknown), &mut self.grouped);
            }
            Reading::Session { event, .. } | Reading::Profile(event) => self.send(*event, synced_at),
        }
    }
}

impl Iterator for Events<'_> {
    type Item = Result<Item, ArchiveError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Some(Ok(item));
            }
            if self.ended {
                return None;
            }
            if let Err(error) = self.read_record() {
                self.ended = true;
                return Some(Err(error));
            }
        }
    }
}
