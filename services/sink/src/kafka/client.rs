//! The Kafka client: its callbacks, and how it closes.

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

use super::settings::second_reader;
use crate::broker::{Channels, Rebalance, RebalanceKind};
use crate::config::SinkConfig;
use crate::error::SinkError;
use crate::metrics;
use crate::source::{Partition, Raw, SourceTopic};
use crate::statistics::StatsSnapshot;

/// Capacity for rebalance requests; the group waits for an answer before it sends the next one.
const REBALANCES: usize = 16;
/// How often shutdown checks whether the consumer is still in use.
const CALLED_BACK_PAUSE: Duration = Duration::from_millis(5);

pub(super) type SinkConsumer = StreamConsumer<Group>;

/// Receives the client's callbacks. They run inside polling, so nothing here blocks.
#[derive(Debug)]
pub(super) struct Group {
    rebalances: mpsc::Sender<Rebalance>,
    stats: watch::Sender<StatsSnapshot>,
    is_closing: AtomicBool,
    /// Notices whether the brokers refuse this client.
    pub(super) guard: Guard,
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

/// Creates a consumer outside any group, which only queries the brokers.
pub(super) fn bystander(config: &SinkConfig, kafka: &KafkaConfig) -> Result<SinkConsumer, SinkError> {
    Ok(create(&second_reader(config, kafka)?)?.0)
}

pub(super) fn create(settings: &Settings) -> Result<(SinkConsumer, Channels), SinkError> {
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

/// Converts a message; none when its topic is not one of the sink's.
pub(super) fn raw_of(message: &impl Message) -> Option<Raw> {
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
pub(super) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, SinkError> + Send + 'static,
) -> Result<T, SinkError> {
    let done = tokio::task::spawn_blocking(call).await;
    done.unwrap_or_else(|error| Err(SinkError::Task(error.to_string())))
}

/// Leaves the group. Dropping a consumer can hang, so it happens on its own thread, with a deadline.
pub(super) async fn close(consumer: Arc<SinkConsumer>, deadline: Duration) {
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
