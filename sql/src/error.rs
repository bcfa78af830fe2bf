//! What PostgreSQL says, and what it means for the work at hand.

use pulseline_runtime::retry::{Class, Classify};
use tokio_postgres::error::SqlState;

/// Why the warehouse could not be used.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The connection URL is wrong. Its text is left out: it may hold a password.
    #[error("timescale.url is not a PostgreSQL connection URL")]
    Url,
    /// The prefix of the schemas is no name.
    #[error("timescale.schema_prefix is made of lower-case letters, digits and _, and is not {0:?}")]
    Prefix(String),
    /// No root certificates on this machine, but the URL asks for TLS.
    #[error("the URL asks for TLS, but this machine has no root certificates: install ca-certificates")]
    Certificates,
    /// The server or the connection.
    #[error("{}", told(.0))]
    Postgres(#[from] tokio_postgres::Error),
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

impl Classify for SqlError {
    fn class(&self) -> Class {
        match self {
            Self::Postgres(error) => class_of(error),
            // Whoever deploys migrates first, or at the same moment.
            Self::TooOld { .. } => Class::Transient,
            Self::Url
            | Self::Prefix(_)
            | Self::Certificates
            | Self::Unlicensed(_)
            | Self::Edited { .. }
            | Self::TooNew { .. } => Class::Fatal,
        }
    }
}

fn told(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(
        || error.to_string(),
        |db| format!("{} ({})", db.message(), db.code().code()),
    )
}

/// What an error of the driver means. Lost connections, conflicts and full resources pass; what is unknown is fatal.
#[must_use]
pub fn class_of(error: &tokio_postgres::Error) -> Class {
    match error.code() {
        Some(code) => class_of_state(code),
        // Without a code it is the connection: closed, refused, timed out. A row that cannot be read is a bug.
        None if error.is_closed() || is_io(error) => Class::Transient,
        None => Class::Fatal,
    }
}

fn class_of_state(state: &SqlState) -> Class {
    let code = state.code();
    // 08 connection, 53 resources, 40001/40P01 conflicts, 55P03 lock, 57P01..05 shutdown and start, 25P03 idle too long.
    let passes = code.starts_with("08")
        || code.starts_with("53")
        || matches!(
            code,
            "40001" | "40P01" | "55P03" | "57P01" | "57P02" | "57P03" | "57P05" | "25P03"
        );
    if passes { Class::Transient } else { Class::Fatal }
}

fn is_io(error: &tokio_postgres::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if inner.is::<std::io::Error>() {
            return true;
        }
        cause = inner.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_pass_and_the_unknown_stops() {
        assert_eq!(class_of_state(&SqlState::CONNECTION_FAILURE), Class::Transient);
        assert_eq!(class_of_state(&SqlState::T_R_DEADLOCK_DETECTED), Class::Transient);
        assert_eq!(class_of_state(&SqlState::LOCK_NOT_AVAILABLE), Class::Transient);
        assert_eq!(class_of_state(&SqlState::UNDEFINED_TABLE), Class::Fatal);
        assert_eq!(class_of_state(&SqlState::from_code("XX999")), Class::Fatal);
    }
}
