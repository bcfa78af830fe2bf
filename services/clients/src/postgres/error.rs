//! Why TimescaleDB could not be used. No text of these holds a password or the URL.

use std::path::PathBuf;
use std::time::Duration;

use pulseline_runtime::retry::{Class, Classify};
use tokio_postgres::error::SqlState;

use super::class::{self, class_of};

/// What is wrong with `timescale.url`, or with the variables and files beside it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// It cannot be read. Its text is left out: it may hold a password.
    #[error("timescale.url is not a PostgreSQL URL, nor a list of name=value: {0}")]
    Text(&'static str),
    /// A parameter that nobody knows.
    #[error("timescale.url has the parameter `{0}`, which libpq does not know or Pulseline does not support")]
    Unknown(String),
    /// A value that is none of those that can be.
    #[error("{setting} has to be {expected}")]
    Value {
        /// The setting.
        setting: String,
        /// What it has to be.
        expected: String,
    },
    /// A file that cannot be read.
    #[error("{setting} names the file {}, which cannot be read: {cause}", path.display())]
    File {
        /// The setting.
        setting: String,
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// Certificates are to be checked, against nothing.
    #[error(
        "sslmode in timescale.url asks for a checked certificate, but there is no root certificate: give \
         sslrootcert=FILE, sslrootcert=system for the authorities of this machine, or put it into ~/.postgresql/root.crt"
    )]
    NoAuthority,
}

/// Why no session was had.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// What the driver, the TLS or the server said; and what was said over the other kind of connection before.
    #[error("{}{}", class::explain_connect(source), earlier(before.as_deref()))]
    Driver {
        /// What it was.
        source: tokio_postgres::Error,
        /// What was said before, with or without TLS.
        before: Option<String>,
    },
    /// Its name is not known.
    #[error("the host's name cannot be looked up: {0}")]
    Lookup(std::io::Error),
    /// No answer.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// A server that is not the one that was asked for.
    #[error("the server {0}, and target_session_attrs in timescale.url asks for another")]
    Unwanted(&'static str),
}

/// Why TimescaleDB could not be used.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// No session with a server.
    #[error("{server}: {source}")]
    Connect {
        /// Its host and port.
        server: String,
        /// Why.
        source: Box<ConnectError>,
    },
    /// No session with any of several servers.
    #[error("none of the hosts in timescale.url can be used: {}", list(.0))]
    NoHost(Vec<PostgresError>),
    /// A statement, or a session that ended.
    #[error("{}", class::explain(.0))]
    Statement(#[from] tokio_postgres::Error),
}

impl PostgresError {
    /// The SQLSTATE, when the server gave one.
    #[must_use]
    pub fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Statement(error) => error.code(),
            Self::Connect { source, .. } => match source.as_ref() {
                ConnectError::Driver { source, .. } => source.code(),
                ConnectError::Lookup(_) | ConnectError::TimedOut(_) | ConnectError::Unwanted(_) => None,
            },
            Self::Settings(_) | Self::NoHost(_) => None,
        }
    }
}

impl Classify for PostgresError {
    fn class(&self) -> Class {
        match self {
            Self::Settings(_) => Class::Fatal,
            Self::Connect { source, .. } => source.class(),
            // Only what passes lets the next host be tried.
            Self::NoHost(_) => Class::Transient,
            Self::Statement(error) => class_of(error),
        }
    }
}

impl Classify for ConnectError {
    fn class(&self) -> Class {
        match self {
            Self::Driver { source, .. } => class::class_of_connect(source),
            // Names are lost in an outage of their servers, and when a container is replaced.
            Self::Lookup(_) | Self::TimedOut(_) => Class::Transient,
            // After a failover another one is.
            Self::Unwanted(_) => Class::Transient,
        }
    }
}

fn earlier(before: Option<&str>) -> String {
    before.map_or_else(String::new, |before| format!("; before that: {before}"))
}

fn list(errors: &[PostgresError]) -> String {
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    errors.join("; ")
}
