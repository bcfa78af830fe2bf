//! What can go wrong, and what each kind means.

use mongodb::error::{Error as MongoError, ErrorKind, WriteFailure};
use pulseline_runtime::retry::{Class, Classify};
use pulseline_sql::SqlError;

/// Codes by which a server says that a position is gone for good: ChangeStreamHistoryLost, ChangeStreamFatalError,
/// InvalidResumeToken, and the token of another stream.
const DEAD_TOKEN_CODES: [i32; 4] = [286, 280, 260, 50_811];

/// Codes of a server that starts, stops, elects or is overloaded.
const TRANSIENT_CODES: [i32; 22] = [
    6, 7, 43, 50, 63, 64, 89, 91, 112, 133, 134, 150, 189, 234, 237, 262, 9_001, 10_107, 11_600, 11_602,
    13_435, 13_436,
];

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
    /// The document store.
    #[error("MongoDB: {what}: {}", source.kind)]
    Mongo {
        /// What was being done.
        what: &'static str,
        /// What the server or the driver said.
        #[source]
        source: Box<MongoError>,
    },
    /// The floor, or who was erased, is not what the batch was prepared for: it is written again without what must not be.
    #[error("floor and erasures have moved to {held:?}")]
    Moved {
        /// What they are now.
        held: pulseline_sql::held::Held,
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
    error.as_db_error().map_or_else(
        || format!(": {error}"),
        |db| format!(": {} ({})", db.message(), db.code().code()),
    )
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
            Self::Mongo { source, .. } => {
                mongo_code(source).is_some_and(|code| DEAD_TOKEN_CODES.contains(&code))
            }
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

    /// True when a value is at fault: a data exception (class 22) or a constraint other than a key (class 23).
    pub(crate) fn is_data_error(&self) -> bool {
        self.sqlstate()
            .is_some_and(|code| code.starts_with("22") || (code.starts_with("23") && code != "23505"))
    }
}

impl Classify for LoaderError {
    fn class(&self) -> Class {
        match self {
            Self::Sql { source, .. } => source.class(),
            Self::Statement { source, .. } => pulseline_sql::class_of(source),
            Self::Mongo { source, .. } => mongo_class(source),
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
}

fn mongo_code(error: &MongoError) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => Some(concern.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => Some(write.code),
        ErrorKind::InsertMany(many) => many.write_concern_error.as_ref().map(|concern| concern.code),
        _ => None,
    }
}

fn mongo_class(error: &MongoError) -> Class {
    let retryable = [
        "RetryableWriteError",
        "ResumableChangeStreamError",
        "TransientTransactionError",
        "RetryableError",
    ];
    if retryable.iter().any(|label| error.contains_label(label)) {
        return Class::Transient;
    }
    match error.kind.as_ref() {
        ErrorKind::Io(_)
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::DnsResolve { .. } => Class::Transient,
        ErrorKind::Write(WriteFailure::WriteConcernError(_)) => Class::Transient,
        // The kinds are non-exhaustive: what is not known to pass is fatal, unless its code says otherwise.
        _ => match mongo_code(error) {
            Some(code) if TRANSIENT_CODES.contains(&code) => Class::Transient,
            _ => Class::Fatal,
        },
    }
}
