//! `config show`: the effective settings and their origin.

use std::collections::BTreeMap;

use pulseline_runtime::config::origins;
use serde_json::{Value, json};

use crate::args::{Cli, ConfigShowArgs};
use crate::exit::Outcome;
use crate::print;
use crate::renamed::by_new_names;
use crate::settings::Settings;

/// The settings that `--stack` supplies when they are unset.
const FROM_STACK: [&str; 4] = ["kafka.brokers", "registry.url", "mongo.uri", "timescale.url"];

pub(crate) fn run(cli: &Cli, arguments: &ConfigShowArgs) -> anyhow::Result<Outcome> {
    let settings = Settings::load(cli)?;
    let origins = by_new_names(origins(cli.config.as_deref())?);
    let shown = rows(&serde_json::to_value(&settings)?, &origins, cli.stack.as_deref());
    let shown = shown
        .into_iter()
        .filter(|row| !arguments.changed || row.origin != DEFAULT);
    if arguments.json {
        let all: BTreeMap<_, _> = shown
            .map(|row| (row.name, json!({ "value": row.value, "origin": row.origin })))
            .collect();
        print::line(&serde_json::to_string_pretty(&all)?);
    } else {
        for row in shown {
            print::line(&format!("{} = {}  # {}", row.name, row.value, row.origin));
        }
    }
    Ok(Outcome::Done)
}

const DEFAULT: &str = "default";

/// A setting with its value and origin.
#[derive(Debug, PartialEq)]
struct Row {
    name: String,
    value: Value,
    origin: String,
}

/// Every setting with its value and origin. Secrets already serialize as `***`.
fn rows(settings: &Value, origins: &BTreeMap<String, String>, stack: Option<&str>) -> Vec<Row> {
    let mut rows = Vec::new();
    let Some(sections) = settings.as_object() else {
        return rows;
    };
    let row = |name: String, value: &Value| {
        let from_stack =
            stack.filter(|_| FROM_STACK.contains(&name.as_str()) && !origins.contains_key(&name));
        let origin = match (origins.get(&name), from_stack) {
            (Some(origin), _) => origin.clone(),
            (None, Some(stack)) => format!("--stack {stack}"),
            (None, None) => DEFAULT.to_owned(),
        };
        let value = if name == "kafka.options" {
            masked(value)
        } else {
            value.clone()
        };
        Row { name, value, origin }
    };
    for (section, value) in sections {
        match value.as_object() {
            Some(fields) => {
                rows.extend(
                    fields
                        .iter()
                        .map(|(field, value)| row(format!("{section}.{field}"), value)),
                );
            }
            None => rows.push(row(section.clone(), value)),
        }
    }
    rows
}

/// Masks client properties whose names suggest a secret.
fn masked(options: &Value) -> Value {
    let is_secret = |name: &str| {
        ["password", "secret", "pem", "token"]
            .iter()
            .any(|word| name.contains(word))
    };
    let Some(options) = options.as_object() else {
        return options.clone();
    };
    let masked = options.iter().map(|(name, value)| {
        let value = if is_secret(name) {
            json!("***")
        } else {
            value.clone()
        };
        (name.clone(), value)
    });
    Value::Object(masked.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulseline_runtime::config::Secret;

    #[test]
    fn each_setting_says_where_it_came_from_and_no_secret_shows() {
        let mut settings = Settings::default();
        settings.kafka.brokers = "h:1".into();
        settings.kafka.sasl_password = Secret::new("hunter2");
        settings.mongo.uri = Secret::new("mongodb://u:hunter2@h/");
        settings
            .kafka
            .options
            .0
            .insert("ssl.keystore.password".into(), "hunter2".into());
        let origins = BTreeMap::from([("kafka.brokers".to_owned(), "PULSELINE__KAFKA__BROKERS".to_owned())]);
        let rows = rows(
            &serde_json::to_value(&settings).unwrap(),
            &origins,
            Some("default"),
        );
        let of = |name: &str| rows.iter().find(|row| row.name == name).unwrap();
        assert_eq!(of("kafka.brokers").origin, "PULSELINE__KAFKA__BROKERS");
        assert_eq!(of("mongo.uri").origin, "--stack default");
        assert_eq!(of("drain_ms").origin, DEFAULT);
        assert_eq!(of("kafka.sasl_password").value, json!("***"));
        assert!(!format!("{rows:?}").contains("hunter2"));
    }
}
