//! Why a simulation, writing one down, or a replay ended early.

use std::path::PathBuf;

use pulseline_archive::ArchiveError;
use pulseline_runtime::retry::{Class, Classify};
use pulseline_runtime::waits::Hop;
use pulseline_schemas::{EncodeError, RegistryError};
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
    Registry(#[from] RegistryError),
    /// Kafka refused, or its client did.
    #[error("kafka: {what}")]
    Kafka {
        /// What was tried.
        what: &'static str,
        /// What Kafka said.
        #[source]
        source: KafkaError,
    },
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

impl Classify for GeneratorError {
    fn class(&self) -> Class {
        match self {
            Self::Registry(RegistryError::Unavailable { .. }) => Class::Transient,
            // The client's own look-up knows no code for what an admin request answers.
            Self::Kafka {
                source: KafkaError::AdminOp(code),
                ..
            } => class_of(*code),
            Self::Kafka { source, .. } => source.rdkafka_error_code().map_or(Class::Fatal, class_of),
            Self::Topic { code, .. } => class_of(*code),
            Self::Config(_)
            | Self::Registry(
                RegistryError::NotFound { .. }
                | RegistryError::Refused { .. }
                | RegistryError::Invalid { .. },
            )
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

/// Outages and elections pass. The client adds codes with its versions: what is not known here is fatal.
fn class_of(code: Code) -> Class {
    let passes = matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::Resolve
            | Code::NetworkException
            | Code::BrokerNotAvailable
            | Code::LeaderNotAvailable
            | Code::NotController
            | Code::CoordinatorLoadInProgress
            | Code::CoordinatorNotAvailable
            | Code::NotEnoughReplicas
            | Code::TimedOutQueue
    );
    if passes { Class::Transient } else { Class::Fatal }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_goes_during_an_admin_request_is_an_outage() {
        let of = |source| GeneratorError::Kafka { what: "x", source }.class();
        assert_eq!(
            of(KafkaError::AdminOp(Code::BrokerTransportFailure)),
            Class::Transient
        );
        assert_eq!(
            of(KafkaError::AdminOp(Code::TopicAuthorizationFailed)),
            Class::Fatal
        );
        assert_eq!(
            of(KafkaError::MessageProduction(Code::AllBrokersDown)),
            Class::Transient
        );
    }
}
