//! Errors of simulation, file export and replay.

use std::path::{Path, PathBuf};

use pulseline_archive::ArchiveError;
use pulseline_clients::kafka::{KafkaFailure, class_of};
use pulseline_clients::registry::RegistryError;
use pulseline_runtime::retry::{Class, Classify};
use pulseline_runtime::waits::Hop;
use pulseline_schemas::EncodeError;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;

/// An error of the generator.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// An invalid configuration.
    #[error("{0}")]
    Config(String),
    /// The schema registry gave no id.
    #[error(transparent)]
    Registry(RegistryError),
    /// An error of Kafka or its client.
    #[error(transparent)]
    Kafka(KafkaFailure),
    /// A topic could not be created.
    #[error("Kafka: cannot create the topic {topic}: {code}")]
    Topic {
        /// Its name.
        topic: String,
        /// Kafka's error.
        code: Code,
    },
    /// An event that does not match its schema: a bug.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A file that cannot be written.
    #[error("cannot write {}", path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The files to replay cannot be read.
    #[error(transparent)]
    Archive(Box<ArchiveError>),
    /// The person's files were replayed in another time zone before.
    #[error(
        "the files of {person} were replayed in the time zone {recorded} before; {asked} would duplicate their readings. \
         Replay them with --zone {recorded}, or into a deployment without them"
    )]
    OtherZone {
        /// The person.
        person: String,
        /// Time zone of the first replay.
        recorded: String,
        /// Time zone of this replay.
        asked: String,
    },
    /// The output folder is not empty.
    #[error("{} is not empty: choose an empty folder, because files of two cohorts must not mix", .0.display())]
    NotEmpty(PathBuf),
    /// Kafka permanently rejected messages.
    #[error("Kafka rejected {0} messages; the log says why")]
    Undelivered(u64),
    /// The deadline passed before every message was acknowledged.
    #[error("abandoned with {0} unacknowledged messages")]
    Abandoned(u64),
    /// The planning thread ended unexpectedly: a bug.
    #[error("the planning thread ended unexpectedly: this is a bug")]
    Planner,
}

impl GeneratorError {
    pub(crate) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }
}

impl From<RegistryError> for GeneratorError {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Setting(text) => Self::Config(text),
            other => Self::Registry(other),
        }
    }
}

impl From<KafkaFailure> for GeneratorError {
    fn from(failure: KafkaFailure) -> Self {
        match failure {
            KafkaFailure::Config(text) => Self::Config(text),
            other => Self::Kafka(other),
        }
    }
}

impl Classify for GeneratorError {
    fn class(&self) -> Class {
        match self {
            Self::Registry(error) => error.class(),
            Self::Kafka(failure) => failure.class(),
            Self::Topic { code, .. } => class_of(&KafkaError::AdminOp(*code)),
            Self::Config(_)
            | Self::Encode(_)
            | Self::File { .. }
            | Self::NotEmpty(_)
            | Self::Archive(_)
            | Self::OtherZone { .. }
            | Self::Undelivered(_)
            | Self::Abandoned(_)
            | Self::Planner => Class::Fatal,
        }
    }

    fn hop(&self) -> Hop {
        match self {
            Self::Registry(_) => Hop::Registry,
            Self::Kafka { .. } | Self::Topic { .. } | Self::Undelivered(_) => Hop::Kafka,
            _ => Hop::Other,
        }
    }
}
