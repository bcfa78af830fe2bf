//! The connection to the warehouse.

use pulseline_runtime::config::TimescaleConfig;
use pulseline_sql::Client;

use crate::error::CompactorError;

/// The name by which the server knows the compactor's connections.
pub(crate) const APPLICATION: &str = "pulseline-compactor";

pub(crate) async fn connect(timescale: &TimescaleConfig) -> Result<Client, CompactorError> {
    pulseline_sql::open(timescale, APPLICATION)
        .await
        .map_err(CompactorError::sql("connecting"))
}
