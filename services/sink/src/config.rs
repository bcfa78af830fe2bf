//! What can be configured about the sink, and why the defaults are what they are.

use std::time::Duration;

use pulseline_runtime::batch::Limits;
use serde::{Deserialize, Serialize};

/// Name of the consumer group; its committed offsets are the sink's position.
pub const GROUP: &str = "pulseline-sink";
/// How long the group waits for a member that went silent: a killed sink without an instance name blocks its
/// partitions that long. Not below 6 s, which brokers refuse by default.
pub const SESSION_TIMEOUT_MS: u32 = 10_000;
/// How often stored offsets are committed: what a crash makes us read again, and recognise.
pub const COMMIT_INTERVAL_MS: u32 = 1_000;
/// Kilobytes of messages that the Kafka client reads ahead: some batches of them, which take much longer to store
/// than the next fetch takes. More of them is memory and no speed.
pub const QUEUED_KBYTES: u32 = 1_024;
/// Documents after which a batch is written: an insert of that many takes well under a second.
pub const BATCH_ROWS: usize = 1_000;
/// Bytes (documents and the messages they came from) after which a batch is written. One is flushed, twice while
/// the driver makes a command of it, and one fills: a small multiple of this is the most the sink holds. With 2 MB it held 3 MB
/// more; 1 MB was up to a tenth slower.
pub const BATCH_BYTES: usize = 1_536 << 10;
/// How long a batch waits for more: a small share of the second in which live data should become visible.
pub const BATCH_WAIT_MS: u64 = 50;
/// How often lag and the ends of partitions are read; a trailing gap is closed after two snapshots.
pub const STATISTICS_INTERVAL_MS: u32 = 1_000;
/// Longest a single request to Kafka may take before it counts as an outage.
pub const REQUEST_TIMEOUT_MS: u64 = 10_000;
/// Longest the consumer may take to leave its group at the end.
pub const CLOSE_TIMEOUT_MS: u64 = 10_000;

/// How members of the group agree on who reads what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupProtocol {
    /// Members agree among themselves (cooperative-sticky). Sessions are timed by `session_timeout_ms`.
    #[default]
    Classic,
    /// The broker assigns (KIP-848). Joins faster; sessions are timed by the broker, 45 s by default.
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
    /// Name of this member. With one, a restarted sink takes its partitions back at once; two with the same name
    /// fence each other, and the older one stops.
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
    /// Longest a batch waits for more, in milliseconds.
    pub batch_wait_ms: u64,
    /// Largest message that is decoded, in bytes; a larger one becomes a dead letter.
    pub message_bytes_max: Option<u32>,
    /// How often lag and the ends of partitions are read, in milliseconds.
    pub statistics_interval_ms: u32,
    /// Longest a request to Kafka may take, in milliseconds.
    pub request_timeout_ms: u64,
    /// Longest leaving the group may take, in milliseconds.
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
    /// Checks limits, each alone and across fields.
    ///
    /// # Errors
    /// The full name of the field at fault and what it must be.
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
