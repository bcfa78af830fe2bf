//! MongoDB clients and the meaning of their errors.
//!
//! The driver's monitors detect a server that vanishes silently: they poll each server on a separate connection. A missing
//! answer closes all connections to that server after [`HEARTBEAT`] + [`CONNECT_TIMEOUT`] (15 s), even during an operation
//! (`ConnectionPoolCleared`). The driver then retries once, for at most [`SERVER_SELECTION`]. So an operation on a vanished
//! server ends after 20 s with a transient error, and no future of the driver is dropped. Two cases depend on TCP timeouts: a
//! single connection that dies while the monitor's survives, and every connection behind a load balancer
//! (`loadBalanced=true` has no monitors).

mod change_stream;
mod check;
mod class;
mod collection;
mod cursor;
mod database;
mod first_heartbeats;
mod uri;

use std::time::Duration;

use bson::doc;
use futures_util::future::BoxFuture;
use mongodb::Client;
use mongodb::options::{
    ClientOptions, ReadConcern, ReadPreference, SelectionCriteria, Tls, TlsOptions, WriteConcern,
};
use pulseline_runtime::config::{MongoConfig, require};
use pulseline_runtime::retry::{Class, Classify};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::timeout;

pub use change_stream::{ChangeStream, Step, Watch};
pub use check::{MongoCheckError, check};
pub use class::{Fault, class_of, describe, fault_of, is_dead_token, is_duplicate, is_there_already};
pub use collection::{Collection, Find};
pub use cursor::{Batch, Cursor};
pub use database::Database;
use first_heartbeats::{FIRST_HEARTBEATS, FirstHeartbeats};
pub use mongodb::change_stream::event::ResumeToken;
pub use mongodb::error::{Error, ErrorKind};

/// How long the driver searches for a server before our own retries, which are logged, take over.
pub const SERVER_SELECTION: Duration = Duration::from_secs(5);
/// Connection timeout, including the TLS handshake.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How often monitors poll each server.
pub const HEARTBEAT: Duration = Duration::from_secs(5);
/// Idle connections are closed before a firewall drops them (the shortest known limit is 4 minutes).
const IDLE: Duration = Duration::from_secs(120);
/// How far an empty change-stream answer of a sharded cluster may lag: `mongos` withholds events until every shard has
/// reported its time, which an idle shard does every `periodicNoopIntervalSecs`, 10 by default.
pub const SHARDS_HOLD_BACK: Duration = Duration::from_secs(10);

