//! What can go wrong, and what each kind means.

use mongodb::error::{Error as MongoError, ErrorKind, WriteFailure};
use pulseline_runtime::retry::{Class, Classify, RetryError};
use pulseline_runtime::waits::Hop;
use pulseline_schemas::{Position, RegistryError};
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;

/// Codes of a server that starts, stops, elects or is overloaded.
const TRANSIENT_CODES: [i32; 23] = [
    6, 7, 43, 50, 63, 64, 89, 91, 112, 133, 134, 150, 189, 234, 237, 262, 290, 9_001, 10_107, 11_600, 11_602,
    13_435, 13_436,
];
/// Codes that blame one document: a failed validation, names or types that cannot be stored, too large a document.
const DOCUMENT_CODES: [i32; 7] = [14, 52, 55, 57, 121, 10_334, 17_280];
/// Codes that say that a unique key is taken.
const DUPLICATE_CODES: [i32; 3] = [11_000, 11_001, 12_582];

/// Why the sink stopped, or has to wait.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A setting is wrong; the text names it.
    #[error("configuration: {0}")]
    Config(String),
    /// Kafka.
    #[error("Kafka: {what}: {source}")]
    Kafka {
        /// What was being done.
        what: &'static str,
        /// What the brokers or the client said.
        #[source]
        source: KafkaError,
    },
    /// Messages that cannot be read, however long they are waited for.
    #[error("Kafka: reading messages: {source}: {advice}")]
    Unreadable {
        /// What the client said.
        #[source]
        source: KafkaError,
        /// What has to be done.
        advice: &'static str,
    },
    /// A topic is not there (yet).
    #[error("the topic {topic} does not exist")]
    NoTopic {
        /// Its name.
        topic: String,
    },
    /// Kafka lost the end of a partition.
    #[error(
        "{partition} ends at {end}, before the committed offset {committed}: Kafka has lost messages that it had \
         acknowledged. New messages would stand at offsets that are taken. Restore the topic, or delete it and make \
         it anew, which opens a new generation"
    )]
    Truncated {
        /// Topic and partition.
        partition: String,
        /// What the group had committed.
        committed: i64,
        /// The end that Kafka reports now.
        end: i64,
    },
    /// A topic has the id that an older generation had.
    #[error(
        "the topic {topic} has the id of its generation {generation}, but generation {newest} was opened since"
    )]
    OldTopicId {
        /// Its name.
        topic: String,
        /// The generation that had the id.
        generation: i32,
        /// The newest generation.
        newest: i32,
    },
    /// The consumer passed over a message.
    #[error("{partition}: a second reading found messages at {offsets:?}, which the first one passed over")]
    PassedOver {
        /// Topic and partition.
        partition: String,
        /// The first of them.
        offsets: Vec<i64>,
    },
    /// The second reading of a gap did not come to an end.
    #[error("{partition}: reading a gap again did not come to its end in time")]
    SlowGap {
        /// Topic and partition.
        partition: String,
    },
    /// MongoDB.
    #[error("MongoDB: {what}: {source}")]
    Mongo {
        /// What was being done.
        what: &'static str,
        /// What the server or the driver said.
        #[source]
        source: Box<MongoError>,
    },
    /// A write reached MongoDB, and is not known to be durable.
    #[error("MongoDB: {collection}: not acknowledged by a majority: {message} ({code})")]
    WriteConcern {
        /// Where it was written.
        collection: &'static str,
        /// The server's code.
        code: i32,
        /// The server's words.
        message: String,
    },
    /// A document was refused for a reason that nobody knows.
    #[error("MongoDB: {collection}: a document was refused: {message} ({code})")]
    Write {
        /// Where it was to be written.
        collection: &'static str,
        /// The server's code.
        code: i32,
        /// The server's words.
        message: String,
    },
    /// A document that could not be written because it is there is not there either.
    #[error("MongoDB: {collection}: a key is taken, and nothing holds it")]
    Unsettled {
        /// Where it was to be written.
        collection: &'static str,
    },
    /// Another event holds this position.
    #[error(
        "the event {event_id} stands at {position}, where the event {by} is stored already: offsets would lie. \
         Either two topics of this name were mixed, or the collection holds data of another cluster"
    )]
    PositionTaken {
        /// The position.
        position: Position,
        /// The event that was to be stored.
        event_id: String,
        /// The event that is stored there.
        by: String,
    },
    /// A stored document lacks what every document of the sink has.
    #[error("MongoDB: {collection}: a stored document is not one of ours: {reason}")]
    Foreign {
        /// Where it stands.
        collection: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The drain deadline passed.
    #[error("abandoned: messages that were not committed are read again at the next start")]
    Abandoned,
    /// A task of this process died.
    #[error("a task ended without an answer: {0}")]
    Task(String),
}

