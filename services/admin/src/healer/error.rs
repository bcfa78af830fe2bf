//! Why holes could not be repaired, or old documents not removed.

use pulseline_auditor::AuditError;
use pulseline_clients::mongo::{self, MongoOpenError};
use pulseline_loader::LoaderError;
use pulseline_runtime::retry::{Class, Classify};
use pulseline_runtime::waits::Hop;
use pulseline_sink::SinkError;
use pulseline_sql::SqlError;

/// Why holes could not be repaired, or old documents not removed.
#[derive(Debug, thiserror::Error)]
pub enum HealerError {
    /// Finding holes failed.
    #[error("{0}")]
    Audit(#[from] AuditError),
    /// Loading documents failed.
    #[error("{0}")]
    Loader(#[from] LoaderError),
    /// Reading Kafka again failed.
    #[error("{0}")]
    Sink(#[from] SinkError),
    /// The warehouse failed.
    #[error("TimescaleDB: {0}")]
    Sql(#[from] SqlError),
    /// MongoDB's client failed.
    #[error(transparent)]
    MongoOpen(#[from] MongoOpenError),
    /// MongoDB failed.
    #[error("MongoDB: {}", mongo::describe(.0))]
    Mongo(#[from] mongo::Error),
    /// A setting is wrong; the text names it.
    #[error("{0}")]
    Config(String),
}

impl From<tokio_postgres::Error> for HealerError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Sql(error.into())
    }
}

impl Classify for HealerError {
    fn class(&self) -> Class {
        match self {
            Self::Audit(error) => error.class(),
            Self::Loader(error) => error.class(),
            Self::Sink(error) => error.class(),
            Self::Sql(error) => error.class(),
            Self::MongoOpen(error) => error.class(),
            Self::Mongo(error) => mongo::class_of(error),
            Self::Config(_) => Class::Fatal,
        }
    }

    fn hop(&self) -> Hop {
        match self {
            Self::Audit(error) => error.hop(),
            Self::Loader(error) => error.hop(),
            Self::Sink(error) => error.hop(),
            Self::Sql(_) => Hop::Timescale,
            Self::MongoOpen(_) | Self::Mongo(_) => Hop::Mongo,
            Self::Config(_) => Hop::Other,
        }
    }
}
