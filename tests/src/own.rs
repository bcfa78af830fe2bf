//! External servers instead of the embedded ones, each by a variable: `PULSELINE_TEST_KAFKA` (`host:port`),
//! `PULSELINE_TEST_REGISTRY` (URL), `PULSELINE_TEST_MONGO` (URI), `PULSELINE_TEST_TIMESCALE_URL`. The other servers
//! stay embedded.
//!
//! Every scenario first empties them: it DELETES the topics and subjects that begin with `fitbit.`, `pulseline.` or
//! `bench.`, MongoDB's database `pulseline`, the database that the URL names, and the roles that begin with
//! `test_`. The URL's role must be a superuser, and the server must also have a database `postgres`. Committed
//! offsets are deleted with their topics.
//!
//! A scenario that kills a server, puts a proxy in front of it, or logs in to it under another name is skipped if
//! the server is not embedded. The summary of `scripts/test` names it.

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pulseline_clients::kafka::{Guard, Settings};
use pulseline_clients::mongo;
use pulseline_runtime::config::{KafkaConfig, MongoConfig, Secret, TimescaleConfig};
use pulseline_sql::GenericClient;
use pulseline_stack::{Endpoints, Server};
use rdkafka::admin::{AdminClient, AdminOptions};

const TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(100);
/// Prefixes of the tests' topics and subjects.
const PREFIXES: [&str; 3] = ["fitbit.", "pulseline.", "bench."];

/// Address of an external server; none when it is embedded.
#[must_use]
pub fn address(server: Server) -> Option<String> {
    let variable = match server {
        Server::Kafka => "PULSELINE_TEST_KAFKA",
        Server::Registry => "PULSELINE_TEST_REGISTRY",
        Server::Mongo => "PULSELINE_TEST_MONGO",
        Server::Timescale => "PULSELINE_TEST_TIMESCALE_URL",
    };
    std::env::var(variable).ok().filter(|address| !address.is_empty())
}

/// Those of these servers that have no external address.
pub(crate) fn embedded(servers: &[Server]) -> Vec<Server> {
    let mut servers = servers.to_vec();
    servers.retain(|server| address(*server).is_none());
    servers
}

/// Prints the name of a skipped scenario to the real standard output, so that the summary can count it.
pub(crate) fn skip(name: &str, server: Server) -> Result<()> {
    let line = format!(
        "\nskipped: {name}: it needs {} to be the embedded one\n",
        server.name()
    );
    Ok(std::io::stdout().lock().write_all(line.as_bytes())?)
}

/// Replaces the embedded servers' addresses by the external ones.
pub(crate) fn use_given(endpoints: &mut Endpoints) {
    let places = [
        (Server::Kafka, &mut endpoints.kafka_brokers),
        (Server::Registry, &mut endpoints.registry_url),
        (Server::Mongo, &mut endpoints.mongo_uri),
        (Server::Timescale, &mut endpoints.timescale_url),
    ];
    for (server, place) in places {
        if let Some(given) = address(server) {
            *place = given;
        }
    }
}

/// Empties what an earlier scenario may have used; an embedded MongoDB or TimescaleDB is new each time.
pub(crate) async fn empty(endpoints: &Endpoints) -> Result<()> {
    clear_kafka(&endpoints.kafka_brokers)
        .await
        .context("emptying Kafka")?;
    clear_registry(&endpoints.registry_url)
        .await
        .context("emptying the registry")?;
    if let Some(uri) = address(Server::Mongo) {
        let config = MongoConfig {
            uri: Secret::new(uri),
            ..MongoConfig::default()
        };
        let database = mongo::open(&config, "pulseline-tests").await;
        database.context("PULSELINE_TEST_MONGO")?.driver().drop().await?;
    }
    if let Some(url) = address(Server::Timescale) {
        clear_timescale(&url)
            .await
            .context("PULSELINE_TEST_TIMESCALE_URL")?;
    }
    Ok(())
}

fn is_ours(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

async fn clear_kafka(brokers: &str) -> Result<()> {
    let config = KafkaConfig {
        brokers: brokers.to_owned(),
        ..KafkaConfig::default()
    };
    let admin: AdminClient<Guard> = Settings::new(&config, "pulseline-tests")?.create()?;
    let ours = || -> Result<Vec<String>> {
        let metadata = admin.inner().fetch_metadata(None, TIMEOUT)?;
        let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
        Ok(names.filter(|name| is_ours(name)).collect())
    };
    let topics = ours()?;
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    if names.is_empty() {
        return Ok(());
    }
    for deleted in admin.delete_topics(&names, &AdminOptions::new()).await? {
        deleted.map_err(|(name, code)| anyhow::anyhow!("{name} cannot be deleted: {code}"))?;
    }
    let deadline = Instant::now() + TIMEOUT;
    while !ours()?.is_empty() {
        ensure!(Instant::now() < deadline, "the topics still exist");
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

async fn clear_registry(url: &str) -> Result<()> {
    let client = reqwest::Client::new();
    let subjects: Vec<String> = client.get(format!("{url}/subjects")).send().await?.json().await?;
    for subject in subjects.iter().filter(|name| is_ours(name)) {
        for suffix in ["", "?permanent=true"] {
            let answer = client
                .delete(format!("{url}/subjects/{subject}{suffix}"))
                .send()
                .await?;
            // Some registries do not support permanent deletion.
            ensure!(
                answer.status().is_success() || !suffix.is_empty(),
                "{subject}: {}",
                answer.status()
            );
        }
    }
    Ok(())
}

async fn clear_timescale(url: &str) -> Result<()> {
    let (server, database, parameters) = parts(url)?;
    ensure!(
        database != "postgres",
        "the URL must name a database of the tests' own, which they drop; not postgres"
    );
    let config = TimescaleConfig {
        url: Secret::new(format!("{server}/postgres{parameters}")),
        ..TimescaleConfig::default()
    };
    let client = pulseline_sql::connect(&config, "pulseline-tests").await?;
    client
        .batch_execute(&format!("drop database if exists \"{database}\" with (force)"))
        .await?;
    let roles = "select rolname::text from pg_roles where rolname like 'test\\_%'";
    for role in client.query(roles, &[]).await? {
        let role: String = role.get(0);
        client.batch_execute(&format!("drop role \"{role}\"")).await?;
    }
    client
        .batch_execute(&format!("create database \"{database}\""))
        .await?;
    Ok(())
}

/// Splits a URL into the part before the database's name, the name, and the rest.
fn parts(url: &str) -> Result<(&str, &str, &str)> {
    let host = url.find("//").context("not a URL")? + 2;
    let slash = url[host..].find('/').context("the URL must name a database")? + host;
    let end = url[slash..].find('?').map_or(url.len(), |mark| slash + mark);
    let name = &url[slash + 1..end];
    ensure!(!name.is_empty(), "the URL must name a database");
    Ok((&url[..slash], name, &url[end..]))
}
