//! What can be configured about the compactor, and why the defaults are what they are.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Pause between cycles: a late reading shows within seconds.
const INTERVAL_MS: u64 = 2_000;
/// Dirty days taken up in one cycle: a backlog cannot keep a cycle from ending.
const DIRTY_ROWS: i64 = 20_000;
/// Log rows folded in one cycle.
const FOLD_ROWS: i64 = 50_000;
/// How long a compactor that went silent keeps its lease: longer than one refresh takes.
const LEASE_TTL_MS: u64 = 15_000;
/// A cycle is followed by a pause of at least this many times its length, so that refreshing takes a fifth of the
/// server's time at most while a backlog loads.
const PAUSE_FACTOR: u32 = 4;

/// Settings of the compactor.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompactorConfig {
    /// Pause between cycles, in milliseconds.
    pub interval_ms: u64,
    /// Most dirty days in one cycle.
    pub dirty_rows: i64,
    /// Most rows of the accounting's log in one cycle.
    pub fold_rows: i64,
    /// How long the lease lasts without renewal, in milliseconds.
    pub lease_ttl_ms: u64,
}

impl Default for CompactorConfig {
    fn default() -> Self {
        Self {
            interval_ms: INTERVAL_MS,
            dirty_rows: DIRTY_ROWS,
            fold_rows: FOLD_ROWS,
            lease_ttl_ms: LEASE_TTL_MS,
        }
    }
}

impl CompactorConfig {
    /// Checks the values.
    ///
    /// # Errors
    /// The name of the field that makes no sense.
    pub fn validate(&self) -> Result<(), String> {
        for (name, value) in [("dirty_rows", self.dirty_rows), ("fold_rows", self.fold_rows)] {
            if value < 1 {
                return Err(format!("compactor.{name} must be at least 1"));
            }
        }
        if self.lease_ttl_ms < 1_000 {
            return Err("compactor.lease_ttl_ms must be at least 1000".into());
        }
        Ok(())
    }

    pub(crate) fn lease_ttl(&self) -> Duration {
        Duration::from_millis(self.lease_ttl_ms)
    }

    /// How long to wait after a cycle that took `busy`.
    pub(crate) fn pause_after(&self, busy: Duration) -> Duration {
        Duration::from_millis(self.interval_ms).max(busy * PAUSE_FACTOR)
    }
}
