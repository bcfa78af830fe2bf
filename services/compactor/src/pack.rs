//! Packs chunks into the columnstore once they are old and quiet, and repacks chunks that changed since (P12).

use std::ops::Range;
use std::time::Instant;

use pulseline_sql::lease::Lease;
use pulseline_sql::periods::DayNumber;
use pulseline_sql::{Client, GenericClient};

use crate::config::CompactorConfig;
use crate::error::CompactorError;
use crate::locks::{is_passing, keep, reset_lock_timeout, set_short_lock_timeout};
use crate::metrics;
use crate::ops_tables::{self, NewEntry};

const DAY_MS: i64 = 86_400_000;
/// Newest first: recent data is read most.
const DUE: &str = "select stream, chunk, starts_on - date '1970-01-01', ends_on - date '1970-01-01', is_packed from ops.chunks \
    where (not is_packed or is_touched) and ends_on <= date '1970-01-01' + $1::int and not is_dirty \
        and (loaded_at is null or loaded_at < clock_timestamp() - $2::double precision * interval '1 second') \
    order by starts_on desc, stream limit $3";

/// A chunk to pack.
#[derive(Clone, Debug)]
pub(crate) struct Chunk {
    pub(crate) stream: String,
    chunk: String,
    pub(crate) days: Range<DayNumber>,
    pub(crate) is_packed: bool,
}

/// The chunks to pack, at most as many as one cycle packs.
pub(crate) async fn due(
    client: &Client,
    config: &CompactorConfig,
    now_utc_millis: i64,
) -> Result<Vec<Chunk>, CompactorError> {
    let today = i32::try_from(now_utc_millis.div_euclid(DAY_MS)).unwrap_or(i32::MAX);
    let horizon = today.saturating_sub(config.pack_after_days);
    let rows = client
        .query(DUE, &[&horizon, &config.quiet_seconds(), &config.pack_chunks])
        .await
        .map_err(CompactorError::sql("looking for chunks to pack"))?;
    Ok(rows
        .iter()
        .map(|row| Chunk {
            stream: row.get(0),
            chunk: row.get(1),
            days: row.get(2)..row.get(3),
            is_packed: row.get(4),
        })
        .collect())
}

/// Packs chunks; returns how many. A chunk that is locked or gone is left for a later cycle.
pub(crate) async fn pack(client: &Client, lease: &Lease, chunks: &[Chunk]) -> Result<usize, CompactorError> {
    if chunks.is_empty() {
        return Ok(0);
    }
    set_short_lock_timeout(client).await?;
    let mut packed = 0;
    for chunk in chunks {
        keep(client, lease).await?;
        let began = Instant::now();
        let call = format!("call convert_to_columnstore('{}')", chunk.chunk);
        match client.batch_execute(&call).await {
            Ok(()) => packed += 1,
            Err(error) if is_passing(error.code()) => {
                tracing::info!(chunk = chunk.chunk, %error, "the chunk was not packed: a later cycle tries again");
                continue;
            }
            Err(error) => return Err(CompactorError::sql("packing a chunk")(error)),
        }
        let entry = NewEntry {
            task: if chunk.is_packed { "repack" } else { "pack" },
            relation: &format!("raw.{}", chunk.stream),
            days: chunk.days.clone(),
            reason: if chunk.is_packed {
                "rows came after it was packed"
            } else {
                "old and quiet"
            }
            .to_owned(),
            rows: 1,
        };
        ops_tables::journal(client, &entry, began.elapsed()).await?;
        metrics::record_pack(began.elapsed());
    }
    reset_lock_timeout(client).await?;
    Ok(packed)
}
