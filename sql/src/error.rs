//! Errors of the warehouse. `pulseline_clients::postgres` explains those of PostgreSQL.

use pulseline_clients::postgres::PostgresError;
pub use pulseline_clients::postgres::{class_of, explain};
use pulseline_runtime::retry::{Class, Classify};

/// Why the warehouse could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The schema prefix is invalid.
    #[error("timescale.schema_prefix must consist of lower-case letters, digits and _, but is {0:?}")]
    Prefix(String),
    /// The settings, the server or the connection.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The server lacks a required extension or licence.
    #[error(
        "this server has no {0}: continuous aggregates need the Timescale-licensed build of TimescaleDB (the image \
         timescale/timescaledb, or the package timescaledb-2-postgresql-17 of Timescale; not an -oss image, not Debian's own package)"
    )]
    Unlicensed(String),
    /// A relation is not what it was migrated to be.
    #[error(
        "{0} is no continuous aggregate of this server any more: `pulseline rebuild` builds the warehouse anew"
    )]
    NotAnAggregate(String),
    /// An applied migration differs from the one in this program.
    #[error(
        "the applied migration {version} differs from the one in this program: it was edited after its release"
    )]
    Edited {
        /// Its number.
        version: i32,
    },
    /// The database is behind the program.
    #[error("the schema is at version {installed}, this program needs {required}: run `pulseline migrate`")]
    TooOld {
        /// The installed version.
        installed: i32,
        /// The version that this program needs.
        required: i32,
    },
    /// The database is ahead of the program.
    #[error("the schema is at version {installed}, this program knows only {required}: use a newer program")]
    TooNew {
        /// The installed version.
        installed: i32,
        /// The version that this program knows.
        required: i32,
    },
}

impl From<tokio_postgres::Error> for SqlError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error.into())
    }
}

impl Classify for SqlError {
    fn class(&self) -> Class {
        match self {
            Self::Postgres(error) => error.class(),
            // An operator may run the migration before or at the same moment.
            Self::TooOld { .. } => Class::Transient,
            Self::Prefix(_)
            | Self::Unlicensed(_)
            | Self::NotAnAggregate(_)
            | Self::Edited { .. }
            | Self::TooNew { .. } => Class::Fatal,
        }
    }
}
