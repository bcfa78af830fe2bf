//! A rebuild's connection to the warehouse in use.

use pulseline_runtime::retry::retry_transient;
use pulseline_sql::Client;

use crate::rebuilder::error::RebuilderError;
use crate::rebuilder::settings::Rebuilder;

/// Under which name it shows in `pg_stat_activity`.
pub(crate) const APPLICATION: &str = "pulseline-rebuild";

/// Opens the warehouse in use; waits out an outage.
pub(crate) async fn open(rebuilder: &Rebuilder) -> Result<Client, RebuilderError> {
    let attempt = || async { Ok(pulseline_sql::open(rebuilder.timescale(), APPLICATION).await?) };
    Ok(retry_transient(rebuilder.shutdown(), "connecting", attempt).await?)
}
