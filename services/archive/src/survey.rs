//! The first reading: summarises the content, its age and its problems.

mod folders;
mod lag;
mod shown;
mod tally;

use std::collections::{BTreeMap, BTreeSet};

use pulseline_schemas::{LocalDay, Stream, UtcMillis};
use uuid::Uuid;

use crate::Options;
use crate::archive::Archive;
use crate::discover::NotCarried;
use crate::family::Layout;
use crate::people::{People, Who};
use crate::record::{Reading, Row};

pub use lag::MeasuredClock;

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
    /// When a file's folder was sent.
    pub(crate) fn synced_at(&self, archive: &Archive, file: usize) -> UtcMillis {
        let folder = archive.files[file].entry.folder();
        let found = self
            .sources
            .binary_search_by(|source| source.folder.as_str().cmp(folder));
        found.map_or(archive.options.now, |index| self.sources[index].synced_at)
    }
}

/// The local date at an instant.
pub(crate) fn today(people: &People, who: Who, at: UtcMillis) -> LocalDay {
    let zone = &people.get(who).zone;
    let day = at.at_offset(zone.offset_at(at)).days();
    LocalDay(i32::try_from(day).unwrap_or(i32::MAX))
}
