//! An idempotent producer that counts every delivery report.

use std::sync::Arc;
use std::time::Duration;

use pulseline_clients::kafka::{Guard, KafkaFailure, Settings};
use pulseline_runtime::config::KafkaConfig;
use pulseline_runtime::shutdown::Shutdown;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, PurgeConfig, ThreadedProducer};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::message::{Message, Route};
use crate::counts::Counts;
use crate::error::GeneratorError;
use crate::metrics;

/// Memory for unacknowledged messages: about a second of the embedded broker's work. More would only delay a stop.
const QUEUE_KBYTES: &str = "8192";
/// Producer linger: gives batches of a few hundred uploads at full speed.
const LINGER_MS: &str = "10";
/// A report wakes a waiting sender; this interval covers a missed one.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// The message of a delivery report.
struct Sent {
    route: Route,
    readings: u64,
    at: Instant,
}

/// Receives delivery reports on the producer's thread.
struct Reports {
    counts: Arc<Counts>,
    delivery_reported: Arc<Notify>,
    guard: Guard,
}

impl ClientContext for Reports {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        Guard::log_line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.guard.report(&error, reason);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.guard.token()
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Sent>;

    fn delivery(&self, result: &DeliveryResult<'_>, sent: Box<Sent>) {
        match result {
            Ok(_) => {
                self.counts.acknowledge(sent.route, sent.readings);
                metrics::record_acknowledged(sent.route, sent.readings, sent.at.elapsed());
            }
            Err((error, _)) => {
                tracing::error!(%error, stream = sent.route.name(), "a message was not delivered");
                self.counts.fail(sent.route);
                metrics::record_failed(sent.route);
            }
        }
        self.delivery_reported.notify_one();
    }
}

/// Sends messages, limited by its queue.
pub(crate) struct Sender {
    producer: ThreadedProducer<Reports>,
    counts: Arc<Counts>,
    delivery_reported: Arc<Notify>,
}

impl Sender {
    pub(crate) fn new(kafka: &KafkaConfig, counts: Arc<Counts>) -> Result<Self, GeneratorError> {
        let delivery_reported = Arc::new(Notify::new());
        let mut settings = Settings::new(kafka, "pulseline-generator")?;
        settings
            .idempotent()
            .set_default("compression.type", "lz4")
            .set_default("linger.ms", LINGER_MS)
            .set_default("queue.buffering.max.kbytes", QUEUE_KBYTES)
            .set("message.max.bytes", kafka.message_bytes_max.to_string())
            // Retries through any outage: giving up would break the order of a device's uploads.
            .set("message.timeout.ms", "0");
        let producer = settings.create_with(|guard| Reports {
            counts: Arc::clone(&counts),
            delivery_reported: Arc::clone(&delivery_reported),
            guard,
        })?;
        Ok(Self {
            producer,
            counts,
            delivery_reported,
        })
    }

    /// Queues a message; waits while the queue is full.
    ///
    /// # Errors
    /// When the producer rejects it, or the drain deadline passes while the queue is full.
    pub(crate) async fn send(&self, message: &Message, shutdown: &Shutdown) -> Result<(), GeneratorError> {
        let mut waiting_since = None;
        let sent = Sent {
            route: message.route,
            readings: message.readings,
            at: Instant::now(),
        };
        let mut record = BaseRecord::with_opaque_to(message.route.topic(), Box::new(sent))
            .key(&message.key)
            .payload(&message.payload)
            .headers(headers_of(message));
        // Counted before sending, so that an acknowledgement is never counted first.
        self.counts
            .issue(message.route, message.kind, message.delivered_at);
        metrics::record_issued(message.route, message.kind);
        while let Err((error, refused)) = self.producer.send(record) {
            if is_too_large(&error) {
                tracing::error!(
                    bytes = message.payload.len(),
                    stream = message.route.name(),
                    "skipping a message larger than kafka.message_bytes_max"
                );
                self.counts.fail(message.route);
                metrics::record_failed(message.route);
                return Ok(());
            }
            let refusal = self.producer.context().guard.refusal();
            if refusal.is_some() || !is_full(&error) {
                self.counts.fail(message.route);
                metrics::record_failed(message.route);
                return Err(refusal
                    .unwrap_or_else(|| KafkaFailure::of("producing")(error))
                    .into());
            }
            waiting_since.get_or_insert_with(Instant::now);
            if shutdown.is_abandoned() {
                self.counts.fail(message.route);
                metrics::record_failed(message.route);
                return Err(GeneratorError::Abandoned(self.unacknowledged()));
            }
            record = refused;
            self.report().await;
        }
        if let Some(since) = waiting_since {
            metrics::record_queue_full(since.elapsed());
        }
        Ok(())
    }

