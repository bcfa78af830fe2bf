//! Why a warehouse could not be rebuilt.

use crate::healer::HealerError;
use pulseline_auditor::AuditError;
use pulseline_compactor::CompactorError;
use pulseline_loader::LoaderError;
use pulseline_runtime::retry::{Class, Classify, RetryError};
use pulseline_runtime::waits::Hop;
use pulseline_sql::SqlError;

/// Why a warehouse could not be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuilderError {
    /// The previous warehouse still exists.
    #[error(
        "the warehouse from before the last rebuild still exists as old_raw, old_stage, old_agg and old_ops: \
         once it is no longer needed, run `pulseline rebuild --drop-old`, then try again"
    )]
    OldIsThere,
    /// Another rebuild runs.
    #[error(
        "another rebuild is running; if it was killed, its lease expires within a minute: try again then"
    )]
    IsUnderWay,
    /// Another rebuild took this one for dead.
    #[error("another rebuild took the lease `rebuild`, and continues from what was built")]
    LeaseLost,
    /// Other relations depend on the warehouse to drop.
    #[error(
        "{0} depend on the old warehouse: recreate them on raw, stage, agg and ops, or drop them, then try again"
    )]
    IsNeeded(String),
    /// Figures of some days can be computed from nothing any more.
    #[error(
        "readings of days before {floor} are deleted (compactor.retain_days), and so are documents of such days \
         (healer.retain_documents_days): a rebuild would lose their figures, which the warehouse in use alone has"
    )]
    FiguresOnly {
        /// The first day whose readings are kept.
        floor: String,
    },
    /// A task of this process panicked or was aborted.
    #[error("an internal task ended without a result: {0}")]
    Task(String),
    /// The drain deadline passed during an outage.
    #[error("abandoned during an outage: run the command again to continue")]
    Abandoned,
    /// Loading failed.
    #[error("{0}")]
    Loader(#[from] LoaderError),
    /// Refreshing failed.
    #[error("{0}")]
    Compactor(#[from] CompactorError),
    /// Checking failed.
    #[error("{0}")]
    Audit(#[from] AuditError),
    /// Repairing failed.
    #[error("{0}")]
    Healer(#[from] HealerError),
    /// The database failed.
    #[error("TimescaleDB: {0}")]
    Sql(#[from] SqlError),
}

impl RebuilderError {
    /// True when a lock wait timed out, or ended in a deadlock.
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
            | Self::FiguresOnly { .. }
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
