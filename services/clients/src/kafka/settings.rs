//! Client properties from the configuration.

use std::path::Path;

use pulseline_runtime::config::{KafkaConfig, SaslMechanism, SecurityProtocol};
use rdkafka::ClientConfig;
use rdkafka::client::ClientContext;
use rdkafka::config::FromClientConfigAndContext;

use super::error::KafkaFailure;
use super::guard::Guard;
use super::oauth::TokenSource;
use super::properties::refused;

/// Request timeout; after it the broker counts as unreachable, so a vanished host is noticed within 30 s.
const SOCKET_TIMEOUT_MS: &str = "20000";
/// Connection timeout.
const CONNECT_TIMEOUT_MS: &str = "10000";
/// Longest pause before a reconnect.
const RECONNECT_MS: &str = "2000";

/// Produce requests to one broker that are under way at once. A broker that has just become a partition's leader may refuse a
/// producer's first request and accept the second: before the fix of KAFKA-15591 it takes any first sequence number. The
/// producer then reports the first one as acknowledged, and its messages are lost.
const IN_FLIGHT: &str = "1";

/// Client properties. Those set here override `kafka.options`.
#[derive(Clone)]
pub struct Settings {
    properties: ClientConfig,
    tokens: Option<TokenSource>,
    protocol: SecurityProtocol,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Omits the properties, which hold passwords.
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

impl Settings {
    /// Properties of a client; brokers log its `client_id`.
    ///
    /// # Errors
    /// [`KafkaFailure::Config`]: contradictory settings, an unreadable file, or a property that Pulseline
    /// relies on.
    #[expect(clippy::disallowed_methods, reason = "the only constructor")]
    pub fn new(config: &KafkaConfig, client_id: &str) -> Result<Self, KafkaFailure> {
        check(config).map_err(KafkaFailure::Config)?;
        let mut properties = ClientConfig::new();
        properties
            .set("socket.keepalive.enable", "true")
            .set("socket.timeout.ms", SOCKET_TIMEOUT_MS)
            .set("socket.connection.setup.timeout.ms", CONNECT_TIMEOUT_MS)
            .set("reconnect.backoff.max.ms", RECONNECT_MS);
        for (name, value) in &config.options.0 {
            properties.set(name, value);
        }
        properties
            .set("bootstrap.servers", &config.brokers)
            .set("client.id", client_id)
            .set("security.protocol", config.security_protocol.name());
        if config.security_protocol.is_encrypted() {
            let files = [
                ("ssl.ca.location", &config.ssl_ca),
                ("ssl.certificate.location", &config.ssl_certificate),
                ("ssl.key.location", &config.ssl_key),
            ];
            for (property, path) in files {
                if let Some(path) = path {
                    properties.set(property, path.to_string_lossy());
                }
            }
            if !config.ssl_key_password.is_empty() {
                properties.set("ssl.key.password", config.ssl_key_password.expose());
            }
        }
        if let Some(mechanism) = config.sasl_mechanism {
            properties.set("sasl.mechanisms", mechanism.name());
            if mechanism != SaslMechanism::OauthBearer {
                properties
                    .set("sasl.username", &config.sasl_username)
                    .set("sasl.password", config.sasl_password.expose());
            }
        }
        let tokens =
            (config.sasl_mechanism == Some(SaslMechanism::OauthBearer)).then(|| TokenSource::new(config));
        Ok(Self {
            properties,
            tokens,
            protocol: config.security_protocol,
        })
    }

    pub(super) fn protocol(&self) -> SecurityProtocol {
        self.protocol
    }

    pub(super) fn has_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// Sets a property, overriding `kafka.options`.
    pub fn set(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.properties.set(name, value);
        self
    }

    /// Sets a property unless `kafka.options` sets it.
    pub fn set_default(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        if self.properties.get(name).is_none() {
            self.properties.set(name, value);
        }
        self
    }

    /// Makes a producer whose acknowledged messages are stored once and in order, a key's in one partition.
    pub fn idempotent(&mut self) -> &mut Self {
        self.set("enable.idempotence", "true")
            .set("acks", "all")
            .set("max.in.flight.requests.per.connection", IN_FLIGHT)
            // The partitioner of the Java client.
            .set("partitioner", "murmur2_random")
    }

    /// Creates a client with the guard as its context.
    ///
    /// # Errors
    /// [`KafkaFailure::Config`] when librdkafka rejects a property.
    pub fn create<T: FromClientConfigAndContext<Guard>>(&self) -> Result<T, KafkaFailure> {
        self.create_with(|guard| guard)
    }

    /// Creates a client whose context is not accessible, and returns its guard too.
    ///
    /// # Errors
    /// As [`Settings::create`].
    pub fn create_guarded<T: FromClientConfigAndContext<Guard>>(&self) -> Result<(T, Guard), KafkaFailure> {
        let guard = Guard::new(self.tokens.clone());
        let created = self.properties.create_with_context(guard.clone());
        Ok((created.map_err(KafkaFailure::of("creating a client"))?, guard))
    }

