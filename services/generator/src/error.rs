//! Why a simulation, writing one down, or a replay ended early.

use std::path::PathBuf;

use pulseline_archive::ArchiveError;
use pulseline_clients::kafka::{KafkaFailure, class_of};
use pulseline_clients::registry::RegistryError;
use pulseline_runtime::retry::{Class, Classify};
use pulseline_runtime::waits::Hop;
use pulseline_schemas::EncodeError;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;

/// Why a simulation ended early.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// The configuration cannot be simulated.
    #[error("{0}")]
    Config(String),
    /// The schema registry gave no id.
    #[error(transparent)]
    Registry(RegistryError),
    /// Kafka refused, or its client did.
    #[error(transparent)]
    Kafka(KafkaFailure),
    /// A topic could not be made.
    #[error("kafka: topic {topic}: {code}")]
    Topic {
        /// Its name.
        topic: String,
        /// What Kafka said.
        code: Code,
    },
    /// An event does not fit its own schema: a fault of this program.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A file cannot be written.
    #[error("{}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The files that are to be replayed cannot be read.
    #[error(transparent)]
    Archive(Box<ArchiveError>),
    /// Somebody's files were replayed in another zone before.
    #[error(
        "the files of {person} were replayed in {recorded} before: in {asked} they would become other readings beside \
         the first; replay them with --zone {recorded}, or into a deployment that has none of them"
    )]
    OtherZone {
        /// Whose.
        person: String,
        /// The zone of the first replay.
        recorded: String,
        /// The zone of this one.
        asked: String,
    },
    /// The folder that is to be written holds something already.
    #[error("{} is not empty; files of another cohort must not stand beside those of this one", .0.display())]
    NotEmpty(PathBuf),
    /// Kafka did not take messages, for good.
    #[error("kafka did not take {0} messages; the log says why")]
    Undelivered(u64),
    /// The deadline passed before every message was acknowledged.
    #[error("abandoned with {0} messages not acknowledged")]
    Abandoned(u64),
    /// The planning thread ended without a word: a fault of this program.
    #[error("planning ended early")]
    Planner,
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
