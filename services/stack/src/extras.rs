//! Additions for tests: more listeners of Kafka, more arguments of MongoDB, a TimescaleDB with initial data.

use std::path::PathBuf;

use crate::mongo::MongoProgram;

/// One more listener of Kafka beside the plain one.
#[derive(Clone, Debug)]
pub struct Listener {
    /// Its name in Kafka's properties, in capitals.
    pub name: String,
    /// PLAINTEXT, SSL, `SASL_PLAINTEXT` or `SASL_SSL`.
    pub protocol: String,
    /// Port that it binds on 127.0.0.1.
    pub port: u16,
    /// `host:port` advertised to clients, possibly a relay's.
    pub advertised: String,
    /// Its own settings, without the prefix `listener.name.…`.
    pub properties: Vec<(String, String)>,
}

/// Additions to the defaults of the embedded servers.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// More listeners of Kafka.
    pub listeners: Vec<Listener>,
    /// More settings of Kafka.
    pub kafka_properties: Vec<(String, String)>,
    /// Users of Kafka, as the storage tool's `--add-scram` takes them; made with fresh data.
    pub scram_users: Vec<String>,
    /// Which program of MongoDB.
    pub mongo_program: MongoProgram,
    /// More arguments of MongoDB.
    pub mongo_arguments: Vec<String>,
    /// Folder of a stopped TimescaleDB's data, from which fresh data are copied.
    pub timescale_template: Option<PathBuf>,
}

impl Extras {
    /// Servers that are measured: MongoDB's faster program.
    #[must_use]
    pub fn fast() -> Self {
        Self {
            mongo_program: MongoProgram::Rust,
            ..Self::default()
        }
    }

    /// Adds to each of Kafka's three lists of listeners, and gives the lines that follow.
    pub(crate) fn kafka_lines(&self, plain: &KafkaLists) -> String {
        let KafkaLists {
            listeners,
            advertised,
            protocols,
        } = plain;
        let each =
            |text: fn(&Listener) -> String| -> String { self.listeners.iter().map(text).collect::<String>() };
        let mut lines = vec![
            format!(
                "listeners={listeners}{}",
                each(|l| format!(",{}://127.0.0.1:{}", l.name, l.port))
            ),
            format!(
                "advertised.listeners={advertised}{}",
                each(|l| format!(",{}://{}", l.name, l.advertised))
            ),
            format!(
                "listener.security.protocol.map={protocols}{}",
                each(|l| format!(",{}:{}", l.name, l.protocol))
            ),
        ];
        for listener in &self.listeners {
            let prefix = format!("listener.name.{}", listener.name.to_lowercase());
            lines.extend(
                listener
                    .properties
                    .iter()
                    .map(|(name, value)| format!("{prefix}.{name}={value}")),
            );
        }
        lines.extend(
            self.kafka_properties
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        lines.join("\n") + "\n"
    }
}

/// Kafka's lists of listeners before anything is added.
pub(crate) struct KafkaLists {
    pub(crate) listeners: String,
    pub(crate) advertised: String,
    pub(crate) protocols: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_in_all_three_lists_with_its_settings() {
        let extras = Extras {
            listeners: vec![Listener {
                name: "SAFE".into(),
                protocol: "SSL".into(),
                port: 2,
                advertised: "localhost:3".into(),
                properties: vec![("ssl.client.auth".into(), "required".into())],
            }],
            kafka_properties: vec![("ssl.keystore.type".into(), "PEM".into())],
            ..Extras::default()
        };
        let plain = KafkaLists {
            listeners: "PLAINTEXT://127.0.0.1:1".into(),
            advertised: "PLAINTEXT://127.0.0.1:1".into(),
            protocols: "PLAINTEXT:PLAINTEXT".into(),
        };
        assert_eq!(
            extras.kafka_lines(&plain),
            "listeners=PLAINTEXT://127.0.0.1:1,SAFE://127.0.0.1:2\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:1,SAFE://localhost:3\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SAFE:SSL\n\
             listener.name.safe.ssl.client.auth=required\nssl.keystore.type=PEM\n"
        );
    }
}
