//! The loader's settings, and the reasons for their defaults.

use std::time::Duration;

use pulseline_runtime::batch::Limits;
use serde::{Deserialize, Serialize};

/// Rows after which a batch is written: large enough that a transaction's fixed cost is small beside its rows,
/// small enough that one transaction occupies the warehouse for well under a second.
pub const BATCH_ROWS: usize = 20_000;
/// Bytes of documents after which a batch is written; the loader holds at most twice this per collection.
pub const BATCH_BYTES: usize = 4 << 20;
/// How long a batch fills while data keeps coming. After a slow write it fills for twice the time of that write, up to a
/// second. An idle collection's first document never waits.
pub const BATCH_WAIT_MS: u64 = 200;
/// How long the server holds an empty poll open; a stop waits at most this long for intake to end.
pub const MAX_AWAIT_MS: u64 = 1_000;
/// How often an idle collection's position is saved: often enough that the server never forgets it.
pub const IDLE_SAVE_MS: u64 = 5_000;
/// How long a silent loader keeps its lease: long enough for many renewals, short enough for a quick takeover.
pub const LEASE_TTL_MS: u64 = 10_000;
/// Devices whose newest loaded reading is remembered, per stream (about 100 bytes each).
pub const HIGH_WATERMARK_DEVICES: usize = 100_000;

/// Documents per page when a whole collection is read. Without a matching index the server sorts a page in memory; a
/// stop discards at most one page.
pub const PAGE_DOCUMENTS: usize = 5_000;

/// The policy for a position that the server no longer knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadToken {
    /// Stop and report it: an operator decides.
    #[default]
    Fail,
    /// Read the whole collection again, then follow changes from before that snapshot. Loading twice changes nothing.
    Resnapshot,
}

/// Settings of the loader.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoaderConfig {
    /// Most rows in a batch.
    pub batch_rows: usize,
    /// Most bytes of documents in a batch.
    pub batch_bytes: usize,
    /// How long a batch fills while data keeps coming, in milliseconds; longer when the store is slow.
    pub batch_wait_ms: u64,
    /// How long the server holds an empty poll open, in milliseconds.
    pub max_await_ms: u64,
    /// How often an idle position is saved, in milliseconds.
    pub idle_save_ms: u64,
    /// How long the lease lasts without renewal, and a transaction without a statement, in milliseconds.
    pub lease_ttl_ms: u64,
    /// Devices whose newest reading is remembered, per stream. Its name was `frontier_devices`.
    #[serde(alias = "frontier_devices")]
    pub high_watermark_devices: usize,
    /// Documents per page when a collection, or a range of it, is read.
    pub page_documents: usize,
    /// What to do when the server no longer knows the position.
    pub dead_token: DeadToken,
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self {
            batch_rows: BATCH_ROWS,
            batch_bytes: BATCH_BYTES,
            batch_wait_ms: BATCH_WAIT_MS,
            max_await_ms: MAX_AWAIT_MS,
            idle_save_ms: IDLE_SAVE_MS,
            lease_ttl_ms: LEASE_TTL_MS,
            high_watermark_devices: HIGH_WATERMARK_DEVICES,
            page_documents: PAGE_DOCUMENTS,
            dead_token: DeadToken::default(),
        }
    }
}

impl LoaderConfig {
    /// Checks each setting, and settings against each other.
    ///
    /// # Errors
    /// The full name of the wrong setting, and what it must be.
    pub fn validate(&self) -> Result<(), String> {
        self.limits().validate("loader")?;
        if self.batch_bytes > u32::MAX as usize / 2 {
            return Err(format!("loader.batch_bytes must be at most {}", u32::MAX / 2));
        }
        if self.max_await_ms == 0 {
            return Err("loader.max_await_ms must be at least 1".into());
        }
        if self.lease_ttl_ms < 1_000 {
            return Err("loader.lease_ttl_ms must be at least 1000".into());
        }
        if self.high_watermark_devices == 0 {
            return Err("loader.high_watermark_devices must be at least 1".into());
        }
        if self.page_documents == 0 {
            return Err("loader.page_documents must be at least 1".into());
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

    pub(crate) fn max_await(&self) -> Duration {
        Duration::from_millis(self.max_await_ms)
    }

    pub(crate) fn idle_save(&self) -> Duration {
        Duration::from_millis(self.idle_save_ms)
    }

    pub(crate) fn lease_ttl(&self) -> Duration {
        Duration::from_millis(self.lease_ttl_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_a_bad_field_is_named() {
        assert_eq!(LoaderConfig::default().validate(), Ok(()));
        let bad = LoaderConfig {
            batch_rows: 0,
            ..LoaderConfig::default()
        };
        assert!(bad.validate().unwrap_err().contains("loader.batch_rows"));
        let bad = LoaderConfig {
            lease_ttl_ms: 10,
            ..LoaderConfig::default()
        };
        assert!(bad.validate().unwrap_err().contains("loader.lease_ttl_ms"));
    }
}
