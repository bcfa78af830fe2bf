//! Reads an archive the first time, folder by folder.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pulseline_schemas::UtcMillis;
use pulseline_schemas::time::DAY_MS;

use super::tally::Tally;
use super::{SourceFolder, Survey, instant_of, today};
use crate::ArchiveError;
use crate::archive::Archive;
use crate::people::People;
use crate::record::Row;
use crate::tree::Consumed;
use crate::walk::{RecordOutcome, Walk};

/// Records between two progress reports.
const RECORDS_BETWEEN_WORDS: u64 = 10_000;

impl Archive {
    /// Reads all files once and summarises them. `progress` receives the bytes consumed so far.
    ///
    /// # Errors
    ///
    /// An unreadable file.
    pub fn survey(&self, progress: &mut dyn FnMut(u64)) -> Result<Survey, ArchiveError> {
        Survey::of(self, progress)
    }
}

impl Survey {
    fn of(archive: &Archive, progress: &mut dyn FnMut(u64)) -> Result<Self, ArchiveError> {
        let consumed = Consumed::default();
        let mut people = archive.people.clone();
        let mut tally = Tally::default();
        let mut survey = Self {
            not_carried: archive.not_carried.clone(),
            ..Self::default()
        };
        let files = &archive.files;
        let mut first = 0;
        while let Some(file) = files.get(first) {
            let folder = file.entry.folder();
            let is_here = |other: &&crate::discover::Carried| {
                other.entry.folder() == folder && other.person == file.person
            };
            let count = files[first..].iter().take_while(is_here).count();
            let daily = files[first..first + count]
                .iter()
                .take_while(|file| !file.family.is_daily())
                .count();
            let mut source = SourceWalk {
                archive,
                progress: &mut *progress,
                consumed: &consumed,
                tally: &mut tally,
                newest: None,
                synced_at: None,
            };
            people = source.read(first..first + daily, people)?;
            let synced_at = source.settle(first + daily..first + count, &people)?;
            people = source.read(first + daily..first + count, people)?;
            tally.sent(file.person.as_deref(), synced_at);
            survey.sources.push(SourceFolder {
                folder: folder.to_owned(),
                synced_at,
            });
            if files
                .get(first + count)
                .is_none_or(|next| next.person != file.person)
            {
                tally.measure_clocks(&people);
            }
            first += count;
        }
        survey.unite_sources();
        tally.into_survey(archive, &people, &mut survey);
        let is_there = |name: &&String| survey.people.iter().any(|person| person.name == **name);
        match archive.options.only.iter().find(|name| !is_there(name)) {
            Some(name) => Err(ArchiveError::Nobody {
                name: name.clone(),
                known: people.all().iter().map(|person| person.name.clone()).collect(),
            }),
            None => Ok(survey),
        }
    }

    /// A folder shared by several people was sent once, at its newest reading.
    fn unite_sources(&mut self) {
        let mut newest: BTreeMap<String, UtcMillis> = BTreeMap::new();
        for source in self.sources.drain(..) {
            let known = newest.entry(source.folder).or_insert(source.synced_at);
            *known = source.synced_at.max(*known);
        }
        self.sources = newest
            .into_iter()
            .map(|(folder, synced_at)| SourceFolder { folder, synced_at })
            .collect();
    }
}

/// Tracks the newest reading of a folder.
struct SourceWalk<'a> {
    archive: &'a Archive,
    progress: &'a mut dyn FnMut(u64),
    consumed: &'a Consumed,
    tally: &'a mut Tally,
    newest: Option<UtcMillis>,
    synced_at: Option<UtcMillis>,
}

impl SourceWalk<'_> {
    fn read(&mut self, files: std::ops::Range<usize>, people: People) -> Result<People, ArchiveError> {
        let mut walk = Walk::new(self.archive, files, people, Arc::clone(self.consumed));
        let mut outcome = RecordOutcome::default();
        let mut records = 0;
        while walk.next(&mut outcome)? {
            let newest = outcome.rows.iter().filter_map(|row| self.believed(row)).max();
            self.newest = self.newest.max(newest);
            walk.leave_out(&mut outcome);
            self.tally.count(self.archive, &outcome);
            for row in &outcome.rows {
                let today = self.synced_at.map(|at| today(&walk.people, row.who, at));
                self.tally.take(self.archive, outcome.file, row, today);
            }
            records += outcome.records;
            if outcome.ended || records % RECORDS_BETWEEN_WORDS == 0 {
                (self.progress)(self.consumed.load(Ordering::Relaxed));
            }
        }
        Ok(walk.people)
    }

    /// A reading beyond tomorrow does not date the export.
    fn believed(&self, row: &Row) -> Option<UtcMillis> {
        instant_of(row).filter(|at| at.0 <= self.archive.options.now.0 + DAY_MS)
    }

    /// When the folder was sent: the option, else its newest reading. Days count only without other readings, and
    /// only past days.
    fn settle(&mut self, daily: std::ops::Range<usize>, people: &People) -> Result<UtcMillis, ArchiveError> {
        let now = self.archive.options.now;
        let synced_at = match self.archive.options.exported_at.or(self.newest) {
            Some(at) => at,
            None => self.newest_day(daily, people)?.unwrap_or(now),
        };
        self.synced_at = Some(synced_at);
        Ok(synced_at)
    }

    fn newest_day(
        &self,
        daily: std::ops::Range<usize>,
        people: &People,
    ) -> Result<Option<UtcMillis>, ArchiveError> {
        let now = self.archive.options.now;
        let mut newest = None;
        let mut walk = Walk::new(self.archive, daily, people.clone(), Consumed::default());
        let mut outcome = RecordOutcome::default();
        while walk.next(&mut outcome)? {
            let happened = outcome.rows.iter().filter_map(instant_of).filter(|at| *at <= now);
            newest = newest.max(happened.max());
        }
        Ok(newest)
    }
}