/// An error that prevents creating a client.
#[derive(Debug, thiserror::Error)]
pub enum MongoOpenError {
    /// A setting is wrong; the text names it.
    #[error("{0}")]
    Setting(String),
    /// A certificate or the user is refused; the text gives the reason and the setting.
    #[error("MongoDB: {0}")]
    Refused(String),
    /// DNS failed for the names of the servers.
    #[error("MongoDB: cannot look up the servers of mongo.uri: {}", describe(.0))]
    Lookup(#[source] Box<Error>),
}

impl Classify for MongoOpenError {
    fn class(&self) -> Class {
        match self {
            Self::Lookup(_) => Class::Transient,
            Self::Setting(_) | Self::Refused(_) => Class::Fatal,
        }
    }
}

/// Opens the database of documents, for a service of this name. Reads and writes are acknowledged by a majority, and reads go
/// to the primary, whatever the URI says: proofs rest on these reads. An unreachable server is not an error yet: the first use
/// detects it and retries.
///
/// # Errors
/// A URI that cannot be used, a certificate or a password that is refused; names that cannot be looked up (`mongodb+srv`).
#[expect(clippy::disallowed_methods, reason = "the only constructor")]
pub fn open<'a>(
    config: &'a MongoConfig,
    app_name: &'a str,
) -> BoxFuture<'a, Result<Database, MongoOpenError>> {
    Box::pin(async move {
        require(config.uri.expose(), "mongo", "uri")
            .map_err(|error| MongoOpenError::Setting(error.to_string()))?;
        let uri = config.uri.expose();
        let mut options = ClientOptions::parse(uri)
            .await
            .map_err(|error| unparsed(uri, error))?;
        adjust(&mut options, app_name);
        check_authorities(&options)?;
        let has_monitors = options.load_balanced != Some(true);
        if !has_monitors {
            tracing::warn!(
                "mongo.uri: with loadBalanced=true only TCP detects a vanished server, after minutes"
            );
        }
        let hosts = options.hosts.len();
        let (heartbeats, handler) = FirstHeartbeats::new();
        options.sdam_event_handler = Some(handler);
        let unusable = |error| MongoOpenError::Setting(uri::refused(uri, &error));
        let client = Client::with_options(options).map_err(unusable)?;
        if has_monitors && let Some(refusal) = heartbeats.refusal(hosts).await {
            client.shutdown().immediate(true).await;
            return Err(MongoOpenError::Refused(class::with_tls_settings(&refusal)));
        }
        let database = client.database(&config.database);
        // Report a wrong password now rather than when a standby takes over.
        let asked = timeout(FIRST_HEARTBEATS, database.run_command(doc! { "ping": 1 })).await;
        if let Ok(Err(error)) = asked
            && class_of(&error) == Class::Fatal
        {
            client.shutdown().immediate(true).await;
            return Err(MongoOpenError::Refused(describe(&error)));
        }
        Ok(Database::of(database))
    })
}

/// Host and port of the first server that uses TLS; none without TLS or with an unusable URI.
#[expect(clippy::disallowed_methods, reason = "the only constructor")]
pub fn first_tls_address(config: &MongoConfig) -> BoxFuture<'_, Option<String>> {
    Box::pin(async move {
        let options = ClientOptions::parse(config.uri.expose()).await.ok()?;
        let first = options.hosts.first()?.to_string();
        matches!(options.tls, Some(Tls::Enabled(_))).then_some(first)
    })
}

/// How far the position of an empty answer may lag on this topology.
///
/// # Errors
/// The server's error.
pub fn held_back(database: &Database) -> BoxFuture<'_, Result<Duration, Error>> {
    Box::pin(async move {
        let hello = database.driver().run_command(doc! { "hello": 1 }).await?;
        let is_sharded = hello.get_str("msg").is_ok_and(|msg| msg == "isdbgrid");
        Ok(if is_sharded {
            SHARDS_HOLD_BACK
        } else {
            Duration::ZERO
        })
    })
}

fn unparsed(uri: &str, error: Error) -> MongoOpenError {
    match class_of(&error) {
        Class::Transient => MongoOpenError::Lookup(Box::new(error)),
        Class::Definite | Class::Fatal => MongoOpenError::Setting(uri::refused(uri, &error)),
    }
}

/// Sets the options that we rely on, and defaults for those that a URI may choose.
fn adjust(options: &mut ClientOptions, app_name: &str) {
    options.app_name.get_or_insert_with(|| app_name.to_owned());
    options.server_selection_timeout.get_or_insert(SERVER_SELECTION);
    options.connect_timeout.get_or_insert(CONNECT_TIMEOUT);
    options.heartbeat_freq.get_or_insert(HEARTBEAT);
    options.max_idle_time.get_or_insert(IDLE);
    options.read_concern = Some(ReadConcern::majority());
    options.write_concern = Some(WriteConcern::majority());
    options.selection_criteria = Some(SelectionCriteria::ReadPreference(ReadPreference::Primary));
}