/// What a server's code says about a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A unique key is taken.
    Duplicate,
    /// The document itself cannot be stored.
    Document,
    /// The server: try again.
    Server,
    /// Nobody knows.
    Unknown,
}

/// What the code of a write error means.
pub(crate) fn fault_of(code: i32) -> Fault {
    match code {
        code if DUPLICATE_CODES.contains(&code) => Fault::Duplicate,
        code if DOCUMENT_CODES.contains(&code) => Fault::Document,
        code if TRANSIENT_CODES.contains(&code) => Fault::Server,
        _ => Fault::Unknown,
    }
}

impl SinkError {
    pub(crate) fn kafka(what: &'static str) -> impl Fn(KafkaError) -> Self + Copy {
        move |source| Self::Kafka { what, source }
    }

    pub(crate) fn mongo(what: &'static str) -> impl FnOnce(MongoError) -> Self {
        move |source| Self::Mongo {
            what,
            source: Box::new(source),
        }
    }

    pub(crate) fn foreign(collection: &'static str) -> impl FnOnce(bson::error::Error) -> Self {
        move |error| Self::Foreign {
            collection,
            reason: error.to_string(),
        }
    }
}

impl From<RetryError<Self>> for SinkError {
    fn from(error: RetryError<Self>) -> Self {
        match error {
            RetryError::Failed(error) => error,
            RetryError::Abandoned => Self::Abandoned,
        }
    }
}

impl Classify for SinkError {
    fn class(&self) -> Class {
        match self {
            Self::Kafka { source, .. } => kafka_class(source),
            Self::Mongo { source, .. } => mongo_class(source),
            Self::Write { code, .. } => match fault_of(*code) {
                Fault::Server => Class::Transient,
                Fault::Document => Class::Definite,
                Fault::Duplicate | Fault::Unknown => Class::Fatal,
            },
            Self::WriteConcern { .. }
            | Self::Unsettled { .. }
            | Self::NoTopic { .. }
            | Self::SlowGap { .. } => Class::Transient,
            Self::Registry(RegistryError::Unavailable { .. }) => Class::Transient,
            Self::Registry(RegistryError::NotFound { .. } | RegistryError::Invalid { .. }) => Class::Definite,
            Self::Registry(RegistryError::Refused { .. })
            | Self::Config(_)
            | Self::Unreadable { .. }
            | Self::Truncated { .. }
            | Self::OldTopicId { .. }
            | Self::PassedOver { .. }
            | Self::PositionTaken { .. }
            | Self::Foreign { .. }
            | Self::Abandoned
            | Self::Task(_) => Class::Fatal,
        }
    }

    fn hop(&self) -> Hop {
        match self {
            Self::Kafka { .. }
            | Self::Unreadable { .. }
            | Self::NoTopic { .. }
            | Self::Truncated { .. }
            | Self::OldTopicId { .. }
            | Self::PassedOver { .. }
            | Self::SlowGap { .. } => Hop::Kafka,
            Self::Mongo { .. }
            | Self::WriteConcern { .. }
            | Self::Write { .. }
            | Self::Unsettled { .. }
            | Self::PositionTaken { .. }
            | Self::Foreign { .. } => Hop::Mongo,
            Self::Registry(_) => Hop::Registry,
            Self::Config(_) | Self::Abandoned | Self::Task(_) => Hop::Other,
        }
    }
}

