//! Options: what to read, and how to interpret its clocks.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pulseline_schemas::{LocalDay, Stream, UtcMillis};

/// Default length of an upload of samples in minutes: what the app sends at a time.
pub const WINDOW_MINUTES: i32 = 15;

/// The clock of a file's times. Files do not state it.
///
/// With the person's time zone, each time becomes local time and an offset:
///
/// | clock of the file | wall clock | offset |
/// |---|---|---|
/// | UTC | the instant plus the offset | the zone's at that instant; both passes of the hour that autumn repeats are kept apart |
/// | local | as written | the zone's for that wall clock |
/// | local, in the hour that spring skips | as written, although no clock showed it | the one before the change |
/// | local, in the hour that autumn repeats | as written | that of the first pass, until the file's clock runs backwards inside the hour; from then on that of the second |
///
/// The order of sessions and days does not help: in autumn's hour they take the first pass, unless a session would end
/// before it starts. A session's end has its own offset; the levels of a sleep keep the offset of its start. A day has
/// the offset of its midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// UTC, without a mark in the file.
    Utc,
    /// The wearer's local time.
    Local,
}

impl std::fmt::Display for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Utc => "UTC",
            Self::Local => "local",
        })
    }
}

/// Options of an archive.
#[derive(Clone, Debug)]
pub struct Options {
    /// A folder or a `.zip`.
    pub root: PathBuf,
    /// Name of the only person; none: folder names decide.
    pub person: Option<String>,
    /// People to select; empty: all.
    pub only: Vec<String>,
    /// IANA time zone of people who are not in `zones`.
    pub zone: String,
    /// IANA time zones by person.
    pub zones: BTreeMap<String, String>,
    /// Clocks by stream that differ from the layout's. Files of days always use local time.
    pub clocks: BTreeMap<Stream, Clock>,
    /// Time of the export; none: each folder's newest reading.
    pub exported_at: Option<UtcMillis>,
    /// The current time: an upper limit for folders with files of days only.
    pub now: UtcMillis,
    /// First local date to select.
    pub from: Option<LocalDay>,
    /// Last local date to select.
    pub to: Option<LocalDay>,
    /// Minutes of one upload of samples; at least 1.
    pub window_minutes: i32,
}

impl Options {
    /// All of `root`, one `zone` for all people, and the layouts' clocks.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>, zone: impl Into<String>, now: UtcMillis) -> Self {
        Self {
            root: root.into(),
            person: None,
            only: Vec::new(),
            zone: zone.into(),
            zones: BTreeMap::new(),
            clocks: BTreeMap::new(),
            exported_at: None,
            now,
            from: None,
            to: None,
            window_minutes: WINDOW_MINUTES,
        }
    }

    /// True if this person is selected.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// True if a local date is selected.
    pub(crate) fn carries(&self, day: LocalDay) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}
