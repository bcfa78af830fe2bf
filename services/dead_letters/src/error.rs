//! Why dead letters could not be dealt with.

use pulseline_clients::kafka::KafkaFailure;
use pulseline_loader::LoaderError;
use pulseline_sql::SqlError;

/// Why dead letters could not be dealt with.
#[derive(Debug, thiserror::Error)]
pub enum DeadLettersError {
    /// The warehouse.
    #[error("TimescaleDB: {0}")]
    Sql(#[from] SqlError),
    /// Kafka.
    #[error(transparent)]
    Kafka(#[from] KafkaFailure),
    /// Loading a document again.
    #[error("{0}")]
    Loader(#[from] LoaderError),
    /// Nothing says which dead letters are meant.
    #[error("say which dead letters: by their origins, --reason, --stream or --since")]
    NoSelection,
}

impl From<tokio_postgres::Error> for DeadLettersError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error.into())
    }
}
