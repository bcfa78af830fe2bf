//! What can go wrong, and what each kind means.

use mongodb::error::Error as MongoError;
use pulseline_clients::mongo::{self, MongoOpenError};
use pulseline_runtime::retry::{Class, Classify};
use pulseline_runtime::waits::Hop;
use pulseline_sql::SqlError;

/// Why loading stopped, or has to wait.
#[derive(Debug, thiserror::Error)]
pub enum LoaderError {
    /// A setting is wrong; the text names it.
    #[error("configuration: {0}")]
    Config(String),
    /// The warehouse.
    #[error("TimescaleDB: {what}: {source}")]
    Sql {
        /// What was being done.
        what: &'static str,
        /// What the server or the connection said.
        #[source]
        source: SqlError,
    },
    /// A statement of the warehouse.
    #[error("TimescaleDB: {what}{}", detail(source))]
    Statement {
        /// What was being done.
        what: &'static str,
        /// What the server or the connection said.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The document store's client.
    #[error(transparent)]
    MongoOpen(MongoOpenError),
    /// The document store.
    #[error("MongoDB: {what}: {}", mongo::describe(source))]
    Mongo {
        /// What was being done.
        what: &'static str,
        /// What the server or the driver said.
        #[source]
        source: Box<MongoError>,
    },
    /// The floor, or who was erased, is not what the batch was prepared for: it is written again without what must not be.
    #[error("floor and erasures have moved to {guard:?}")]
    Moved {
        /// What they are now.
        guard: pulseline_sql::write_guard::WriteGuard,
    },
    /// Hashes of the erased without their key: nobody could be recognised.
    #[error(
        "the warehouse knows that people were erased, but MongoDB's collection `forgotten` has no register with the key \
         of their hashes: restore it, or their readings would come back"
    )]
    NoErasureKey,
    /// The checkpoint is not where this loader left it: what stands there now is gone on from, if it is still ours.
    #[error(
        "fenced: the checkpoint of {collection} is not where this loader left it (epoch {epoch}, seq {seq}); \
         nothing of this batch was written"
    )]
    Fenced {
        /// Whose checkpoint.
        collection: &'static str,
        /// The epoch this loader held.
        epoch: i64,
        /// The sequence number it expected.
        seq: i64,
    },
    /// A later owner has the checkpoint.
    #[error(
        "fenced: the checkpoint of {collection} is no longer ours (epoch {epoch}); another loader has taken over"
    )]
    Claimed {
        /// Whose checkpoint.
        collection: &'static str,
        /// The epoch this loader held.
        epoch: i64,
    },
    /// The lease went to another loader.
    #[error(
        "fenced: the lease `{name}` of epoch {epoch} went to another loader; only one may load at a time"
    )]
    LeaseLost {
        /// Name of the lease.
        name: &'static str,
        /// The epoch this loader held.
        epoch: i64,
    },
    /// The server no longer knows the position, and the policy is to stop.
    #[error(
        "the position of {collection} in the change stream is lost ({reason}); events may be missing. Set \
         loader.dead_token to \"resnapshot\" to read the collection again and go on"
    )]
    DeadToken {
        /// Which collection.
        collection: &'static str,
        /// What the server said.
        reason: String,
    },
    /// Recovery does not help.
    #[error(
        "the position of {collection} in the change stream was lost {recoveries} times without any progress between"
    )]
    NoProgress {
        /// Which collection.
        collection: &'static str,
        /// How often.
        recoveries: u32,
    },
    /// An index is missing, and this user may not make it.
    #[error(
        "MongoDB: {collection} has no index on {keys}, in whose order it is read, and this user may not make one (13): start \
         the sink of this version, which makes it, or grant createIndex"
    )]
    NoIndex {
        /// Whose.
        collection: String,
        /// Its keys.
        keys: String,
    },
    /// The server broke its own contract.
    #[error("MongoDB: {0}")]
    Protocol(String),
    /// The drain deadline passed.
    #[error("abandoned: unfinished batches are read again at the next start")]
    Abandoned,
    /// A task of this process died.
    #[error("a task ended without an answer: {0}")]
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

    /// The SQLSTATE, when the warehouse gave one.
    pub(crate) fn sqlstate(&self) -> Option<&str> {
        match self {
            Self::Statement { source, .. } => source.code().map(tokio_postgres::error::SqlState::code),
            _ => None,
        }
    }

    /// True when the server says that the position is gone.
    pub(crate) fn is_dead_token(&self) -> bool {
        match self {
            Self::Mongo { source, .. } => mongo::is_dead_token(source),
            _ => false,
        }
    }

    /// True when the same batch may be tried again at once: a deadlock or a serialisation conflict, rolled back.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self.sqlstate(), Some("40P01" | "40001"))
    }

    /// True when a row met another with its key: somebody else loaded it since.
    pub(crate) fn is_unique_violation(&self) -> bool {
        self.sqlstate() == Some("23505")
    }

    /// True when a write into packed chunks would unpack more than the server allows at once.
    pub(crate) fn is_unpacking_limit(&self) -> bool {
        self.sqlstate() == Some("53400")
    }

    /// True when a value is at fault: a data exception (class 22), a constraint other than a key (class 23), or more than
    /// the server holds (class 54: a key or a document that is too long or too deep).
    pub(crate) fn is_data_error(&self) -> bool {
        self.sqlstate().is_some_and(is_of_value)
    }

    /// True when a lock was waited for as long as it may be.
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
            // Under our own epoch a rebuilt warehouse took the place of this one; under another the claim will be refused.
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

fn is_of_value(sqlstate: &str) -> bool {
    let class = sqlstate.get(..2).unwrap_or_default();
    matches!(class, "22" | "54") || (class == "23" && sqlstate != "23505")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d_3_what_is_wrong_with_a_value_is_told_from_keys_that_meet_and_from_outages() {
        for refused in ["22003", "22021", "22P05", "23514", "54000"] {
            assert!(is_of_value(refused), "{refused}");
        }
        for other in ["23505", "40P01", "53400", "55P03", "57P01", "5", ""] {
            assert!(!is_of_value(other), "{other}");
        }
    }
}