    /// Waits until every message has its report.
    ///
    /// # Errors
    /// When some were not delivered, or the drain deadline passes first.
    pub(crate) async fn finish(&self, shutdown: &Shutdown) -> Result<(), GeneratorError> {
        loop {
            let total = self.counts.snapshot().total();
            if total.acknowledged + total.failed >= total.issued {
                return if total.failed == 0 {
                    Ok(())
                } else {
                    Err(GeneratorError::Undelivered(total.failed))
                };
            }
            if let Some(refusal) = self.producer.context().guard.refusal() {
                return Err(refusal.into());
            }
            tokio::select! {
                biased;
                () = shutdown.abandoned() => {
                    let left = self.unacknowledged();
                    self.producer.purge(PurgeConfig::default().queue().inflight());
                    return Err(GeneratorError::Abandoned(left));
                }
                () = self.report() => {}
            }
        }
    }

    /// The producer's fatal error, if any.
    pub(crate) fn fatal_error(&self) -> Option<GeneratorError> {
        let (code, reason) = self.producer.client().fatal_error()?;
        tracing::error!(%code, reason, "fatal error of the producer");
        Some(KafkaFailure::of("producing")(KafkaError::MessageProduction(code)).into())
    }

    async fn report(&self) {
        // A timeout, like a delivery report, makes the caller check again.
        let _ = tokio::time::timeout(POLL_EVERY, self.delivery_reported.notified()).await;
    }

    fn unacknowledged(&self) -> u64 {
        let total = self.counts.snapshot().total();
        total.issued.saturating_sub(total.acknowledged + total.failed)
    }
}

fn headers_of(message: &Message) -> OwnedHeaders {
    let none = OwnedHeaders::new_with_capacity(message.headers.len());
    message.headers.iter().fold(none, |headers, (key, value)| {
        headers.insert(Header {
            key,
            value: Some(value),
        })
    })
}

/// Rejected before sending; other messages are not affected.
fn is_too_large(error: &KafkaError) -> bool {
    matches!(
        error,
        KafkaError::MessageProduction(RDKafkaErrorCode::MessageSizeTooLarge)
    )
}

fn is_full(error: &KafkaError) -> bool {
    matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use anyhow::{Context, Result, ensure};
    use pulseline_runtime::config::Properties;
    use pulseline_schemas::{Stream, UtcMillis};
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;

    const MESSAGES: u64 = 20;

    /// A broker that has just become the leader refuses the first request and accepts what follows (KAFKA-15591).
    #[tokio::test]
    async fn d_3_what_is_acknowledged_is_stored_when_a_first_request_is_refused() -> Result<()> {
        let broker = MockCluster::new(1)?;
        let topic = Stream::Steps.topic();
        broker.create_topic(topic, 1, 1)?;
        broker.request_errors(
            RDKafkaApiKey::Produce,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION],
        );
        let kafka = KafkaConfig {
            brokers: broker.bootstrap_servers(),
            // A request for each message.
            options: Properties(BTreeMap::from([("batch.num.messages".into(), "1".into())])),
            ..KafkaConfig::default()
        };
        let counts = Arc::new(Counts::new());
        let sender = Sender::new(&kafka, Arc::clone(&counts))?;
        let shutdown = Shutdown::new();
        for number in 0..MESSAGES {
            let message = Message {
                route: Route::Stream(Stream::Steps),
                kind: None,
                delivered_at: UtcMillis(0),
                key: "a device".into(),
                headers: Vec::new(),
                payload: number.to_be_bytes().to_vec(),
                readings: 1,
            };
            sender.send(&message, &shutdown).await?;
        }
        sender.finish(&shutdown).await?;
        let acknowledged = counts.snapshot().total().acknowledged;
        let ends = tokio::task::spawn_blocking(move || {
            let client = sender.producer.client();
            client.fetch_watermarks(topic, 0, Duration::from_secs(10))
        });
        let (_, end) = ends.await?.context("asking for the end of the partition")?;
        ensure!(
            acknowledged == MESSAGES && u64::try_from(end)? == MESSAGES,
            "{acknowledged} acknowledged, {end} stored"
        );
        Ok(())
    }
}
