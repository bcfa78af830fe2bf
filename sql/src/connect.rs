//! Connects to the warehouse.

use futures_util::future::BoxFuture;
use pulseline_clients::postgres;
use pulseline_runtime::config::TimescaleConfig;

use crate::cancel::Canceller;
use crate::client::Client;
use crate::error::SqlError;
use crate::schemas::Schemas;

/// Connects as `timescale.url` says; the connection ends when the client is dropped.
///
/// # Errors
/// A wrong URL or prefix, a server that is unreachable or refuses.
pub fn connect<'a>(
    timescale: &'a TimescaleConfig,
    application_name: &'a str,
) -> BoxFuture<'a, Result<Client, SqlError>> {
    Box::pin(async move {
        let prefix = Schemas::with_prefix(&timescale.schema_prefix);
        let schemas = prefix.ok_or_else(|| SqlError::Prefix(timescale.schema_prefix.clone()))?;
        let client = postgres::connect(timescale, application_name).await?;
        let canceller = Canceller::new(&client, timescale.clone());
        Ok(Client::new(client, schemas, canceller))
    })
}
