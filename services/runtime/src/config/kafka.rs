//! Connection settings and credentials of Kafka.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use super::secret::Secret;

/// Largest message, for producer, broker and sink alike. A day's upload in live resolution stays below it.
const MESSAGE_BYTES_MAX: u32 = 4 * 1024 * 1024;
/// The broker's default: 1 on a single node, the operators' choice on a cluster.
const REPLICATION_OF_BROKER: i32 = -1;

/// How a connection to a broker is secured. The names are librdkafka's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    #[default]
    Plaintext,
    /// TLS, with a client certificate where the broker asks for one.
    Ssl,
    /// SASL without encryption.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// Its name in librdkafka.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// True when the protocol uses TLS.
    #[must_use]
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Ssl | Self::SaslSsl)
    }

    /// True when the protocol uses SASL.
    #[must_use]
    pub fn is_sasl(self) -> bool {
        matches!(self, Self::SaslPlaintext | Self::SaslSsl)
    }
}

/// SASL mechanism. The names are Kafka's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SaslMechanism {
    /// User and password in plain text: over TLS only.
    #[serde(rename = "PLAIN")]
    Plain,
    /// Challenge and response with SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Challenge and response with SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
    /// A token of an OIDC provider, by client credentials.
    #[serde(rename = "OAUTHBEARER")]
    OauthBearer,
}

impl SaslMechanism {
    /// Its name in Kafka.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
            Self::OauthBearer => "OAUTHBEARER",
        }
    }
}

/// librdkafka properties by name: a table in a file, `name=value,name=value` in the environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Properties(pub BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Properties {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Table(BTreeMap<String, Scalar>),
            Text(String),
        }
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Scalar {
            Bool(bool),
            Integer(i64),
            Float(f64),
            Text(String),
        }
        let properties = match Given::deserialize(deserializer)? {
            Given::Table(table) => table
                .into_iter()
                .map(|(name, value)| {
                    let value = match value {
                        Scalar::Bool(value) => value.to_string(),
                        Scalar::Integer(value) => value.to_string(),
                        Scalar::Float(value) => value.to_string(),
                        Scalar::Text(value) => value,
                    };
                    (name, value)
                })
                .collect(),
            Given::Text(text) => pairs(&text).map_err(serde::de::Error::custom)?,
        };
        Ok(Self(properties))
    }
}

fn pairs(text: &str) -> Result<BTreeMap<String, String>, String> {
    let given = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    given
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            // Not the text itself: it may be a password.
            None => Err("kafka.options must be a comma-separated list of name=value".to_owned()),
        })
        .collect()
}

/// Connection settings and credentials of Kafka.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KafkaConfig {
    /// Comma-separated `host:port` of some brokers.
    pub brokers: String,
    /// How connections are secured.
    pub security_protocol: SecurityProtocol,
    /// PEM file of trusted CA certificates; none: those of the system.
    pub ssl_ca: Option<PathBuf>,
    /// PEM file of the client's certificate and its intermediate certificates.
    pub ssl_certificate: Option<PathBuf>,
    /// PEM file of the certificate's key; it may be encrypted.
    pub ssl_key: Option<PathBuf>,
    /// Password of the key.
    pub ssl_key_password: Secret,
    /// SASL mechanism, for protocols with SASL.
    pub sasl_mechanism: Option<SaslMechanism>,
    /// The user of PLAIN and SCRAM.
    pub sasl_username: String,
    /// The password of PLAIN and SCRAM.
    pub sasl_password: Secret,
    /// The token endpoint of the OIDC provider.
    pub oauth_token_url: String,
    /// The client id at the OIDC provider.
    pub oauth_client_id: String,
    /// The client's secret.
    pub oauth_client_secret: Secret,
    /// Requested scope; empty: none.
    pub oauth_scope: String,
    /// Replication factor of topics that Pulseline creates; -1: the brokers' default.
    pub replication_factor: i32,
    /// Retention in milliseconds of topics that Pulseline creates; none: the brokers' default.
    pub retention_ms: Option<i64>,
    /// Largest message in bytes, for producer, broker and sink.
    pub message_bytes_max: u32,
    /// Other librdkafka properties. Those that Pulseline relies on are refused.
    pub options: Properties,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            brokers: String::new(),
            security_protocol: SecurityProtocol::default(),
            ssl_ca: None,
            ssl_certificate: None,
            ssl_key: None,
            ssl_key_password: Secret::default(),
            sasl_mechanism: None,
            sasl_username: String::new(),
            sasl_password: Secret::default(),
            oauth_token_url: String::new(),
            oauth_client_id: String::new(),
            oauth_client_secret: Secret::default(),
            oauth_scope: String::new(),
            replication_factor: REPLICATION_OF_BROKER,
            retention_ms: None,
            message_bytes_max: MESSAGE_BYTES_MAX,
            options: Properties::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_pairs_and_a_wrong_one_is_refused_without_its_text() {
        let read = pairs("linger.ms=5, client.rack = a").unwrap();
        assert_eq!(read["linger.ms"], "5");
        assert_eq!(read["client.rack"], "a");
        assert!(!pairs("hunter2").unwrap_err().contains("hunter2"));
    }
}
