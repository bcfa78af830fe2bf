//! COPY over a connection, and the one type that the driver cannot encode from milliseconds.

use std::error::Error;
use std::pin::pin;

use bytes::Bytes;
use futures_util::SinkExt;
use pulseline_sql::Transaction;
use tokio_postgres::types::{FromSql, Type, accepts};

use crate::error::LoaderError;

/// Bytes per message: large enough to be cheap, small enough to avoid buffering a batch twice.
const PIECE_BYTES: usize = 256 << 10;

/// The statements that write rows through a temporary table, which lasts as long as its transaction.
#[derive(Debug)]
pub(super) struct Incoming {
    pub(super) create: String,
    pub(super) copy: String,
    /// Equal versions are written again: reloading a damaged row repairs it.
    pub(super) upsert: String,
}

impl Incoming {
    /// For these columns, of which the first `keys` are the key.
    pub(super) fn new(table: &str, incoming: &str, columns: &[&str], keys: usize) -> Self {
        let (key, names) = (columns[..keys].join(", "), columns.join(", "));
        let set: Vec<String> = columns[keys..]
            .iter()
            .map(|name| format!("{name} = excluded.{name}"))
            .collect();
        let set = set.join(", ");
        Self {
            create: format!("create temporary table {incoming} (like {table}) on commit drop"),
            copy: format!("copy pg_temp.{incoming} ({names}) from stdin (format binary)"),
            upsert: format!(
                "insert into {table} as t ({names}) select {names} from pg_temp.{incoming} order by {key} \
                 on conflict ({key}) do update set {set} \
                 where (excluded.synced_at, excluded.event_id) >= (t.synced_at, t.event_id) returning {key}"
            ),
        }
    }
}

/// Sends finished COPY bytes and waits until the server has received them.
pub(super) async fn copy(
    tx: &Transaction<'_>,
    statement: &str,
    mut rows: Bytes,
    what: &'static str,
) -> Result<(), LoaderError> {
    let sink = tx
        .copy_in::<Bytes>(statement)
        .await
        .map_err(LoaderError::statement(what))?;
    let mut sink = pin!(sink);
    while !rows.is_empty() {
        let piece = rows.split_to(rows.len().min(PIECE_BYTES));
        // When the server has ended the COPY with an error, only `finish` returns it.
        if sink.feed(piece).await.is_err() {
            break;
        }
    }
    sink.finish().await.map_err(LoaderError::statement(what))?;
    Ok(())
}

/// A `timestamp`, in milliseconds since 1970 as if it were UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocalMillis(pub(super) i64);

impl<'a> FromSql<'a> for LocalMillis {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        const EPOCH_2000_MILLIS: i64 = 946_684_800_000;
        let micros = i64::from_be_bytes(raw.try_into()?);
        Ok(Self(micros.div_euclid(1_000).saturating_add(EPOCH_2000_MILLIS)))
    }

    accepts!(TIMESTAMP);
}
