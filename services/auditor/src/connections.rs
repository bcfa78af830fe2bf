//! The three stores.

use std::time::Duration;

use pulseline_clients::mongo::{self, Database};
use pulseline_runtime::config::{KafkaConfig, MongoConfig, TimescaleConfig};

use crate::error::AuditError;

/// The server ends a statement of `status` after this time: the warehouse then counts as unreachable.
pub(crate) const STATUS_LIMIT: Duration = Duration::from_secs(60);
/// A slice of `verify` takes seconds; one that takes this long is stuck, and holds a snapshot open.
pub(crate) const VERIFY_LIMIT: Duration = Duration::from_secs(30 * 60);

/// The three stores.
#[derive(Clone, Debug)]
pub struct AuditorConnections {
    /// What was produced.
    pub kafka: KafkaConfig,
    /// What was stored.
    pub mongo: MongoConfig,
    /// What was loaded.
    pub timescale: TimescaleConfig,
    /// Consumer group of the sink.
    pub group: String,
}

impl AuditorConnections {
    pub(crate) async fn database(&self) -> Result<Database, AuditError> {
        Ok(mongo::open(&self.mongo, "pulseline-auditor").await?)
    }

    /// The warehouse; a statement takes `limit` at most.
    pub(crate) async fn warehouse(&self, limit: Duration) -> Result<pulseline_sql::Client, AuditError> {
        Ok(pulseline_sql::open_reader(&self.timescale, "pulseline-auditor", limit).await?)
    }
}
