//! Converts exports of real devices to events.
//!
//! An [`Archive`] is a folder or a zip of files: PMData, a Fitbit account export, Fitabase tables, or documents of the
//! reference store. It is read twice, in bounded memory: [`Archive::survey`] summarises the content and when it was
//! sent, [`Archive::events`] converts it. The same files give the same events in the same order. An invalid record is
//! [`Refused`] with its place and its bytes; the rest of the file is still converted.
//!
//! Pure apart from reading files: nothing here talks to a server, and "now" is an option.
//!
//! ```no_run
//! use pulseline_archive::{Archive, ArchiveError, Item, Options};
//! use pulseline_schemas::UtcMillis;
//!
//! # fn main() -> Result<(), ArchiveError> {
//! let now = UtcMillis(1_600_000_000_000);
//! let archive = Archive::open(Options::new("pmdata", "Europe/Oslo", now))?;
//! let survey = archive.survey(&mut |_bytes| {})?;
//! for item in archive.events(&survey) {
//!     match item? {
//!         Item::Event(event) => drop(event),     // send it
//!         Item::Refused(refused) => drop(refused), // keep it for inspection
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod archive;
mod discover;
mod error;
mod events;
mod family;
mod group;
mod identity;
mod manifest;
mod moment;
mod options;
mod people;
mod pieces;
mod record;
mod refused;
mod survey;
mod tree;
mod value;
mod walk;
mod zone;

pub use archive::Archive;
pub use discover::NotCarried;
pub use error::ArchiveError;
pub use events::{Events, Item};
pub use family::Layout;
pub use identity::{device_id, user_id};
pub use options::{Clock, Options, WINDOW_MINUTES};
pub use pieces::RECORD_BYTES_MAX;
pub use refused::{REASONS, REFUSED_BYTES_MAX, Refused};
pub use survey::{Counts, MeasuredClock, PersonSurvey, Problem, SourceFolder, Survey};
