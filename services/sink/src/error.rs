//! What can go wrong, and what each kind means.

use mongodb::error::Error as MongoError;
use pulseline_clients::kafka::KafkaFailure;
use pulseline_clients::mongo::{Fault, MongoOpenError, class_of, describe, fault_of};
use pulseline_clients::registry::RegistryError;
use pulseline_runtime::retry::{Class, Classify, RetryError};
use pulseline_runtime::waits::Hop;
use pulseline_schemas::Position;
use rdkafka::error::KafkaError;

/// Why the sink stopped, or has to wait.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// A setting is wrong; the text names it.
    #[error("configuration: {0}")]
    Config(String),
    /// Kafka.
    #[error(transparent)]
    Kafka(KafkaFailure),
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
         it anew, which opens a new incarnation"
    )]
    Truncated {
        /// Topic and partition.
        partition: String,
        /// What the group had committed.
        committed: i64,
        /// The end that Kafka reports now.
        end: i64,
    },
    /// A topic has the id that an older incarnation had.
    #[error(
        "the topic {topic} has the id of its incarnation {incarnation}, but incarnation {newest} was opened since"
    )]
    OldTopicId {
        /// Its name.
        topic: String,
        /// The incarnation that had the id.
        incarnation: i32,
        /// The newest incarnation.
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
    /// MongoDB's client.
    #[error(transparent)]
    MongoOpen(MongoOpenError),
    /// MongoDB.
    #[error("MongoDB: {what}: {}", describe(source))]
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
    Registry(RegistryError),
    /// The drain deadline passed.
    #[error("abandoned: messages that were not committed are read again at the next start")]
    Abandoned,
    /// A task of this process died.
    #[error("a task ended without an answer: {0}")]
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