/// Checks the CA file: the driver ignores unreadable content and would then trust no server.
fn check_authorities(options: &ClientOptions) -> Result<(), MongoOpenError> {
    let Some(Tls::Enabled(TlsOptions {
        ca_file_path: Some(path),
        ..
    })) = &options.tls
    else {
        return Ok(());
    };
    let why = match CertificateDer::pem_file_iter(path) {
        Ok(mut found) => {
            if found.any(|certificate| certificate.is_ok()) {
                return Ok(());
            }
            "contains no PEM certificate".to_owned()
        }
        Err(error) => format!("cannot be read: {error}"),
    };
    Err(MongoOpenError::Setting(format!(
        "mongo.uri: tlsCAFile: {} {why}",
        path.display()
    )))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "it tests the one place")]
mod tests {
    use super::*;
    use pulseline_runtime::config::Secret;

    async fn opened(uri: &str) -> Result<Database, MongoOpenError> {
        let config = MongoConfig {
            uri: Secret::new(uri),
            ..MongoConfig::default()
        };
        open(&config, "pulseline-tests").await
    }

    #[tokio::test]
    async fn reads_go_to_the_primary_with_majority_concerns_even_if_the_uri_differs() {
        let uri = "mongodb://h/?readPreference=secondaryPreferred&readConcernLevel=local&w=1&heartbeatFrequencyMS=700";
        let mut options = ClientOptions::parse(uri).await.unwrap();
        adjust(&mut options, "pulseline-sink");
        assert_eq!(
            options.selection_criteria,
            Some(SelectionCriteria::ReadPreference(ReadPreference::Primary))
        );
        assert_eq!(options.read_concern, Some(ReadConcern::majority()));
        assert_eq!(options.write_concern, Some(WriteConcern::majority()));
        assert_eq!(options.app_name.as_deref(), Some("pulseline-sink"));
        // Timeouts may be chosen.
        assert_eq!(options.heartbeat_freq, Some(Duration::from_millis(700)));
        assert_eq!(options.connect_timeout, Some(CONNECT_TIMEOUT));
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_no_error_of_opening() {
        let database = opened("mongodb://user:hunter2@127.0.0.1:1/?serverSelectionTimeoutMS=50").await;
        let database = database.unwrap();
        assert_eq!(database.driver().name(), "pulseline");
        let error = database
            .driver()
            .run_command(doc! { "ping": 1 })
            .await
            .unwrap_err();
        assert_eq!(class_of(&error), Class::Transient);
        assert!(!format!("{error:?} {}", describe(&error)).contains("hunter2"));
    }

    #[tokio::test]
    async fn a_uri_that_cannot_be_used_names_the_setting_and_hides_its_password() {
        for uri in [
            "",
            "mongo://h",
            "mongodb://user:hunt/er2@h",
            "mongodb://user:hunt@er2@h",
            "mongodb://user:hunter2@h:port",
            "mongodb://user:hunter2@h/?tls=perhaps",
            "mongodb://user:hunter2@h/?tlsCAFile=/nowhere.pem",
            "mongodb://user:hunter2@h/?tlsCAFile=Cargo.toml",
            "mongodb://user:hunter2@h/?tlsCertificateKeyFile=/nowhere.pem",
            "mongodb://user:hunter2@h/?tlsCertificateKeyFile=Cargo.toml",
            "mongodb://user:hunter2@h/?authMechanism=nothing",
        ] {
            let error = opened(uri).await.unwrap_err();
            assert!(matches!(error, MongoOpenError::Setting(_)), "{uri}: {error}");
            assert_eq!(error.class(), Class::Fatal);
            let text = format!("{error} {error:?}");
            assert!(text.contains("mongo.uri"), "{uri}: {text}");
            for secret in ["hunt", "er2"] {
                assert!(!text.contains(secret), "{uri}: {text}");
            }
        }
    }

    #[cfg(not(feature = "aws"))]
    #[tokio::test]
    async fn a_mechanism_that_this_build_lacks_names_the_feature() {
        let refused = opened("mongodb://h/?authSource=$external&authMechanism=MONGODB-AWS").await;
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("feature `aws`"), "{text}");
    }
}
