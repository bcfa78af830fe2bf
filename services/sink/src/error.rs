//! Errors of the sink, and what each kind means.

use futures_util::future::BoxFuture;
use pulseline_clients::kafka::KafkaFailure;
use pulseline_clients::mongo::{Error as MongoError, Fault, MongoOpenError, class_of, describe, fault_of};
use pulseline_clients::registry::RegistryError;
use pulseline_runtime::retry::{Class, Classify, RetryError};
use pulseline_runtime::waits::Hop;
use pulseline_schemas::Position;
use rdkafka::error::KafkaError;

/// The answer of a server, or of a test in its place.
pub(crate) type Reply<'a, T> = BoxFuture<'a, Result<T, SinkError>>;

/// Why the sink stopped, or has to wait.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A setting is wrong; the text names it.
    #[error("configuration: {0}")]
    Config(String),
    /// Kafka failed.
    #[error(transparent)]
    Kafka(KafkaFailure),
    /// Messages cannot be read, and waiting does not help.
    #[error("Kafka: reading messages: {source}: {advice}")]
    Unreadable {
        /// The client's error.
        #[source]
        source: KafkaError,
        /// What the operator has to do.
        advice: &'static str,
    },
    /// A topic does not exist (yet).
    #[error("the topic {topic} does not exist")]
    NoTopic {
        /// Its name.
        topic: String,
    },
    /// Kafka lost the end of a partition.
    #[error(
        "{partition} ends at {end}, before the committed offset {committed}: Kafka has lost messages that it had \
         acknowledged. New messages would get offsets that are already used. Restore the topic, or delete it and make \
         a new one, which opens a new incarnation"
    )]
    Truncated {
        /// Topic and partition.
        partition: String,
        /// The group's committed offset.
        committed: i64,
        /// The end that Kafka reports now.
        end: i64,
    },
    /// A topic has the id of an older incarnation.
    #[error(
        "the topic {topic} has the id of incarnation {incarnation}, but incarnation {newest} was opened later"
    )]
    OldTopicId {
        /// Its name.
        topic: String,
        /// The incarnation with that id.
        incarnation: i32,
        /// The newest incarnation.
        newest: i32,
    },
    /// The consumer skipped messages.
    #[error("{partition}: a second read found messages at {offsets:?} that the first one skipped")]
    PassedOver {
        /// Topic and partition.
        partition: String,
        /// The first offsets of them.
        offsets: Vec<i64>,
    },
    /// The second read of a gap did not finish.
    #[error("{partition}: the second read of a gap did not finish in time")]
    SlowGap {
        /// Topic and partition.
        partition: String,
    },
    /// MongoDB's client failed.
    #[error(transparent)]
    MongoOpen(MongoOpenError),
    /// MongoDB failed.
    #[error("MongoDB: {what}: {}", describe(source))]
    Mongo {
        /// The operation that failed.
        what: &'static str,
        /// The server's or the driver's error.
        #[source]
        source: Box<MongoError>,
    },
    /// A write reached MongoDB, and is not known to be durable.
    #[error("MongoDB: a majority did not acknowledge a write to {collection}: {message} ({code})")]
    WriteConcern {
        /// The collection.
        collection: &'static str,
        /// The server's code.
        code: i32,
        /// The server's message.
        message: String,
    },
    /// MongoDB refused a document for a reason that this program does not know.
    #[error("MongoDB: the server refused a document of {collection}: {message} ({code})")]
    Write {
        /// The collection.
        collection: &'static str,
        /// The server's code.
        code: i32,
        /// The server's message.
        message: String,
    },
    /// MongoDB rejected a document as a duplicate, and no document holds its key.
    #[error("MongoDB: {collection}: the server reports a duplicate key, but no document holds it")]
    Unsettled {
        /// The collection.
        collection: &'static str,
    },
    /// Another event holds this position.
    #[error(
        "the event {event_id} has the position {position}, where the event {by} is stored already: offsets would lie. \
         Either two topics of this name were mixed, or the collection holds data of another cluster"
    )]
    PositionTaken {
        /// The position.
        position: Position,
        /// The event to store.
        event_id: String,
        /// The event already stored there.
        by: String,
    },
    /// A stored document lacks a field that every document of the sink has.
    #[error("MongoDB: {collection} holds a document that the sink did not write: {reason}")]
    Foreign {
        /// The collection.
        collection: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The registry failed.
    #[error(transparent)]
    Registry(RegistryError),
    /// The drain deadline passed.
    #[error("abandoned at the drain deadline: the next start reads uncommitted messages again")]
    Abandoned,
    /// A task of this process panicked or was aborted.
    #[error("an internal task ended without a result: {0}")]
    Task(String),
}

impl SinkError {
    pub(crate) fn kafka(what: &'static str) -> impl Fn(KafkaError) -> Self + Copy {
        move |source| KafkaFailure::of(what)(source).into()
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

impl From<RegistryError> for SinkError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Setting(text) => Self::Config(text),
            other => Self::Registry(other),
        }
    }
}

impl From<MongoOpenError> for SinkError {
    fn from(error: MongoOpenError) -> Self {
        match error {
            MongoOpenError::Setting(text) => Self::Config(text),
            other => Self::MongoOpen(other),
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

impl From<KafkaFailure> for SinkError {
    fn from(failure: KafkaFailure) -> Self {
        match failure {
            KafkaFailure::Config(text) => Self::Config(text),
            other => Self::Kafka(other),
        }
    }
}

impl Classify for SinkError {
    fn class(&self) -> Class {
        match self {
            Self::Kafka(failure) => failure.class(),
            Self::MongoOpen(error) => error.class(),
            Self::Mongo { source, .. } => class_of(source),
            Self::Write { code, .. } => match fault_of(*code) {
                Fault::Server => Class::Transient,
                Fault::Document => Class::Definite,
                Fault::Duplicate | Fault::Position | Fault::Login | Fault::Permission | Fault::Unknown => {
                    Class::Fatal
                }
            },
            Self::WriteConcern { .. }
            | Self::Unsettled { .. }
            | Self::NoTopic { .. }
            | Self::SlowGap { .. } => Class::Transient,
            Self::Registry(error) => error.class(),
            Self::Config(_)
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
            | Self::MongoOpen(_)
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

#[cfg(test)]
mod tests {
    use super::*;

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
