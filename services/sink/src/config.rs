//! The sink's settings, and the reasons for their defaults.

use std::time::Duration;

use pulseline_runtime::batch::Limits;
use serde::{Deserialize, Serialize};

/// Name of the consumer group; its committed offsets are the sink's position.
pub const GROUP: &str = "pulseline-sink";
/// How long the group waits for a silent member: a killed sink without an instance name blocks its
/// partitions for that time. Not below 6 s, which brokers refuse by default.
pub const SESSION_TIMEOUT_MS: u32 = 10_000;
/// How often stored offsets are committed. After a crash the sink reads what came later again, and recognises it.
pub const COMMIT_INTERVAL_MS: u32 = 1_000;
/// Kilobytes of messages that the Kafka client reads ahead: a few batches, which take much longer to store
/// than to fetch. A higher value costs memory and gains no speed.
pub const QUEUED_KBYTES: u32 = 1_024;
/// Documents after which a batch is written: an insert of that many takes well under a second.
pub const BATCH_ROWS: usize = 1_000;
/// Bytes (documents and their messages) after which a batch is written. One batch is flushed (twice its size while
/// the driver encodes the command) and one fills: the sink holds a small multiple of this. 2 MB cost 3 MB
/// more memory; 1 MB was up to a tenth slower.
pub const BATCH_BYTES: usize = 1_536 << 10;
/// How long a batch waits for more documents: a small share of the second in which live data should become visible.
pub const BATCH_WAIT_MS: u64 = 50;
/// How often the sink reads lag and partition ends; it closes a trailing gap after two snapshots.
pub const STATISTICS_INTERVAL_MS: u32 = 1_000;
/// Longest that one request to Kafka may take before it counts as an outage.
pub const REQUEST_TIMEOUT_MS: u64 = 10_000;
/// Longest that the consumer may take to leave its group at shutdown.
pub const CLOSE_TIMEOUT_MS: u64 = 10_000;

/// How group members divide the partitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupProtocol {
    /// Members assign partitions themselves (cooperative-sticky). `session_timeout_ms` bounds their sessions.
    #[default]
    Classic,
    /// The broker assigns partitions (KIP-848). Members join faster; the broker bounds sessions, at 45 s by default.
    Consumer,
}

/// Settings of the sink.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SinkConfig {
    /// Consumer group.
    pub group: String,
    /// Protocol of the group.
    pub group_protocol: GroupProtocol,
    /// Name of this member. With a name, a restarted sink gets its partitions back at once. Of two sinks with one name,
    /// the newer one fences the older one, which stops.
    pub instance: Option<String>,
    /// How long the group waits for a silent member, in milliseconds (classic protocol).
    pub session_timeout_ms: u32,
    /// How often stored offsets are committed, in milliseconds.
    pub commit_interval_ms: u32,
    /// Kilobytes of messages read ahead.
    pub queued_kbytes: u32,
    /// Most documents in a batch.
    pub batch_rows: usize,
    /// Most bytes in a batch, documents and messages together.
    pub batch_bytes: usize,
    /// Longest that a batch waits for more documents, in milliseconds.
    pub batch_wait_ms: u64,
    /// Largest message that is decoded, in bytes; a larger one becomes a dead letter.
    pub message_bytes_max: Option<u32>,
    /// How often the sink reads lag and partition ends, in milliseconds.
    pub statistics_interval_ms: u32,
    /// Longest that a request to Kafka may take, in milliseconds.
    pub request_timeout_ms: u64,
    /// Longest that leaving the group may take, in milliseconds.
    pub close_timeout_ms: u64,
}

impl Default for SinkConfig {
    fn default() -> Self {
        Self {
            group: GROUP.into(),
            group_protocol: GroupProtocol::default(),
            instance: None,
            session_timeout_ms: SESSION_TIMEOUT_MS,
            commit_interval_ms: COMMIT_INTERVAL_MS,
            queued_kbytes: QUEUED_KBYTES,
            batch_rows: BATCH_ROWS,
            batch_bytes: BATCH_BYTES,
            batch_wait_ms: BATCH_WAIT_MS,
            message_bytes_max: None,
            statistics_interval_ms: STATISTICS_INTERVAL_MS,
            request_timeout_ms: REQUEST_TIMEOUT_MS,
            close_timeout_ms: CLOSE_TIMEOUT_MS,
        }
    }
}

impl SinkConfig {
    /// Checks each setting, and settings against each other.
    ///
    /// # Errors
    /// The full name of the wrong setting, and what it must be.
    pub fn validate(&self) -> Result<(), String> {
        self.limits().validate("sink")?;
        if self.group.is_empty() {
            return Err("sink.group must not be empty".into());
        }
        if self.instance.as_ref().is_some_and(String::is_empty) {
            return Err("sink.instance must not be empty; leave it out instead".into());
        }
        if self.session_timeout_ms < 1_000 {
            return Err("sink.session_timeout_ms must be at least 1000".into());
        }
        if self.commit_interval_ms == 0 || self.statistics_interval_ms == 0 {
            return Err("sink.commit_interval_ms and sink.statistics_interval_ms must be at least 1".into());
        }
        if self.message_bytes_max == Some(0) {
            return Err("sink.message_bytes_max must be at least 1".into());
        }
        if self.queued_kbytes == 0 || u64::from(self.queued_kbytes) > 2_097_151 {
            return Err("sink.queued_kbytes must be 1 to 2097151".into());
        }
        if self.request_timeout_ms < 100 || self.close_timeout_ms < 100 {
            return Err("sink.request_timeout_ms and sink.close_timeout_ms must be at least 100".into());
        }
        Ok(())
    }

    /// When a batch is written.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            batch_rows: self.batch_rows,
            batch_bytes: self.batch_bytes,
            batch_wait_ms: self.batch_wait_ms,
        }
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_millis(self.request_timeout_ms)
    }

    pub(crate) fn close_timeout(&self) -> Duration {
        Duration::from_millis(self.close_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_a_bad_field_is_named() {
        assert_eq!(SinkConfig::default().validate(), Ok(()));
        let faults = [
            (
                "sink.batch_rows",
                SinkConfig {
                    batch_rows: 0,
                    ..SinkConfig::default()
                },
            ),
            (
                "sink.group",
                SinkConfig {
                    group: String::new(),
                    ..SinkConfig::default()
                },
            ),
            (
                "sink.instance",
                SinkConfig {
                    instance: Some(String::new()),
                    ..SinkConfig::default()
                },
            ),
            (
                "sink.message_bytes_max",
                SinkConfig {
                    message_bytes_max: Some(0),
                    ..SinkConfig::default()
                },
            ),
            (
                "sink.queued_kbytes",
                SinkConfig {
                    queued_kbytes: 0,
                    ..SinkConfig::default()
                },
            ),
        ];
        for (field, config) in faults {
            assert!(config.validate().unwrap_err().contains(field), "{field}");
        }
    }
}
