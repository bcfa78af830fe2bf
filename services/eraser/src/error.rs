//! Why a person could not be erased.

use pulseline_clients::kafka::KafkaFailure;
use pulseline_clients::mongo::{MongoOpenError, describe};
use pulseline_sql::SqlError;
use uuid::Uuid;

/// Why a person could not be erased.
#[derive(Debug, thiserror::Error)]
pub enum EraserError {
    /// The warehouse.
    #[error("TimescaleDB: {0}")]
    Sql(#[from] SqlError),
    /// The document store's client.
    #[error(transparent)]
    MongoOpen(#[from] MongoOpenError),
    /// The document store.
    #[error("MongoDB: {}", describe(.0))]
    Mongo(#[from] mongodb::error::Error),
    /// A document without what every document has.
    #[error("MongoDB: {collection}: a document is not one of ours: {reason}")]
    Foreign {
        /// Where it stands.
        collection: String,
        /// What is wrong.
        reason: String,
    },
    /// Kafka.
    #[error(transparent)]
    Kafka(#[from] KafkaFailure),
    /// Nobody knows this person.
    #[error(
        "no profile and no device of {user} is known; if devices sent data without a profile, name them with --device"
    )]
    Unknown {
        /// Whom.
        user: Uuid,
    },
    /// A task of this process died.
    #[error("a task ended without an answer: {0}")]
    Task(String),
}

impl From<tokio_postgres::Error> for EraserError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error.into())
    }
}
