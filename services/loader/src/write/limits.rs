//! Limits of a writer's transactions: how long one may stay silent, and how much it may decompress.

use std::time::Duration;

use pulseline_sql::{Client, GenericClient, Transaction};

use crate::document::SourceCollection;
use crate::error::LoaderError;

/// Precedes the collection in the name of a writer's session.
const PREFIX: &str = "pulseline-loader-";

/// Limits of a writer's transactions. Each transaction sets them: clients may share a session, or a pooler may exchange
/// it, so session settings would not last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// The server ends a transaction that is silent for this long: a new owner must not wait for its locks.
    silence: Duration,
    /// True while a batch touches more packed rows than the server allows by default: slow, but better than
    /// never.
    pub(super) unpacking: bool,
}

impl Limits {
    pub(super) fn new(silence: Duration) -> Self {
        Self {
            silence,
            unpacking: false,
        }
    }

    fn statements(self) -> String {
        let silence = self.silence.as_millis();
        let silence = format!("set local idle_in_transaction_session_timeout = {silence}");
        if self.unpacking {
            format!("{silence}; set local timescaledb.max_tuples_decompressed_per_dml_transaction = 0")
        } else {
            silence
        }
    }

    /// Sets them, for this transaction.
    pub(super) async fn set(self, tx: &Transaction<'_>) -> Result<(), LoaderError> {
        tx.batch_execute(&self.statements())
            .await
            .map_err(LoaderError::statement("setting the limits of a transaction"))
    }
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
        let mut limits = Limits::new(Duration::from_secs(10));
        assert_eq!(
            limits.statements(),
            "set local idle_in_transaction_session_timeout = 10000"
        );
        limits.unpacking = true;
        assert!(
            limits
                .statements()
                .split("; ")
                .all(|set| set.starts_with("set local "))
        );
        assert_eq!(limits.statements().split("; ").count(), 2);
    }
}
