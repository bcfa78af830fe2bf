//! Why the warehouse could not be used. What PostgreSQL's errors mean stands in `pulseline_clients::postgres`.

use pulseline_clients::postgres::PostgresError;
pub use pulseline_clients::postgres::{class_of, explain};
use pulseline_runtime::retry::{Class, Classify};

/// Why the warehouse could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The prefix of the schemas is no name.
    #[error("timescale.schema_prefix is made of lower-case letters, digits and _, and is not {0:?}")]
    Prefix(String),
    /// The settings, the server or the connection.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// The server lacks what the layers are made of.
    #[error(
        "this server has no {0}: continuous aggregates need the Timescale-licensed build of TimescaleDB (the image \
         timescale/timescaledb, or the package timescaledb-2-postgresql-17 of Timescale; not an -oss image, not Debian's own package)"
    )]
    Unlicensed(String),
    /// A migration that was applied is not the one that this program has.
    #[error(
        "migration {version} was applied with other text than this program has: it was edited after its release"
    )]
    Edited {
        /// Its number.
        version: i32,
    },
    /// The database is behind the program.
    #[error("the database is at version {installed}, this program needs {required}: run `pulseline migrate`")]
    TooOld {
        /// What is there.
        installed: i32,
        /// What this program needs.
        required: i32,
    },
    /// The database is ahead of the program.
    #[error("the database is at version {installed}, this program knows {required}: use a newer program")]
    TooNew {
        /// What is there.
        installed: i32,
        /// What this program needs.
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
            // Whoever deploys migrates first, or at the same moment.
            Self::TooOld { .. } => Class::Transient,
            Self::Prefix(_) | Self::Unlicensed(_) | Self::Edited { .. } | Self::TooNew { .. } => Class::Fatal,
        }
    }
}
