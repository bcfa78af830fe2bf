//! The three stores.

use mongodb::Database;
use pulseline_clients::mongo;
use pulseline_runtime::config::{KafkaConfig, MongoConfig, TimescaleConfig};

use crate::error::AuditError;

/// The three stores.
#[derive(Clone, Debug)]
pub struct Connections {
    /// What was produced.
    pub kafka: KafkaConfig,
    /// What was stored.
    pub mongo: MongoConfig,
    /// What was loaded.
    pub timescale: TimescaleConfig,
    /// Consumer group of the sink.
    pub group: String,
}

impl Connections {
    pub(crate) async fn database(&self) -> Result<Database, AuditError> {
        Ok(mongo::open(&self.mongo, "pulseline-auditor").await?)
    }

    pub(crate) async fn warehouse(&self) -> Result<pulseline_sql::Client, AuditError> {
        Ok(pulseline_sql::open(&self.timescale, "pulseline-auditor").await?)
    }
}
