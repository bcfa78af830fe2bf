//! Settings of the consumers, and the reasons for them.

use pulseline_clients::kafka::Settings;
use pulseline_runtime::config::KafkaConfig;

use crate::config::{GroupProtocol, SinkConfig};
use crate::error::SinkError;

/// Smallest fetch size that the client accepts.
const FETCH_BYTES_MIN: u64 = 1_000_000;

/// Settings of the group's consumer.
pub(super) fn group_consumer(config: &SinkConfig, kafka: &KafkaConfig) -> Result<Settings, SinkError> {
    let fetch_bytes = (u64::from(config.queued_kbytes) * 1024).clamp(FETCH_BYTES_MIN, 1 << 30);
    let mut settings = reading(config, kafka)?;
    settings
        .set("group.id", config.group.as_str())
        // D-1: the client commits in the background, and only stored offsets, which are durable.
        .set("enable.auto.commit", "true")
        .set("enable.auto.offset.store", "false")
        .set("auto.commit.interval.ms", config.commit_interval_ms.to_string())
        .set(
            "statistics.interval.ms",
            config.statistics_interval_ms.to_string(),
        )
        .set("queued.max.messages.kbytes", config.queued_kbytes.to_string())
        .set_default("fetch.max.bytes", fetch_bytes.to_string())
        // The client checks a full queue again soon: the default of one second would starve a small queue.
        .set_default("fetch.queue.backoff.ms", "20")
        // The client finds topics created later within seconds, not minutes.
        .set_default("topic.metadata.refresh.interval.ms", "5000");
    match config.group_protocol {
        GroupProtocol::Classic => settings
            .set("group.protocol", "classic")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", config.session_timeout_ms.to_string())
            .set(
                "heartbeat.interval.ms",
                (config.session_timeout_ms / 3).max(1).to_string(),
            ),
        GroupProtocol::Consumer => settings.set("group.protocol", "consumer"),
    };
    if let Some(instance) = &config.instance {
        settings.set("group.instance.id", instance.as_str());
    }
    Ok(settings)
}

/// Settings shared by all consumers, which read committed messages only.
fn reading(config: &SinkConfig, kafka: &KafkaConfig) -> Result<Settings, SinkError> {
    let mut settings = Settings::new(kafka, "pulseline-sink")?;
    settings
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        // Messages deleted before they were read show as a jump, which the sink examines and reports.
        .set("auto.offset.reset", "earliest")
        .set("allow.auto.create.topics", "false")
        .set(
            "queued.max.messages.kbytes",
            config.queued_kbytes.min(1_024).to_string(),
        );
    Ok(settings)
}

/// Settings of the consumers outside the group. They join no group and commit nothing.
pub(super) fn second_reader(config: &SinkConfig, kafka: &KafkaConfig) -> Result<Settings, SinkError> {
    let mut settings = reading(config, kafka)?;
    settings
        .set("group.id", format!("{}-second-reading", config.group))
        .set("enable.auto.commit", "false");
    Ok(settings)
}
