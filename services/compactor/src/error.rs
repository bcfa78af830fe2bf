//! Why compacting stopped, or has to wait.

use pulseline_auditor::AuditError;
use pulseline_runtime::retry::{Class, Classify, RetryError};
use pulseline_runtime::waits::Hop;
use pulseline_sql::SqlError;

/// Why compacting stopped, or has to wait.
#[derive(Debug, thiserror::Error)]
pub enum CompactorError {
    /// A setting is wrong; the text names it.
    #[error("configuration: {0}")]
    Config(String),
    /// The warehouse failed.
    #[error("TimescaleDB: {what}: {source}")]
    Sql {
        /// The operation that failed.
        what: &'static str,
        /// The server's or the connection's error.
        #[source]
        source: SqlError,
    },
    /// Comparing a sample failed.
    #[error("comparing a sample: {0}")]
    Sample(#[from] AuditError),
    /// The lease went to another compactor.
    #[error("another compactor took the lease `compactor`")]
    LeaseLost,
    /// The drain deadline passed during an outage.
    #[error("abandoned during an outage: days that were not refreshed stay dirty")]
    Abandoned,
}

impl CompactorError {
    pub(crate) fn sql<E: Into<SqlError>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Sql {
            what,
            source: source.into(),
        }
    }
}

impl Classify for CompactorError {
    fn class(&self) -> Class {
        match self {
            Self::Sql { source, .. } | Self::Sample(AuditError::Sql(source)) => source.class(),
            // Another compactor works: this one stands by again.
            Self::LeaseLost => Class::Transient,
            Self::Config(_) | Self::Sample(_) | Self::Abandoned => Class::Fatal,
        }
    }

    fn hop(&self) -> Hop {
        Hop::Timescale
    }
}

impl From<RetryError<Self>> for CompactorError {
    fn from(error: RetryError<Self>) -> Self {
        match error {
            RetryError::Failed(error) => error,
            RetryError::Abandoned => Self::Abandoned,
        }
    }
}
