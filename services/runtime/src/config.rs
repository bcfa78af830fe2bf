//! Connections, as they are configured; and how a configuration is read.
//!
//! Order, later wins: defaults, the file, environment variables `PULSELINE__SECTION__FIELD`.

mod kafka;
mod mongo;
mod registry;
mod secret;
mod timescale;

use std::path::Path;

use serde::de::DeserializeOwned;

pub use kafka::{KafkaConfig, Properties, SaslMechanism, SecurityProtocol};
pub use mongo::MongoConfig;
pub use registry::RegistryConfig;
pub use secret::Secret;
pub use timescale::TimescaleConfig;

/// Why a configuration was refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file, a variable or a field is wrong; the text names it.
    #[error("configuration: {0}")]
    Invalid(String),
}

/// Reads a configuration: defaults of `T`, then `file` (TOML), then the environment.
///
/// # Errors
/// A file that cannot be read, an unknown key, a value of the wrong type; the text names it.
pub fn load<T: DeserializeOwned>(file: Option<&Path>) -> Result<T, ConfigError> {
    load_from(file, None)
}

/// [`load`], with the environment given instead of taken from the process.
///
/// # Errors
/// As [`load`].
pub fn load_from<T: DeserializeOwned>(
    file: Option<&Path>,
    environment: Option<std::collections::HashMap<String, String>>,
) -> Result<T, ConfigError> {
    let mut builder = config::Config::builder();
    if let Some(path) = file {
        builder = builder.add_source(config::File::from(path).format(config::FileFormat::Toml));
    }
    let variables = config::Environment::with_prefix("PULSELINE")
        .prefix_separator("__")
        .separator("__")
        .source(environment);
    let read = builder
        .add_source(variables)
        .build()
        .and_then(config::Config::try_deserialize);
    read.map_err(|error| ConfigError::Invalid(error.to_string()))
}

/// Refuses an empty connection setting, naming its variable.
///
/// # Errors
/// When `value` is empty.
pub fn require(value: &str, section: &str, field: &str) -> Result<(), ConfigError> {
    if value.is_empty() {
        let variable = format!("PULSELINE__{}__{}", section.to_uppercase(), field.to_uppercase());
        return Err(ConfigError::Invalid(format!(
            "{section}.{field} is not set: set {variable}, or start the embedded servers with \
             `pulseline stack up --detach` and pass --stack default"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::HashMap;

    #[derive(Debug, Default, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Sample {
        mongo: MongoConfig,
        kafka: KafkaConfig,
    }

    fn environment(pairs: &[(&str, &str)]) -> Option<HashMap<String, String>> {
        Some(
            pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn the_environment_reaches_nested_fields() {
        let read: Sample = load_from(
            None,
            environment(&[
                ("PULSELINE__MONGO__URI", "mongodb://u:p@h/"),
                ("PULSELINE__KAFKA__BROKERS", "h:1"),
            ]),
        )
        .unwrap();
        assert_eq!(read.mongo.uri.expose(), "mongodb://u:p@h/");
        assert_eq!(read.mongo.database, "pulseline");
        assert_eq!(read.kafka.brokers, "h:1");
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let refused = load_from::<Sample>(None, environment(&[("PULSELINE__KAFKA__BROKRES", "h:1")]));
        assert!(refused.unwrap_err().to_string().contains("brokres"));
    }

    #[test]
    fn a_secret_never_prints() {
        let config = TimescaleConfig {
            url: Secret::new("postgres://u:hunter2@h/"),
            ..TimescaleConfig::default()
        };
        assert!(!format!("{config:?}").contains("hunter2"));
        assert_eq!(config.url.expose(), "postgres://u:hunter2@h/");
    }

    #[test]
    fn a_missing_setting_names_its_variable() {
        let text = require("", "kafka", "brokers").unwrap_err().to_string();
        assert!(text.contains("PULSELINE__KAFKA__BROKERS"), "{text}");
    }
}
