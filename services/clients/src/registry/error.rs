//! Errors of registry requests.

use pulseline_runtime::retry::{Class, Classify};

/// A failed registry request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// The registry is unreachable or failing, or a proxy answers instead: retry.
    #[error("schema registry unavailable: {reason}")]
    Unavailable {
        /// The cause.
        reason: String,
    },
    /// No schema has this id: the message becomes a dead letter.
    #[error("no schema has the id {id}")]
    NotFound {
        /// The id.
        id: u32,
    },
    /// The schema is not an Avro record: the message becomes a dead letter.
    #[error("schema registry: {reason}")]
    Invalid {
        /// What is wrong.
        reason: String,
    },
    /// The registry rejects the schema: fatal.
    #[error("schema registry refused: {reason}")]
    Refused {
        /// The registry's message.
        reason: String,
    },
    /// Credentials or a certificate are refused: fatal.
    #[error("schema registry: {reason}")]
    Denied {
        /// The cause and the settings to check.
        reason: String,
    },
    /// A setting is wrong; the text names it.
    #[error("{0}")]
    Setting(String),
}

impl Classify for RegistryError {
    fn class(&self) -> Class {
        match self {
            Self::Unavailable { .. } => Class::Transient,
            Self::NotFound { .. } | Self::Invalid { .. } => Class::Definite,
            Self::Refused { .. } | Self::Denied { .. } | Self::Setting(_) => Class::Fatal,
        }
    }
}
