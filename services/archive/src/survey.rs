//! The first reading: summarises the content, its age and its problems.

mod lag;
mod shown;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pulseline_schemas::time::DAY_MS;
use pulseline_schemas::{LocalDay, Stream, UtcMillis};
use uuid::Uuid;

use crate::archive::Archive;
use crate::discover::NotCarried;
use crate::family::Layout;
use crate::people::{People, Who};
use crate::record::{Reading, Row};
use crate::tree::Consumed;
use crate::walk::{RecordOutcome, Walk};
use crate::{ArchiveError, Options};

pub use lag::MeasuredClock;
use tally::Tally;

/// Records between two progress reports.
const RECORDS_BETWEEN_WORDS: u64 = 10_000;

/// Summary of an archive.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// People by name.
    pub people: Vec<PersonSurvey>,
    /// Folders with files of people.
    pub sources: Vec<SourceFolder>,
    /// Problems by file and reason.
    pub problems: Vec<Problem>,
    /// Unsupported files by kind.
    pub not_carried: Vec<NotCarried>,
}

/// A folder with files of a person: one export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFolder {
    /// Below the root; empty for the root itself.
    pub folder: String,
    /// When it was sent: the option, else its newest reading.
    pub synced_at: UtcMillis,
}

/// Summary of one person.
#[derive(Clone, Debug, Default)]
pub struct PersonSurvey {
    /// Name.
    pub name: String,
    /// Id.
    pub user_id: Uuid,
    /// Devices, in the order of their ids.
    pub devices: Vec<Uuid>,
    /// IANA time zone used for this person.
    pub zone: String,
    /// True if a file has a profile of this person; otherwise one is generated.
    pub has_profile: bool,
    /// Layout of the files.
    pub layouts: BTreeSet<Layout>,
    /// Files.
    pub files: usize,
    /// Kinds of files that other people have; a missing kind is normal.
    pub missing: Vec<&'static str>,
    /// Summary by stream.
    pub counts: BTreeMap<Stream, Counts>,
    /// The oldest reading.
    pub oldest: Option<UtcMillis>,
    /// The newest reading that is not in the future.
    pub newest: Option<UtcMillis>,
    /// When the newest of the person's folders was sent.
    pub synced_at: UtcMillis,
    /// The clock of the steps, measured by their energy.
    pub clock: Option<MeasuredClock>,
}

/// Summary of one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Records read: objects or table rows.
    pub records: u64,
    /// Valid readings: samples or sessions.
    pub rows: u64,
    /// Records and readings refused.
    pub refused: u64,
    /// Days without an estimate.
    pub sentinels: u64,
    /// Readings of future days.
    pub not_yet: u64,
    /// Readings outside the selected dates.
    pub outside: u64,
}

/// Problems of a file with one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Path below the root.
    pub file: String,
    /// One of [`crate::REASONS`].
    pub reason: &'static str,
    /// Number of occurrences.
    pub count: u64,
    /// Byte offset of the first occurrence.
    pub offset: u64,
    /// The first occurrence, in a sentence.
    pub detail: String,
}

/// How a row is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Carried,
    NotYet,
    Outside,
}

/// Classifies a row; `today` is the last valid day for files of days.
pub(crate) fn fate_of(row: &Row, options: &Options, today: Option<LocalDay>) -> Fate {
    let day = match &row.reading {
        Reading::Sample { at, .. } => LocalDay(i32::try_from(at.local.days()).unwrap_or(i32::MAX)),
        Reading::Session { day, .. } => *day,
        Reading::Profile(_) => return Fate::Carried,
    };
    if today.is_some_and(|today| day > today) {
        Fate::NotYet
    } else if options.carries(day) {
        Fate::Carried
    } else {
        Fate::Outside
    }
}

/// Time of a reading; of a session, its end.
pub(crate) fn instant_of(row: &Row) -> Option<UtcMillis> {
    match &row.reading {
        Reading::Sample { at, .. } => Some(at.instant()),
        Reading::Session { end, .. } => Some(end.instant()),
        Reading::Profile(_) => None,
    }
}

impl Survey {
    pub(crate) fn of(archive: &Archive, progress: &mut dyn FnMut(u64)) -> Result<Self, ArchiveError> {
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

    /// When a file's folder was sent.
    pub(crate) fn synced_at(&self, archive: &Archive, file: usize) -> UtcMillis {
        let folder = archive.files[file].entry.folder();
        let found = self
            .sources
            .binary_search_by(|source| source.folder.as_str().cmp(folder));
        found.map_or(archive.options.now, |index| self.sources[index].synced_at)
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

/// The local date at an instant.
pub(crate) fn today(people: &People, who: Who, at: UtcMillis) -> LocalDay {
    let zone = &people.get(who).zone;
    let day = at.at_offset(zone.offset_at(at)).days();
    LocalDay(i32::try_from(day).unwrap_or(i32::MAX))
}
