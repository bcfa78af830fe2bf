//! Why an archive cannot be read at all. What is wrong with one record is a [`crate::Refused`].

use std::io;

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file or folder cannot be read.
    #[error("{path} cannot be read")]
    Read {
        /// Which.
        path: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file named `.zip` is none.
    #[error("{path} cannot be opened as a zip archive")]
    Zip {
        /// Which.
        path: String,
        /// What is wrong.
        #[source]
        source: zip::result::ZipError,
    },
    /// A time zone that nobody knows.
    #[error("{name} is no time zone")]
    Zone {
        /// As given.
        name: String,
        /// What is wrong.
        #[source]
        source: jiff::Error,
    },
    /// What a folder says of itself cannot be read.
    #[error("pulseline.json is not of the form {{\"people\": {{\"p01\": {{\"zone\": \"Europe/Oslo\"}}}}}}")]
    Manifest {
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
    /// Nobody of that name.
    #[error("there is nobody called {name}; there are {}", .known.join(", "))]
    Nobody {
        /// As asked for.
        name: String,
        /// Who is there.
        known: Vec<String>,
    },
    /// Nothing that a stream carries.
    #[error("{path} holds no file that is carried; {seen} files were seen")]
    Empty {
        /// Where.
        path: String,
        /// How many files are there.
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
