//! Errors of TimescaleDB connections. No text contains a password or the URL.

use std::path::PathBuf;
use std::time::Duration;

use pulseline_runtime::retry::{Class, Classify};
use tokio_postgres::error::SqlState;

use super::class::{self, class_of};

/// An error in `timescale.url`, or in libpq's variables and files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Invalid syntax. The message omits the text, which may hold a password.
    #[error("timescale.url is neither a PostgreSQL URL nor a list of name=value: {0}")]
    Text(&'static str),
    /// An unknown or unsupported parameter.
    #[error(
        "timescale.url has the parameter `{0}`, which libpq does not know or Pulseline does not support: remove it"
    )]
    Unknown(String),
    /// An invalid value.
    #[error("{setting} must be {expected}")]
    Value {
        /// The setting.
        setting: String,
        /// The expected values.
        expected: String,
    },
    /// An unreadable file.
    #[error("{setting}: cannot read {}: {cause}", path.display())]
    File {
        /// The setting.
        setting: String,
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// Verification is required, but no root certificate is known.
    #[error(
        "sslmode in timescale.url requires a verified certificate, but there is no root certificate: set \
         sslrootcert=FILE, or sslrootcert=system for the CAs of this machine, or put it into ~/.postgresql/root.crt"
    )]
    NoAuthority,
}

/// A failed connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// An error of driver, TLS or server, and of an earlier attempt with or without TLS.
    #[error("{}{}", class::explain_connect(source), earlier(before.as_deref()))]
    Driver {
        /// The error.
        source: tokio_postgres::Error,
        /// The error of the earlier attempt.
        before: Option<String>,
    },
    /// DNS failed.
    #[error("cannot look up the host name: {0}")]
    Lookup(std::io::Error),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs())]
    TimedOut(Duration),
    /// A server of the wrong kind.
    #[error("the server {0}, but target_session_attrs in timescale.url requires another kind")]
    Unwanted(&'static str),
}

/// An error of TimescaleDB.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A failed connection to a server.
    #[error("{server}: {source}")]
    Connect {
        /// Its host and port.
        server: String,
        /// Why.
        source: Box<ConnectError>,
    },
    /// Failed connections to all servers.
    #[error("no host in timescale.url is usable: {}", list(.0))]
    NoHost(Vec<PostgresError>),
    /// A failed statement or session.
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
            // Only transient errors lead to the next host.
            Self::NoHost(_) => Class::Transient,
            Self::Statement(error) => class_of(error),
        }
    }
}

impl Classify for ConnectError {
    fn class(&self) -> Class {
        match self {
            Self::Driver { source, .. } => class::class_of_connect(source),
            // DNS fails during its own outages, and while a container is replaced.
            Self::Lookup(_) | Self::TimedOut(_) => Class::Transient,
            // A failover may change the server's kind.
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
