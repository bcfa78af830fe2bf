//! Repeats the compactor's refreshes as bare CALLs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio_postgres::{Client, SimpleQueryMessage};

/// Entries of the compactor's journal, in order.
const CALLS: &str = "select format('call refresh_continuous_aggregate(%L, timestamp %L, timestamp %L)', \
    relation, range_start, range_end) as call from ops.compactions where task = 'refresh' order by id";
const RELATIONS: &str =
    "select string_agg(distinct relation, ', ') from ops.compactions where task = 'refresh'";

/// Empties the continuous aggregates and fills them again, window by window as the compactor did.
pub(crate) async fn again(client: &Client) -> Result<Duration> {
    let calls = texts(client, CALLS).await?;
    ensure!(!calls.is_empty(), "the compactor refreshed nothing");
    let relations = texts(client, RELATIONS).await?;
    // Emptied ranges count as changed, so a refresh computes all of them.
    client
        .batch_execute(&format!("truncate {}", relations.join(", ")))
        .await?;
    let began = Instant::now();
    for call in calls {
        client.batch_execute(&call).await.with_context(|| call.clone())?;
    }
    Ok(began.elapsed())
}

async fn texts(client: &Client, sql: &str) -> Result<Vec<String>> {
    let messages = client.simple_query(sql).await?;
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    Ok(rows.collect())
}
