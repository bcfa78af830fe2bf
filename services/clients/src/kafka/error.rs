//! Errors of Kafka clients.

use pulseline_runtime::retry::{Class, Classify};
use rdkafka::error::KafkaError;

use super::class::class_of;

/// An error of a Kafka client.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KafkaFailure {
    /// A setting is wrong; the text names it.
    #[error("{0}")]
    Config(String),
    /// Brokers and client reject each other; the text names the cause and the setting.
    #[error("{0}")]
    Refused(String),
    /// An error of the brokers or the client.
    #[error("Kafka: {what}: {source}")]
    Client {
        /// The operation that failed.
        what: &'static str,
        /// The cause.
        #[source]
        source: KafkaError,
    },
}

impl KafkaFailure {
    /// Wraps a client error of the operation `what`.
    pub fn of(what: &'static str) -> impl Fn(KafkaError) -> Self + Copy {
        move |source| match source {
            KafkaError::ClientConfig(_, description, property, _) => {
                Self::wrong_property(&description, &property)
            }
            KafkaError::ClientCreation(reason) => Self::Config(format!(
                "librdkafka rejects its settings ({reason}): correct the section [kafka]"
            )),
            source => Self::Client { what, source },
        }
    }

    /// A rejected property. The text omits its value, which may be a password.
    fn wrong_property(description: &str, property: &str) -> Self {
        Self::Config(format!(
            "librdkafka rejects the property {property} ({description}): correct kafka.options or the section [kafka]"
        ))
    }

    /// True when the settings are at fault.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::Config(_))
    }
}

impl Classify for KafkaFailure {
    fn class(&self) -> Class {
        match self {
            Self::Config(_) | Self::Refused(_) => Class::Fatal,
            Self::Client { source, .. } => class_of(source),
        }
    }
}
