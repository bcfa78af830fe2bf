//! The consumer: its settings, its rebalance callbacks, and how it leaves the group.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pulseline_clients::kafka::{Guard, Settings};
use pulseline_runtime::config::KafkaConfig;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, RebalanceProtocol, StreamConsumer};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::Headers;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{Message, Statistics, TopicPartitionList};
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::{GroupProtocol, SinkConfig};
use crate::error::SinkError;
use crate::metrics;
use crate::source::{Partition, Raw, SourceTopic};
use crate::statistics::StatsSnapshot;

/// Capacity for rebalance requests; the group waits for an answer before it sends the next one.
const REBALANCES: usize = 16;
/// How often shutdown checks whether the consumer is still in use.
const CALLED_BACK_PAUSE: Duration = Duration::from_millis(5);
/// Smallest fetch size that the client accepts.
const FETCH_BYTES_MIN: u64 = 1_000_000;

pub(crate) type SinkConsumer = StreamConsumer<Group>;

/// A rebalance request. The group waits until the consumer's assignment has changed accordingly.
#[derive(Debug)]
pub(crate) struct Rebalance {
    pub(crate) kind: RebalanceKind,
    pub(crate) partitions: Vec<Partition>,
    /// True when the request changes the assignment, false when it replaces it.
    pub(crate) is_incremental: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RebalanceKind {
    Assign,
    Revoke,
    /// The partitions were revoked already: other members may be reading them.
    Lost,
}

/// Receives the client's callbacks. They run inside polling, so nothing here blocks.
#[derive(Debug)]
pub(crate) struct Group {
    rebalances: mpsc::Sender<Rebalance>,
    stats: watch::Sender<StatsSnapshot>,
    is_closing: AtomicBool,
    guard: Guard,
}

impl Group {
    /// Notices whether the brokers refuse this client.
    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }
}

impl ClientContext for Group {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Guard::log_line(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.stats.send_replace(StatsSnapshot::at(&statistics));
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.guard.report(&error, reason);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.guard.token()
    }
}

impl ConsumerContext for Group {
    fn rebalance(&self, base: &BaseConsumer<Self>, code: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let is_incremental = matches!(base.rebalance_protocol(), RebalanceProtocol::Cooperative);
        if self.is_closing.load(Ordering::Acquire) {
            // The receiver is gone: everything to be committed is committed.
            let left = if is_incremental {
                base.incremental_unassign(list)
            } else {
                base.unassign()
            };
            if let Err(error) = left {
                tracing::debug!(%error, "leaving the group");
            }
            return;
        }
        let kind = match code {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => RebalanceKind::Assign,
            _ if base.assignment_lost() => RebalanceKind::Lost,
            _ => RebalanceKind::Revoke,
        };
        let rebalance = Rebalance {
            kind,
            partitions: partitions_of(list),
            is_incremental,
        };
        if self.rebalances.try_send(rebalance).is_err() {
            tracing::error!("the group sent another rebalance request before the last one was answered");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        match result {
            Err(error) if error.rdkafka_error_code() != Some(RDKafkaErrorCode::NoOffset) => {
                metrics::record_commit_error(&error);
            }
            _ => {}
        }
    }
}

fn partitions_of(list: &TopicPartitionList) -> Vec<Partition> {
    let elements = list.elements();
    let known = elements.iter().filter_map(|element| {
        let source = SourceTopic::from_topic(element.topic())?;
        Some(Partition {
            source,
            number: element.partition(),
        })
    });
    known.collect()
}

/// What the consumer reports, besides messages.
#[derive(Debug)]
pub(crate) struct Channels {
    pub(crate) rebalances: mpsc::Receiver<Rebalance>,
    pub(crate) stats: watch::Receiver<StatsSnapshot>,
}

/// Creates a consumer that subscribes to every topic.
pub(crate) fn subscribe(
    config: &SinkConfig,
    kafka: &KafkaConfig,
) -> Result<(Arc<SinkConsumer>, Channels), SinkError> {
    let (consumer, channels) = create(&settings(config, kafka)?)?;
    consumer
        .subscribe(&SourceTopic::topics())
        .map_err(SinkError::kafka("subscribing"))?;
    Ok((Arc::new(consumer), channels))
}

/// Creates a consumer outside any group, which only queries the brokers.
pub(crate) fn bystander(config: &SinkConfig, kafka: &KafkaConfig) -> Result<SinkConsumer, SinkError> {
    Ok(create(&second_reader(config, kafka)?)?.0)
}

fn create(settings: &Settings) -> Result<(SinkConsumer, Channels), SinkError> {
    let (rebalances, received) = mpsc::channel(REBALANCES);
    let (stats, seen) = watch::channel(StatsSnapshot::default());
    let consumer = settings.create_with(|guard| Group {
        rebalances,
        stats,
        is_closing: AtomicBool::new(false),
        guard,
    })?;
    Ok((
        consumer,
        Channels {
            rebalances: received,
            stats: seen,
        },
    ))
}

/// Settings of the consumer.
fn settings(config: &SinkConfig, kafka: &KafkaConfig) -> Result<Settings, SinkError> {
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

/// Settings of the short-lived consumer that reads gaps again. It joins no group and commits nothing.
pub(crate) fn second_reader(config: &SinkConfig, kafka: &KafkaConfig) -> Result<Settings, SinkError> {
    let mut settings = reading(config, kafka)?;
    settings
        .set("group.id", format!("{}-second-reading", config.group))
        .set("enable.auto.commit", "false");
    Ok(settings)
}

/// Converts a message; none when its topic is not one of the sink's.
pub(crate) fn raw_of(message: &impl Message) -> Option<Raw> {
    let source = SourceTopic::from_topic(message.topic())?;
    let mut headers = Vec::new();
    if let (SourceTopic::DeadLetters, Some(given)) = (source, message.headers()) {
        headers.extend(
            given
                .iter()
                .filter_map(|header| Some((header.key.to_owned(), header.value?.to_vec()))),
        );
    }
    Some(Raw {
        partition: Partition {
            source,
            number: message.partition(),
        },
        offset: message.offset(),
        key: message.key().map(<[u8]>::to_vec),
        payload: message.payload().map(<[u8]>::to_vec),
        headers,
    })
}

/// Runs a blocking call of the client on the blocking thread pool.
pub(crate) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, SinkError> + Send + 'static,
) -> Result<T, SinkError> {
    let done = tokio::task::spawn_blocking(call).await;
    done.unwrap_or_else(|error| Err(SinkError::Task(error.to_string())))
}

/// Leaves the group. Dropping a consumer can hang, so it happens on its own thread, with a deadline.
pub(crate) async fn close(consumer: Arc<SinkConsumer>, deadline: Duration) {
    consumer.context().is_closing.store(true, Ordering::Release);
    // Aborted tasks may still hold the consumer for a moment. The last holder leaves the group: wait to be that one.
    let called_back = tokio::time::Instant::now() + deadline;
    while Arc::strong_count(&consumer) > 1 && tokio::time::Instant::now() < called_back {
        tokio::time::sleep(CALLED_BACK_PAUSE).await;
    }
    let (left, done) = oneshot::channel();
    std::thread::spawn(move || {
        drop(consumer);
        // The receiver is gone when the deadline has passed.
        let _late = left.send(());
    });
    if tokio::time::timeout(deadline, done).await.is_err() {
        tracing::warn!(
            "leaving the group takes too long: the broker removes this member after its session timeout"
        );
    }
}
