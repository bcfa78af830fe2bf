//! Limits of a writer's transactions: how long one may stay silent, and how much it may decompress.

use std::time::Duration;

use pulseline_sql::{Client, GenericClient, Transaction};

use crate::document::SourceCollection;
use crate::error::LoaderError;

/// Precedes the collection in the name of a writer's session.
const PREFIX: &str = "pulseline-loader-";

/// Each transaction sets its limits: clients may share a session, or a pooler may exchange it, so session settings would not
/// last.
fn statements(silence: Duration, unpacks: bool) -> String {
    let silence = silence.as_millis();
    let silence = format!("set local idle_in_transaction_session_timeout = {silence}");
    if unpacks {
        format!("{silence}; set local timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
    } else {
        silence
    }
}

/// Sets how long this transaction may stay silent, and whether it may decompress without a limit.
pub(super) async fn set(tx: &Transaction<'_>, silence: Duration, unpacks: bool) -> Result<(), LoaderError> {
    tx.batch_execute(&statements(silence, unpacks))
        .await
        .map_err(LoaderError::statement("setting the limits of a transaction"))
}

pub(super) async fn begin<'a>(
    client: &'a mut Client,
    what: &'static str,
) -> Result<Transaction<'a>, LoaderError> {
    client.transaction().await.map_err(LoaderError::statement(what))
}

/// Name of a writer's session: it shows the epoch of the lease under which it writes.
pub(super) fn application(source: SourceCollection, epoch: i64) -> String {
    format!("{PREFIX}{}-{epoch}", source.name())
}

/// Names of the connections of one epoch, as a regular expression.
pub(crate) fn sessions_of(epoch: i64) -> String {
    format!("^{PREFIX}.+-{epoch}$")
}

/// True for a connection of a loader that lost its lease to this epoch: it can commit nothing any more.
pub(crate) fn is_superseded(application: &str, epoch: i64) -> bool {
    let written = application
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.rsplit_once('-'));
    let of = written.and_then(|(_, epoch)| epoch.parse::<i64>().ok());
    of.is_some_and(|of| of < epoch)
}

#[cfg(test)]
mod tests {
    use pulseline_schemas::Stream;

    use super::*;

    #[test]
    fn d_2_only_sessions_of_an_earlier_epoch_are_superseded() {
        let session = |epoch| application(SourceCollection::Stream(Stream::RestingHeartRates), epoch);
        // PostgreSQL truncates longer names.
        assert!(session(1_000_000).len() < 64, "{}", session(1_000_000));
        assert!(is_superseded(&session(6), 7));
        assert!(!is_superseded(&session(7), 7) && !is_superseded(&session(8), 7));
        for other in ["pulseline-loader-lease", "pulseline-beside-steps", "psql", ""] {
            assert!(!is_superseded(other, 7), "{other}");
        }
    }

    #[test]
    fn limits_hold_for_one_transaction() {
        let silence = Duration::from_secs(10);
        assert_eq!(
            statements(silence, false),
            "set local idle_in_transaction_session_timeout = 10000"
        );
        let both = statements(silence, true);
        assert_eq!(
            both.split("; ")
                .filter(|set| set.starts_with("set local "))
                .count(),
            2
        );
    }
}