    /// Creates a client whose context holds the guard.
    ///
    /// # Errors
    /// As [`Settings::create`].
    pub fn create_with<C: ClientContext, T: FromClientConfigAndContext<C>>(
        &self,
        context: impl FnOnce(Guard) -> C,
    ) -> Result<T, KafkaFailure> {
        let guard = Guard::new(self.tokens.clone());
        let created = self.properties.create_with_context(context(guard));
        created.map_err(KafkaFailure::of("creating a client"))
    }
}

/// Refuses contradictory settings.
fn check(config: &KafkaConfig) -> Result<(), String> {
    if let Some(refusal) = config.options.0.keys().find_map(|name| refused(name)) {
        return Err(refusal);
    }
    let protocol = config.security_protocol;
    match (protocol.is_sasl(), config.sasl_mechanism) {
        (true, None) => {
            return Err(format!(
                "kafka.security_protocol is {}: set kafka.sasl_mechanism too (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER)",
                protocol.name()
            ));
        }
        (false, Some(mechanism)) => {
            return Err(format!(
                "kafka.sasl_mechanism is {}: set kafka.security_protocol to SASL_SSL (or SASL_PLAINTEXT, which is not encrypted)",
                mechanism.name()
            ));
        }
        (true, Some(SaslMechanism::OauthBearer)) => {
            require("kafka.oauth_token_url", config.oauth_token_url.is_empty())?;
            require("kafka.oauth_client_id", config.oauth_client_id.is_empty())?;
            require("kafka.oauth_client_secret", config.oauth_client_secret.is_empty())?;
        }
        (true, Some(_)) => {
            require("kafka.sasl_username", config.sasl_username.is_empty())?;
            require("kafka.sasl_password", config.sasl_password.is_empty())?;
        }
        (false, None) => {}
    }
    let files = [
        ("kafka.ssl_ca", &config.ssl_ca),
        ("kafka.ssl_certificate", &config.ssl_certificate),
        ("kafka.ssl_key", &config.ssl_key),
    ];
    for (setting, path) in files {
        let Some(path) = path else { continue };
        if !protocol.is_encrypted() {
            return Err(format!(
                "{setting} has no effect while kafka.security_protocol is {}: set it to SSL or SASL_SSL",
                protocol.name()
            ));
        }
        readable(setting, path)?;
    }
    if config.ssl_certificate.is_some() != config.ssl_key.is_some() {
        return Err("kafka.ssl_certificate and kafka.ssl_key belong together: set both".into());
    }
    Ok(())
}

fn require(setting: &str, is_missing: bool) -> Result<(), String> {
    if is_missing {
        return Err(format!("{setting} is not set: kafka.sasl_mechanism requires it"));
    }
    Ok(())
}

fn readable(setting: &str, path: &Path) -> Result<(), String> {
    std::fs::File::open(path)
        .map(drop)
        .map_err(|error| format!("{setting}: cannot read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulseline_runtime::config::Secret;
    use rdkafka::consumer::BaseConsumer;

    fn refused_by(change: impl FnOnce(&mut KafkaConfig)) -> String {
        let mut config = KafkaConfig::default();
        change(&mut config);
        Settings::new(&config, "test").unwrap_err().to_string()
    }

    #[test]
    fn settings_that_do_not_fit_are_refused_with_what_is_missing() {
        assert!(
            refused_by(|config| config.security_protocol = SecurityProtocol::SaslSsl)
                .contains("sasl_mechanism")
        );
        assert!(refused_by(|config| config.sasl_mechanism = Some(SaslMechanism::Plain)).contains("SASL_SSL"));
        assert!(
            refused_by(|config| config.ssl_ca = Some("/nowhere/ca.pem".into()))
                .contains("kafka.security_protocol")
        );
        let unreadable = refused_by(|config| {
            config.security_protocol = SecurityProtocol::Ssl;
            config.ssl_ca = Some("/nowhere/ca.pem".into());
        });
        assert!(
            unreadable.contains("/nowhere/ca.pem") && unreadable.contains("kafka.ssl_ca"),
            "{unreadable}"
        );
        let incomplete = refused_by(|config| {
            config.security_protocol = SecurityProtocol::SaslSsl;
            config.sasl_mechanism = Some(SaslMechanism::OauthBearer);
        });
        assert!(incomplete.contains("kafka.oauth_token_url"), "{incomplete}");
    }

    #[test]
    fn every_codec_and_mechanism_is_built_in() {
        let mut settings = Settings::new(&KafkaConfig::default(), "test").unwrap();
        settings.set(
            "builtin.features",
            "gzip,snappy,lz4,zstd,ssl,sasl_scram,sasl_plain,sasl_oauthbearer",
        );
        settings.create::<BaseConsumer<Guard>>().unwrap();
    }

    #[test]
    fn a_wrong_option_is_named_and_its_value_is_not() {
        let mut config = KafkaConfig::default();
        config
            .options
            .0
            .insert("no.such.property".into(), "hunter2".into());
        let settings = Settings::new(&config, "test").unwrap();
        let refused = settings.create::<BaseConsumer<Guard>>().err().unwrap();
        let text = refused.to_string();
        assert!(
            text.contains("no.such.property") && !text.contains("hunter2"),
            "{text}"
        );
        assert!(refused.is_configuration());
    }

    #[test]
    fn a_password_is_not_in_what_debug_prints() {
        let config = KafkaConfig {
            security_protocol: SecurityProtocol::SaslPlaintext,
            sasl_mechanism: Some(SaslMechanism::ScramSha512),
            sasl_username: "pulseline".into(),
            sasl_password: Secret::new("hunter2"),
            ..KafkaConfig::default()
        };
        let settings = Settings::new(&config, "test").unwrap();
        assert!(!format!("{settings:?}{config:?}").contains("hunter2"));
    }
}
