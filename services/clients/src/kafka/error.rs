//! Why Kafka could not be used.

use pulseline_runtime::retry::{Class, Classify};
use rdkafka::error::KafkaError;

use super::class::class_of;

/// Why Kafka could not be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum KafkaFailure {
    /// A setting is wrong; the text names it.
    #[error("{0}")]
    Config(String),
    /// The brokers refuse this client, or it refuses them; the text names cause and setting.
    #[error("{0}")]
    Refused(String),
    /// The brokers or the client.
    #[error("Kafka: {what}: {source}")]
    Client {
        /// What was being done.
        what: &'static str,
        /// What they said.
        #[source]
        source: KafkaError,
    },
}

impl KafkaFailure {
    /// What the client's error means while `what` was being done.
    pub fn of(what: &'static str) -> impl Fn(KafkaError) -> Self + Copy {
        move |source| match source {
            KafkaError::ClientConfig(_, description, property, _) => {
                Self::wrong_property(&description, &property)
            }
            KafkaError::ClientCreation(reason) => Self::Config(format!(
                "Kafka's client refuses its settings: {reason}; see [kafka] in the configuration"
            )),
            source => Self::Client { what, source },
        }
    }

    /// A property that the client does not take. Its value is left out: it may be a password.
    fn wrong_property(description: &str, property: &str) -> Self {
        Self::Config(format!(
            "Kafka's client refuses the property {property} ({description}): see kafka.options and [kafka] in the configuration"
        ))
    }

    /// True when the settings are at fault, not the world.
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
