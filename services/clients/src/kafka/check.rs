//! Checks the brokers, for `config check`.

use std::time::Duration;

use futures_util::future::BoxFuture;
use pulseline_runtime::config::{KafkaConfig, SaslMechanism};
use pulseline_schemas::{DEAD_LETTER_TOPIC, Stream};
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer};

use super::error::KafkaFailure;
use super::guard::Guard;
use super::metadata::metadata;
use super::settings::Settings;
use crate::hop::HopReport;
use crate::tls;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Connects like the sink with this group, and reports missing permissions.
///
/// # Errors
/// Wrong settings, a refusal, an outage.
pub fn check<'a>(config: &'a KafkaConfig, group: &'a str) -> BoxFuture<'a, Result<HopReport, KafkaFailure>> {
    Box::pin(async move {
        let (asked, group) = (config.clone(), group.to_owned());
        let inspecting = tokio::task::spawn_blocking(move || inspect(&asked, &group));
        let (brokers, first, missing) = inspecting.await.map_err(|error| {
            KafkaFailure::Config(format!("an internal task ended without a result: {error}"))
        })??;
        let tls = if config.security_protocol.is_encrypted() {
            Some(tls::version(&first).await.unwrap_or_else(|| "TLS".into()))
        } else {
            None
        };
        Ok(HopReport {
            hop: "Kafka",
            server: format!("{brokers} brokers"),
            tls,
            identity: identity(config),
            missing,
        })
    })
}

fn identity(config: &KafkaConfig) -> String {
    match (config.sasl_mechanism, &config.ssl_certificate) {
        (Some(SaslMechanism::OauthBearer), _) => format!("{} (OAUTHBEARER)", config.oauth_client_id),
        (Some(mechanism), _) => format!("{} ({})", config.sasl_username, mechanism.name()),
        (None, Some(certificate)) => format!("the certificate in {}", certificate.display()),
        (None, None) => "anonymous (no authentication)".into(),
    }
}

/// The number of brokers, the address of one, and missing permissions.
fn inspect(config: &KafkaConfig, group: &str) -> Result<(usize, String, Vec<String>), KafkaFailure> {
    let mut settings = Settings::new(config, "pulseline-check")?;
    settings.set("group.id", group).set("enable.auto.commit", "false");
    let consumer: BaseConsumer<Guard> = settings.create()?;
    let metadata = metadata(&consumer, TIMEOUT)?;
    let broker = metadata.brokers().first();
    let first = broker.map_or_else(String::new, |broker| {
        format!("{}:{}", broker.host(), broker.port())
    });
    let mut missing = Vec::new();
    let mut list = TopicPartitionList::new();
    let names = Stream::ALL
        .map(Stream::topic)
        .into_iter()
        .chain([DEAD_LETTER_TOPIC]);
    for name in names {
        let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else {
            continue;
        };
        if let Some(error) = topic.error() {
            missing.push(format!("describing the topic {name} ({error:?})"));
        }
        for partition in topic.partitions() {
            list.add_partition(name, partition.id());
        }
    }
    if list.count() == 0 {
        missing.push(
            "the topics fitbit.*: they do not exist or cannot be described; `generate` creates them if it is allowed to".into(),
        );
    } else if let Err(error) = consumer.committed_offsets(list, TIMEOUT) {
        missing.push(format!("reading the offsets of the group {group} ({error})"));
    }
    Ok((metadata.brokers().len(), first, missing))
}
