//! Errors of a whole archive. An error of a single record is a [`crate::Refused`].

use std::io;

/// An archive that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// An unreadable file or folder.
    #[error("cannot read {path}")]
    Read {
        /// Its path.
        path: String,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// A file named `.zip` that is not a zip archive.
    #[error("cannot open {path} as a zip archive")]
    Zip {
        /// Its path.
        path: String,
        /// The cause.
        #[source]
        source: zip::result::ZipError,
    },
    /// An unknown time zone.
    #[error("{name} is not an IANA time zone")]
    Zone {
        /// As given.
        name: String,
        /// The cause.
        #[source]
        source: jiff::Error,
    },
    /// An invalid manifest.
    #[error("pulseline.json must have the form {{\"people\": {{\"p01\": {{\"zone\": \"Europe/Oslo\"}}}}}}")]
    Manifest {
        /// The cause.
        #[source]
        source: serde_json::Error,
    },
    /// An unknown person.
    #[error("the files contain no person called {name}; they contain {}", .known.join(", "))]
    Nobody {
        /// The requested name.
        name: String,
        /// The names in the files.
        known: Vec<String>,
    },
    /// No supported file.
    #[error("{path} contains none of the supported files ({seen} files found)")]
    Empty {
        /// The archive's path.
        path: String,
        /// Number of files found.
        seen: usize,
    },
}

impl ArchiveError {
    pub(crate) fn read(path: impl Into<String>, source: io::Error) -> Self {
        Self::Read {
            path: path.into(),
            source,
        }
    }
}
