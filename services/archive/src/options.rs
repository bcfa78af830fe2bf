//! What to read, and how its clocks are to be understood.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pulseline_schemas::{LocalDay, Stream, UtcMillis};

/// Minutes of one upload of samples, unless told otherwise: what the app sends at a time.
pub const WINDOW_MINUTES: i32 = 15;

/// Which clock a file's times were read from. No file says it.
///
/// With the person's zone, each time becomes a wall clock and an offset:
///
/// | clock of the file | wall clock | offset |
/// |---|---|---|
/// | UTC | the instant plus the offset | the zone's at that instant; both passes of the hour that autumn repeats are kept apart |
/// | local | as written | the zone's for that wall clock |
/// | local, in the hour that spring skips | as written, although no clock showed it | the one before the change |
/// | local, in the hour that autumn repeats | as written | that of the first pass, until the file's clock runs backwards inside the hour; from then on that of the second |
///
/// Sessions and days come in no order that could tell: in autumn's hour they take the first pass, unless a session
/// would end before it starts. A session's end has an offset of its own, by its own wall clock; the levels of a sleep
/// stay on the clock of its start. A day has the offset of its midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Instants, written without a mark.
    Utc,
    /// The wearer's wall clock.
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

/// What to read, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// A folder, or a `.zip`.
    pub root: PathBuf,
    /// Name of the one person whose files these are; none: the names of folders tell.
    pub person: Option<String>,
    /// Names of the people to carry; empty: everybody.
    pub only: Vec<String>,
    /// IANA name of the zone of everybody who is not in `zones`.
    pub zone: String,
    /// Name of a person → IANA name of that person's zone.
    pub zones: BTreeMap<String, String>,
    /// Clocks that differ from those of the layout, by stream. Files of days have only the local one.
    pub clocks: BTreeMap<Stream, Clock>,
    /// When everything was sent; none: each folder's newest reading.
    pub exported_at: Option<UtcMillis>,
    /// The present: no file of days alone is taken to be newer.
    pub now: UtcMillis,
    /// First local date to carry.
    pub from: Option<LocalDay>,
    /// Last local date to carry.
    pub to: Option<LocalDay>,
    /// Minutes of one upload of samples; at least 1.
    pub window_minutes: i32,
}

impl Options {
    /// Everything in `root`, everybody in `zone`, clocks as the layouts have them.
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

    /// True if a person of this name is carried.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }

    /// True if a local date lies between `from` and `to`.
    pub(crate) fn carries(&self, day: LocalDay) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}
