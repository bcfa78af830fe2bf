//! The way into the warehouse.

use std::str::FromStr;
use std::time::Duration;

use pulseline_runtime::config::TimescaleConfig;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::cancel::Canceller;
use crate::client::Client;
use crate::error::SqlError;
use crate::schemas::Schemas;

/// A server that does not answer at all is an outage, not a wait without end.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Connects; the connection ends when the client is dropped. TLS as `sslmode` in the URL says.
///
/// # Errors
/// A wrong URL or prefix, a server that is away or refuses.
pub async fn connect(timescale: &TimescaleConfig, application_name: &str) -> Result<Client, SqlError> {
    let prefix = Schemas::with_prefix(&timescale.schema_prefix);
    let schemas = prefix.ok_or_else(|| SqlError::Prefix(timescale.schema_prefix.clone()))?;
    let mut config = Config::from_str(timescale.url.expose()).map_err(|_| SqlError::Url)?;
    config.application_name(application_name);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await?;
        tokio::spawn(watch(connection));
        let canceller = Canceller::new(&client, None);
        return Ok(Client::new(client, schemas, canceller));
    }
    // A second call finds the provider there already.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let (tls, _skipped) = MakeRustlsConnect::with_native_certs().map_err(|_| SqlError::Certificates)?;
    let (client, connection) = config.connect(tls.clone()).await?;
    tokio::spawn(watch(connection));
    let canceller = Canceller::new(&client, Some(tls));
    Ok(Client::new(client, schemas, canceller))
}

/// Drives a connection; its end is seen by the client that uses it.
async fn watch(connection: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "connection to TimescaleDB ended");
    }
}
