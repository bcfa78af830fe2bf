//! Finds dead letters.

use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use pulseline_runtime::config::TimescaleConfig;
use pulseline_sql::{Client, GenericClient};
use serde::Serialize;
use tokio_postgres::Row;

use crate::dead_letters::error::DeadLettersError;

/// A list takes seconds; the server ends a statement that takes this long.
const STATEMENT_LIMIT: Duration = Duration::from_secs(10 * 60);
const COLUMNS: &str = "origin, item, stream, topic, reason, detail, program_version, \
    (extract(epoch from created_at) * 1000)::bigint, (extract(epoch from resolved_at) * 1000)::bigint, resolution, why, \
    message_key, length(payload)";
const SELECTED: &str = "($1::text[] is null or origin = any($1)) and ($2::text is null or reason = $2) \
    and ($3::text is null or stream = $3) and ($4::bigint is null or created_at >= timestamptz 'epoch' + $4 * interval '1 millisecond') \
    and ($5 or resolved_at is null)";

const KINDS: &str = "select reason, stream, count(*) from ops.dead_letters where $1 or resolved_at is null \
    group by reason, stream order by reason, stream";

/// The selection of dead letters.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// These origins; all when empty.
    pub origins: Vec<String>,
    /// Only this reason.
    pub reason: Option<String>,
    /// Only this stream.
    pub stream: Option<String>,
    /// Only younger ones.
    pub since: Option<Timestamp>,
    /// Include resolved ones.
    pub with_resolved: bool,
}

impl Selection {
    /// True when it selects nothing in particular.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.origins.is_empty() && self.reason.is_none() && self.stream.is_none() && self.since.is_none()
    }
}

/// A dead letter without its bytes.
#[derive(Clone, Debug, Serialize)]
pub struct DeadLetter {
    /// Its origin.
    pub origin: String,
    /// Index of the reading, −1 for the whole upload.
    pub item: i32,
    /// Its stream, where known.
    pub stream: Option<String>,
    /// Its Kafka topic, where known.
    pub topic: Option<String>,
    /// The reason, from a fixed list.
    pub reason: String,
    /// The reason as a sentence.
    pub detail: String,
    /// Version of the program that made it.
    pub program_version: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was resolved.
    pub resolved_at: Option<Timestamp>,
    /// How it was resolved.
    pub resolution: Option<String>,
    /// Why it was discarded.
    pub why: Option<String>,
    /// Key of the Kafka message, as text.
    pub message_key: Option<String>,
    /// How many bytes it keeps.
    pub payload_bytes: Option<i32>,
}

/// Connects to the warehouse, which lists the dead letters.
///
/// # Errors
/// An unreachable server, or a wrong URL.
pub fn open(timescale: &TimescaleConfig) -> BoxFuture<'_, Result<Client, DeadLettersError>> {
    Box::pin(async move {
        Ok(pulseline_sql::open_reader(timescale, "pulseline-dead-letters", STATEMENT_LIMIT).await?)
    })
}

/// Dead letters, newest first, at most `limit`; and their total number.
///
/// # Errors
/// Errors of the warehouse.
pub fn list<'a>(
    client: &'a Client,
    selection: &'a Selection,
    limit: i64,
) -> BoxFuture<'a, Result<(Vec<DeadLetter>, i64), DeadLettersError>> {
    Box::pin(async move {
        let origins = (!selection.origins.is_empty()).then_some(&selection.origins);
        let since = selection.since.map(Timestamp::as_millisecond);
        let Selection {
            reason,
            stream,
            with_resolved,
            ..
        } = selection;
        let sql = format!(
            "select {COLUMNS}, count(*) over () from ops.dead_letters where {SELECTED} order by created_at desc, origin, item limit $6"
        );
        let rows = client
            .query(&sql, &[&origins, reason, stream, &since, with_resolved, &limit])
            .await?;
        let count = rows.first().map_or(0, |row| row.get(13));
        Ok((rows.iter().map(dead_letter).collect(), count))
    })
}

/// The number of dead letters of one reason and stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetterKind {
    /// The reason, from a fixed list.
    pub reason: String,
    /// Stream, where known.
    pub stream: Option<String>,
    /// How many.
    #[serde(rename = "letters")]
    pub dead_letters: i64,
}

/// The kinds of dead letters; includes resolved ones on request.
///
/// # Errors
/// Errors of the warehouse.
pub fn kinds(
    client: &Client,
    with_resolved: bool,
) -> BoxFuture<'_, Result<Vec<DeadLetterKind>, DeadLettersError>> {
    Box::pin(async move {
        let rows = client.query(KINDS, &[&with_resolved]).await?;
        let kind = |row: &Row| DeadLetterKind {
            reason: row.get(0),
            stream: row.get(1),
            dead_letters: row.get(2),
        };
        Ok(rows.iter().map(kind).collect())
    })
}

/// A dead letter, and its bytes where they are kept.
pub type WithPayload = (DeadLetter, Option<Vec<u8>>);

/// The dead letters of an origin with their bytes, by item.
///
/// # Errors
/// Errors of the warehouse.
pub fn find<'a>(
    client: &'a Client,
    origin: &'a str,
) -> BoxFuture<'a, Result<Vec<WithPayload>, DeadLettersError>> {
    Box::pin(async move {
        let sql = format!("select {COLUMNS}, payload from ops.dead_letters where origin = $1 order by item");
        let rows = client.query(&sql, &[&origin]).await?;
        Ok(rows.iter().map(|row| (dead_letter(row), row.get(13))).collect())
    })
}

fn dead_letter(row: &Row) -> DeadLetter {
    let at = |millis: i64| Timestamp::from_millisecond(millis).unwrap_or_default();
    let key: Option<&[u8]> = row.get(11);
    DeadLetter {
        origin: row.get(0),
        item: row.get(1),
        stream: row.get(2),
        topic: row.get(3),
        reason: row.get(4),
        detail: row.get(5),
        program_version: row.get(6),
        created_at: at(row.get(7)),
        resolved_at: row.get::<_, Option<i64>>(8).map(at),
        resolution: row.get(9),
        why: row.get(10),
        message_key: key.map(|key| String::from_utf8_lossy(key).into_owned()),
        payload_bytes: row.get(12),
    }
}
