//! Connections that read: no statement of theirs outlives whoever asked for it.

use std::time::Duration;

use pulseline_runtime::config::TimescaleConfig;

use crate::client::{Client, GenericClient};
use crate::error::SqlError;
use crate::migrate::open;

/// As [`open`], and the server ends every statement that runs longer than `limit`, also when the process that asked is gone.
/// The embedded database cannot interrupt a statement: there it only stands in the settings.
///
/// # Errors
/// As [`open`].
pub async fn open_reader(
    timescale: &TimescaleConfig,
    application_name: &str,
    limit: Duration,
) -> Result<Client, SqlError> {
    let client = open(timescale, application_name).await?;
    let setting = format!("set statement_timeout = {}", limit.as_millis());
    client.batch_execute(&setting).await?;
    Ok(client)
}
