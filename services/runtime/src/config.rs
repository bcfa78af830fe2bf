//! Connection settings, and how the configuration is read.
//!
//! Later sources win: defaults, the file, environment variables `PULSELINE__SECTION__FIELD`.

mod kafka;
mod mongo;
mod registry;
mod secret;
mod timescale;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::de::DeserializeOwned;

pub use kafka::{KafkaConfig, Properties, SaslMechanism, SecurityProtocol};
pub use mongo::MongoConfig;
pub use registry::RegistryConfig;
pub use secret::Secret;
pub use timescale::TimescaleConfig;

/// An invalid configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file, a variable or a field is wrong; the text names it.
    #[error("configuration: {0}")]
    Invalid(String),
}

/// Prefix of every variable.
const PREFIX: &str = "PULSELINE__";
/// Suffix of a variable that holds the path of a secret's file.
const FILE_SUFFIX: &str = "_FILE";

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
    environment: Option<HashMap<String, String>>,
) -> Result<T, ConfigError> {
    let environment = environment.unwrap_or_else(|| std::env::vars().collect());
    let variables = config::Environment::with_prefix("PULSELINE")
        .prefix_separator("__")
        .separator("__")
        .source(Some(with_secret_files(environment)?));
    let read = from_file(file)
        .add_source(variables)
        .build()
        .and_then(config::Config::try_deserialize);
    read.map_err(|error| ConfigError::Invalid(error.to_string()))
}

/// The variable or file of each setting that is not a default, by `section.field`.
///
/// # Errors
/// A file that cannot be read.
pub fn origins(file: Option<&Path>) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut origins = BTreeMap::new();
    if let Some(path) = file {
        let read = from_file(file).build();
        let read = read.map_err(|error| ConfigError::Invalid(error.to_string()))?;
        let tree = read.try_deserialize::<BTreeMap<String, serde_json::Value>>();
        let tree = tree.map_err(|error| ConfigError::Invalid(error.to_string()))?;
        for (section, value) in tree {
            match value {
                serde_json::Value::Object(fields) => {
                    for field in fields.keys() {
                        origins.insert(format!("{section}.{field}"), path.display().to_string());
                    }
                }
                _ => drop(origins.insert(section, path.display().to_string())),
            }
        }
    }
    for name in std::env::vars().map(|(name, _)| name) {
        let Some(key) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let key = key.strip_suffix(FILE_SUFFIX).unwrap_or(key);
        origins.insert(key.to_lowercase().replace("__", "."), name.clone());
    }
    Ok(origins)
}

fn from_file(file: Option<&Path>) -> config::ConfigBuilder<config::builder::DefaultState> {
    let builder = config::Config::builder();
    match file {
        Some(path) => builder.add_source(config::File::from(path).format(config::FileFormat::Toml)),
        None => builder,
    }
}

/// Resolves `PULSELINE__SECTION__FIELD_FILE`, the path of a file with the field's value.
fn with_secret_files(environment: HashMap<String, String>) -> Result<HashMap<String, String>, ConfigError> {
    let mut read = HashMap::new();
    for (name, value) in &environment {
        let secret = name
            .strip_suffix(FILE_SUFFIX)
            .filter(|secret| secret.starts_with(PREFIX) && !secret.ends_with('_'));
        let Some(secret) = secret else {
            read.insert(name.clone(), value.clone());
            continue;
        };
        if environment.contains_key(secret) {
            return Err(ConfigError::Invalid(format!(
                "{secret} and {name} are both set: remove one"
            )));
        }
        read.insert(format!("{secret}__FILE"), value.clone());
    }
    Ok(read)
}

/// Refuses an empty connection setting and names its variable.
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
    fn a_secret_comes_from_a_file_and_its_line_end_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter2\n").unwrap();
        let path = path.to_str().unwrap();
        let read: Sample = load_from(
            None,
            environment(&[("PULSELINE__KAFKA__SASL_PASSWORD_FILE", path)]),
        )
        .unwrap();
        assert_eq!(read.kafka.sasl_password.expose(), "hunter2");
        let both = [
            ("PULSELINE__KAFKA__SASL_PASSWORD_FILE", path),
            ("PULSELINE__KAFKA__SASL_PASSWORD", "x"),
        ];
        let refused = load_from::<Sample>(None, environment(&both))
            .unwrap_err()
            .to_string();
        assert!(refused.contains("SASL_PASSWORD_FILE"), "{refused}");
        let missing = [("PULSELINE__MONGO__URI_FILE", "/nowhere/uri")];
        let refused = load_from::<Sample>(None, environment(&missing))
            .unwrap_err()
            .to_string();
        assert!(refused.contains("/nowhere/uri"), "{refused}");
    }

    #[test]
    fn a_password_of_digits_stays_what_it_is() {
        let given = [
            ("PULSELINE__KAFKA__SASL_PASSWORD", "007"),
            ("PULSELINE__KAFKA__REPLICATION_FACTOR", "3"),
        ];
        let read: Sample = load_from(None, environment(&given)).unwrap();
        assert_eq!(
            (read.kafka.sasl_password.expose(), read.kafka.replication_factor),
            ("007", 3)
        );
    }

    #[test]
    fn properties_come_as_a_table_or_as_pairs() {
        let given = [("PULSELINE__KAFKA__OPTIONS", "client.rack=a,linger.ms=5")];
        let read: Sample = load_from(None, environment(&given)).unwrap();
        assert_eq!(read.kafka.options.0["linger.ms"], "5");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pulseline.toml");
        std::fs::write(
            &path,
            "[kafka]\nbrokers = \"h:1\"\n[kafka.options]\n\"linger.ms\" = 7\n",
        )
        .unwrap();
        let read: Sample = load_from(Some(&path), environment(&[])).unwrap();
        assert_eq!(read.kafka.options.0["linger.ms"], "7");
    }

    #[test]
    fn a_missing_setting_names_its_variable() {
        let text = require("", "kafka", "brokers").unwrap_err().to_string();
        assert!(text.contains("PULSELINE__KAFKA__BROKERS"), "{text}");
    }
}
