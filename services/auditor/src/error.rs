//! Errors of comparing the stores.

use pulseline_clients::kafka::KafkaFailure;
use pulseline_clients::mongo::{self, MongoOpenError};
use pulseline_runtime::retry::{Class, Classify};
use pulseline_runtime::waits::Hop;
use pulseline_sql::SqlError;

/// Why the stores could not be compared.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Kafka failed.
    #[error(transparent)]
    Kafka(#[from] KafkaFailure),
    /// MongoDB's client failed.
    #[error(transparent)]
    MongoOpen(#[from] MongoOpenError),
    /// MongoDB failed.
    #[error("MongoDB: {}", mongo::describe(.0))]
    Mongo(#[from] mongo::Error),
    /// The warehouse failed.
    #[error("TimescaleDB: {0}")]
    Sql(#[from] SqlError),
    /// A partition ends below the accounted offsets.
    #[error(
        "{topic}/{partition} ends at {end}, but offsets up to {accounted} are accounted for: the topic was deleted and \
         recreated, or this is another cluster; the sink opens a new incarnation once it sees the topic's new id"
    )]
    EndBelowAccounted {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
        /// Its end.
        end: i64,
        /// The end of the accounted offsets.
        accounted: i64,
    },
    /// A relation that `verify` does not know.
    #[error("verify does not know the relation {name}; it knows {known}")]
    UnknownRelation {
        /// The requested name.
        name: String,
        /// The known names, separated by spaces.
        known: String,
    },
    /// This user reads only.
    #[error(
        "verify --repair writes ops.dirty_days, which this user may not: grant it pulseline_loader beside pulseline_auditor"
    )]
    MayNotMark,
    /// A store holds data that this program does not understand.
    #[error("{0}")]
    Unexpected(String),
}

impl Classify for AuditError {
    fn class(&self) -> Class {
        match self {
            Self::Sql(error) => error.class(),
            Self::Kafka(failure) => failure.class(),
            Self::MongoOpen(error) => error.class(),
            Self::Mongo(error) => mongo::class_of(error),
            Self::EndBelowAccounted { .. }
            | Self::UnknownRelation { .. }
            | Self::MayNotMark
            | Self::Unexpected(_) => Class::Fatal,
        }
    }

    fn hop(&self) -> Hop {
        match self {
            Self::Kafka(_) | Self::EndBelowAccounted { .. } => Hop::Kafka,
            Self::Mongo(_) | Self::MongoOpen(_) => Hop::Mongo,
            Self::Sql(_) | Self::MayNotMark => Hop::Timescale,
            Self::UnknownRelation { .. } | Self::Unexpected(_) => Hop::Other,
        }
    }
}

impl From<tokio_postgres::Error> for AuditError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error.into())
    }
}

impl From<bson::error::Error> for AuditError {
    fn from(error: bson::error::Error) -> Self {
        Self::Unexpected(format!("a document cannot be read: {error}"))
    }
}
