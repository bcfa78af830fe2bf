//! Read-only connections: no statement outlives its caller, and none needs a session, so a pooler
//! in transaction mode may stand before the server.

use std::time::Duration;

use futures_util::future::BoxFuture;
use pulseline_runtime::config::TimescaleConfig;

use crate::client::Client;
use crate::connect::connect;
use crate::error::SqlError;
use crate::migrate::require_version;

/// As [`open`](crate::open), but the server ends every statement that runs longer than `limit`, even when the caller is
/// gone. The embedded database cannot interrupt a statement: there the limit has no effect.
///
/// # Errors
/// As [`open`](crate::open).
pub fn open_reader<'a>(
    timescale: &'a TimescaleConfig,
    application_name: &'a str,
    limit: Duration,
) -> BoxFuture<'a, Result<Client, SqlError>> {
    Box::pin(async move {
        let mut client = connect(timescale, application_name).await?;
        client.only_reads(limit);
        require_version(&client).await?;
        Ok(client)
    })
}
