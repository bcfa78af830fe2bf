//! Why a warehouse could not be built anew.

use pulseline_auditor::AuditError;
use pulseline_compactor::CompactorError;
use pulseline_healer::HealerError;
use pulseline_loader::LoaderError;
use pulseline_runtime::retry::{Class, Classify, RetryError};
use pulseline_runtime::waits::Hop;
use pulseline_sql::SqlError;

/// Why a warehouse could not be built anew.
#[derive(Debug, thiserror::Error)]
pub enum RebuilderError {
    /// The one before is still kept.
    #[error(
        "the warehouse that was in use before the last rebuild is still there, as old_raw, old_stage, old_agg and old_ops: \
         when nobody needs it any more, run `pulseline rebuild --drop-old` first"
    )]
    OldIsThere,
    /// Somebody else builds.
    #[error("another rebuild is under way; if it was killed, its lease ends within a minute")]
    IsUnderWay,
    /// This one was taken for dead.
    #[error("the lease `rebuild` went to another rebuild, which goes on from what was built")]
    LeaseLost,
    /// What somebody made depends on what is to be dropped.
    #[error(
        "{0} depend on the old warehouse: make them anew on raw, stage, agg and ops, or drop them, then run this again"
    )]
    IsNeeded(String),
    /// A task of this process died.
    #[error("a task ended without an answer: {0}")]
    Task(String),
    /// The drain deadline passed during an outage.
    #[error("abandoned during an outage: run it again to go on")]
    Abandoned,
    /// Filling it.
    #[error("{0}")]
    Loader(#[from] LoaderError),
    /// Refreshing it.
    #[error("{0}")]
    Compactor(#[from] CompactorError),
    /// Checking it.
    #[error("{0}")]
    Audit(#[from] AuditError),
    /// Repairing it.
    #[error("{0}")]
    Healer(#[from] HealerError),
    /// The database.
    #[error("TimescaleDB: {0}")]
    Sql(#[from] SqlError),
}

impl RebuilderError {
    /// True when a lock was not given in time, or given up to end a deadlock.
    pub(crate) fn is_locked(&self) -> bool {
        let Self::Sql(SqlError::Postgres(error)) = self else {
            return false;
        };
        let code = error.code().map(tokio_postgres::error::SqlState::code);
        matches!(code, Some("55P03" | "40P01"))
    }
}

impl From<tokio_postgres::Error> for RebuilderError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error.into())
    }
}

impl From<RetryError<Self>> for RebuilderError {
    fn from(error: RetryError<Self>) -> Self {
        match error {
            RetryError::Failed(error) => error,
            RetryError::Abandoned => Self::Abandoned,
        }
    }
}

impl Classify for RebuilderError {
    fn class(&self) -> Class {
        match self {
            Self::Loader(error) => error.class(),
            Self::Compactor(error) => error.class(),
            Self::Audit(error) => error.class(),
            Self::Healer(error) => error.class(),
            Self::Sql(error) => error.class(),
            Self::OldIsThere
            | Self::IsUnderWay
            | Self::LeaseLost
            | Self::IsNeeded(_)
            | Self::Task(_)
            | Self::Abandoned => Class::Fatal,
        }
    }

    fn hop(&self) -> Hop {
        match self {
            Self::Loader(error) => error.hop(),
            Self::Compactor(error) => error.hop(),
            Self::Audit(error) => error.hop(),
            Self::Healer(error) => error.hop(),
            _ => Hop::Timescale,
        }
    }
}