pub(crate) fn kafka_class(error: &KafkaError) -> Class {
    use RDKafkaErrorCode as Code;
    if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
        return Class::Fatal;
    }
    // The codes are non-exhaustive: what is not known to pass is fatal.
    match code_of(error) {
        Some(
            Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Resolve
            | Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::WaitingForCoordinator
            | Code::WaitCache
            | Code::PreviousInProgress
            | Code::Outdated
            | Code::Retry
            | Code::DestroyBroker
            | Code::UnknownTopicOrPartition
            | Code::UnknownTopic
            | Code::UnknownTopicId
            | Code::UnknownPartition
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::InProgress
            | Code::RequestTimedOut
            | Code::BrokerNotAvailable
            | Code::ReplicaNotAvailable
            | Code::NetworkException
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotCoordinator
            | Code::RebalanceInProgress
            | Code::UnstableOffsetCommit
            | Code::OffsetNotAvailable
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::KafkaStorageError
            | Code::StaleMemberEpoch
            | Code::FencedMemberEpoch
            | Code::IllegalGeneration
            | Code::UnknownMemberId
            | Code::ThrottlingQuotaExceeded,
        ) => Class::Transient,
        _ => Class::Fatal,
    }
}

/// The client's code. Its own look-up knows none for what an admin request answers.
fn code_of(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::AdminOp(code) => Some(*code),
        other => other.rdkafka_error_code(),
    }
}

fn mongo_code(error: &MongoError) -> Option<i32> {
    match error.kind.as_ref() {
        ErrorKind::Command(command) => Some(command.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(concern)) => Some(concern.code),
        ErrorKind::Write(WriteFailure::WriteError(write)) => Some(write.code),
        _ => None,
    }
}

/// True when a single insert met a taken key.
pub(crate) fn is_duplicate(error: &MongoError) -> bool {
    mongo_code(error).is_some_and(|code| fault_of(code) == Fault::Duplicate)
}

fn mongo_class(error: &MongoError) -> Class {
    let passing = [
        "RetryableWriteError",
        "TransientTransactionError",
        "RetryableError",
    ];
    if passing.iter().any(|label| error.contains_label(label)) {
        return Class::Transient;
    }
    match error.kind.as_ref() {
        ErrorKind::Io(_)
        | ErrorKind::ConnectionPoolCleared { .. }
        | ErrorKind::ServerSelection { .. }
        | ErrorKind::DnsResolve { .. }
        | ErrorKind::Write(WriteFailure::WriteConcernError(_)) => Class::Transient,
        // The kinds are non-exhaustive: what is not known to pass is fatal, unless its code says otherwise.
        _ => match mongo_code(error) {
            Some(code) if TRANSIENT_CODES.contains(&code) => Class::Transient,
            _ => Class::Fatal,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_blames_the_key_the_document_the_server_or_nobody() {
        assert_eq!(fault_of(11_000), Fault::Duplicate);
        assert_eq!(fault_of(121), Fault::Document);
        assert_eq!(fault_of(10_107), Fault::Server);
        assert_eq!(fault_of(4_711), Fault::Unknown);
    }

    #[test]
    fn an_outage_is_waited_out_and_a_fenced_member_stops() {
        let outage = SinkError::kafka("x")(KafkaError::MetadataFetch(
            RDKafkaErrorCode::BrokerTransportFailure,
        ));
        assert_eq!(outage.class(), Class::Transient);
        // An admin request (topic ids) in the very moment in which the broker goes.
        let admin = SinkError::kafka("x")(KafkaError::AdminOp(RDKafkaErrorCode::BrokerTransportFailure));
        assert_eq!(admin.class(), Class::Transient);
        let fenced = KafkaError::MessageConsumptionFatal(RDKafkaErrorCode::FencedInstanceId);
        assert_eq!(SinkError::kafka("x")(fenced).class(), Class::Fatal);
    }

    #[test]
    fn the_registry_away_is_no_dead_letter() {
        let away = SinkError::Registry(RegistryError::Unavailable {
            reason: String::new(),
        });
        assert_eq!(away.class(), Class::Transient);
        assert_eq!(
            SinkError::Registry(RegistryError::NotFound { id: 1 }).class(),
            Class::Definite
        );
    }
}
