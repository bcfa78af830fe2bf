//! Why a person could not be erased.

use pulseline_clients::kafka::KafkaFailure;
use pulseline_clients::mongo::{Error as MongoError, MongoOpenError, describe};
use pulseline_sql::SqlError;
use uuid::Uuid;

/// Why a person could not be erased.
#[derive(Debug, thiserror::Error)]
pub enum EraserError {
    /// The warehouse failed.
    #[error("TimescaleDB: {0}")]
    Sql(#[from] SqlError),
    /// MongoDB's client failed.
    #[error(transparent)]
    MongoOpen(#[from] MongoOpenError),
    /// MongoDB failed.
    #[error("MongoDB: {}", describe(.0))]
    Mongo(#[from] MongoError),
    /// A document lacks a field that every document has.
    #[error("MongoDB: {collection} holds a document that Pulseline did not write: {reason}")]
    Foreign {
        /// The collection.
        collection: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Kafka failed.
    #[error(transparent)]
    Kafka(#[from] KafkaFailure),
    /// This person is not known.
    #[error(
        "no profile or device of {user} is known; if devices sent data without a profile, name them with --device"
    )]
    Unknown {
        /// The person.
        user: Uuid,
    },
    /// A task of this process panicked or was aborted.
    #[error("an internal task ended without a result: {0}")]
    Task(String),
}

impl From<tokio_postgres::Error> for EraserError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error.into())
    }
}
