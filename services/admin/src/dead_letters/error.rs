//! Errors of the commands for dead letters.

use pulseline_clients::kafka::KafkaFailure;
use pulseline_loader::LoaderError;
use pulseline_sql::SqlError;

/// Why a command for dead letters failed.
#[derive(Debug, thiserror::Error)]
pub enum DeadLettersError {
    /// The warehouse failed.
    #[error("TimescaleDB: {0}")]
    Sql(#[from] SqlError),
    /// Kafka failed.
    #[error(transparent)]
    Kafka(#[from] KafkaFailure),
    /// Reloading a document failed.
    #[error("{0}")]
    Loader(#[from] LoaderError),
    /// The command selects no dead letters.
    #[error("say which dead letters you mean: name origins, or give --reason, --stream or --since")]
    NoSelection,
}

impl From<tokio_postgres::Error> for DeadLettersError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error.into())
    }
}
