//! Errors of the loader, and what each kind means.

use pulseline_clients::mongo::{self, Error as MongoError, MongoOpenError};
use pulseline_runtime::retry::{Class, Classify};
use pulseline_runtime::waits::Hop;
use pulseline_sql::SqlError;

/// Why loading stopped, or has to wait.
#[derive(Debug, thiserror::Error)]
pub enum LoaderError {
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
    /// A statement of the warehouse failed.
    #[error("TimescaleDB: {what}{}", detail(source))]
    Statement {
        /// The operation that failed.
        what: &'static str,
        /// The server's or the connection's error.
        #[source]
        source: tokio_postgres::Error,
    },
    /// MongoDB's client failed.
    #[error(transparent)]
    MongoOpen(MongoOpenError),
    /// MongoDB failed.
    #[error("MongoDB: {what}: {}", mongo::describe(source))]
    Mongo {
        /// The operation that failed.
        what: &'static str,
        /// The server's or the driver's error.
        #[source]
        source: Box<MongoError>,
    },
    /// The floor or the list of erased people changed after the batch was prepared: it is filtered again and retried.
    #[error("the retention floor or the list of erased people has changed, to {guard:?}")]
    Moved {
        /// The current state.
        guard: pulseline_sql::write_guard::WriteGuard,
    },
    /// The hashes of erased people have no key: none of them could be recognised.
    #[error(
        "people were erased from the warehouse, but MongoDB's collection `forgotten` lacks the key \
         of their hashes, without which their readings would return: restore the collection"
    )]
    NoErasureKey,
    /// The checkpoint moved: the loader continues from its new position, if this loader still owns it.
    #[error(
        "fenced: the checkpoint of {collection} has moved since this loader's last commit (epoch {epoch}, seq {seq}); \
         nothing of this batch was written"
    )]
    Fenced {
        /// The collection.
        collection: &'static str,
        /// The loader's epoch.
        epoch: i64,
        /// The expected sequence number.
        seq: i64,
    },
    /// A later owner has the checkpoint.
    #[error(
        "fenced: another loader has taken over the checkpoint of {collection} (this loader's epoch: {epoch})"
    )]
    Claimed {
        /// The collection.
        collection: &'static str,
        /// The loader's epoch.
        epoch: i64,
    },
    /// The lease went to another loader.
    #[error(
        "fenced: another loader took the lease `{name}` (this loader's epoch: {epoch}); only one loads at a time"
    )]
    LeaseLost {
        /// Name of the lease.
        name: &'static str,
        /// The loader's epoch.
        epoch: i64,
    },
    /// The server no longer knows the position, and the policy is to stop.
    #[error(
        "MongoDB no longer knows the change-stream position of {collection} ({reason}); events may be missing. Set \
         loader.dead_token to \"resnapshot\" to read the collection again"
    )]
    DeadToken {
        /// The collection.
        collection: &'static str,
        /// The server's message.
        reason: String,
    },
    /// Reading the collection again does not help.
    #[error(
        "the change-stream position of {collection} was lost {recoveries} times without progress in between"
    )]
    NoProgress {
        /// The collection.
        collection: &'static str,
        /// How often.
        recoveries: u32,
    },
    /// An index is missing, and this user may not create it.
    #[error(
        "MongoDB: {collection} has no index on {keys}, which reading needs, and this user may not create it (13): start \
         the sink of this version, which creates it, or grant createIndex"
    )]
    NoIndex {
        /// The collection.
        collection: String,
        /// Its keys.
        keys: String,
    },
    /// The server broke its contract.
    #[error("MongoDB: {0}")]
    Protocol(String),
    /// The drain deadline passed.
    #[error("abandoned at the drain deadline: the next start reads unfinished batches again")]
    Abandoned,
    /// A task of this process panicked or was aborted.
    #[error("an internal task ended without a result: {0}")]
    Task(String),
}

fn detail(error: &tokio_postgres::Error) -> String {
    format!(": {}", pulseline_sql::explain(error))
}

impl LoaderError {
    pub(crate) fn sql(what: &'static str) -> impl FnOnce(SqlError) -> Self {
        move |source| Self::Sql { what, source }
    }

    pub(crate) fn statement(what: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Self {
        move |source| Self::Statement { what, source }
    }

    pub(crate) fn mongo(what: &'static str) -> impl FnOnce(MongoError) -> Self {
        move |source| Self::Mongo {
            what,
            source: Box::new(source),
        }
    }

    /// The SQLSTATE, when PostgreSQL gave one.
    pub(crate) fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Statement { source, .. } => source.code().map(tokio_postgres::error::SqlState::code),
            _ => None,
        }
    }

    /// True when the server no longer knows the position.
    pub(crate) fn is_dead_token(&self) -> bool {
        match self {
            Self::Mongo { source, .. } => mongo::is_dead_token(source),
            _ => false,
        }
    }

    /// True when a lock wait timed out.
    pub(crate) fn is_locked(&self) -> bool {
        self.sqlstate() == Some("55P03")
    }

    /// True when another loader holds the lease now: this one stands by.
    pub(crate) fn is_superseded(&self) -> bool {
        matches!(self, Self::Claimed { .. } | Self::LeaseLost { .. })
    }
}

impl From<MongoOpenError> for LoaderError {
    fn from(error: MongoOpenError) -> Self {
        match error {
            MongoOpenError::Setting(text) => Self::Config(text),
            other => Self::MongoOpen(other),
        }
    }
}

impl Classify for LoaderError {
    fn class(&self) -> Class {
        match self {
            Self::Sql { source, .. } => source.class(),
            Self::Statement { source, .. } => pulseline_sql::class_of(source),
            Self::MongoOpen(error) => error.class(),
            Self::Mongo { source, .. } => mongo::class_of(source),
            // Under the same epoch, a rebuilt warehouse has replaced this one; under another, the next claim will be refused.
            Self::Fenced { .. } => Class::Transient,
            Self::Config(_)
            | Self::Moved { .. }
            | Self::NoErasureKey
            | Self::Claimed { .. }
            | Self::LeaseLost { .. }
            | Self::DeadToken { .. }
            | Self::NoProgress { .. }
            | Self::NoIndex { .. }
            | Self::Protocol(_)
            | Self::Abandoned
            | Self::Task(_) => Class::Fatal,
        }
    }

    fn hop(&self) -> Hop {
        match self {
            Self::Mongo { .. } => Hop::Mongo,
            Self::Sql { .. } | Self::Statement { .. } | Self::Fenced { .. } => Hop::Timescale,
            _ => Hop::Other,
        }
    }
}
