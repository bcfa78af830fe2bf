//! Flushes a batch into MongoDB. A batch is durable once a majority acknowledged all of it (D-1).
//!
//! ```text
//!  is it still the same topic? ─▶ without the erased ─▶ gaps: lost, or proven empty ─▶ events by stream ─▶ dead letters, receipts
//!    ─▶ erased meanwhile? ─▶ durable
//! ```

mod dead_letters;
mod erasure;
mod events;
mod gaps;

use std::collections::{BTreeSet, HashMap};

use pulseline_runtime::waits::Hop;
use pulseline_schemas::Stream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::context::Context;
use crate::dead_letters::DeadLetter;
use crate::entry::{Batch, BatchEntry, End, Pending};
use crate::error::SinkError;
use crate::gaps::Gap;
use crate::metrics::{self, Tally};
use crate::source::Partition;

pub(crate) use gaps::{Examined, examine_trailing_gap};

/// How a flush ended.
#[derive(Debug)]
pub(crate) enum FlushOutcome {
    /// Everything up to these ends is durable.
    Durable(HashMap<Partition, End>),
    /// A topic was deleted or recreated while the sink held its messages. Nothing was written, because the messages may
    /// come from either topic.
    TopicChanged(String),
}

/// Writes a batch.
pub(crate) async fn flush_batch(context: Context, mut batch: Batch) -> Result<FlushOutcome, SinkError> {
    let started_at = Instant::now();
    if let Some(topic) = changed_topic(&context, &batch.ends).await? {
        return Ok(FlushOutcome::TopicChanged(topic));
    }
    let mut tally = Tally {
        rows: batch.entries.len(),
        bytes: batch.bytes,
        ..Tally::default()
    };
    let tombstones = context.erasures.known().await;
    let (refused, kept) = erasure::refuse(&mut batch.entries, &tombstones);
    erasure::settle(&context, refused).await?;
    let Sorted {
        events,
        mut dead_letters,
        gaps,
    } = sort(batch.entries);
    let mut receipts = gaps::prove(&context, gaps).await?;
    let mut settling = JoinSet::new();
    for (stream, pending) in events {
        settling.spawn(events::store(context.clone(), stream, pending));
    }
    // All are awaited, even after an error: a driver's future must not be dropped halfway.
    for settled in settling.join_all().await {
        let settled = settled?;
        tally.stored.insert(settled.stream, settled.stored);
        tally.retries.insert(settled.stream, settled.retries);
        tally
            .duplicates
            .insert(settled.stream, settled.receipts.len() as u64);
        receipts.extend(settled.receipts);
        dead_letters.extend(settled.dead_letters);
    }
    receipts.extend(dead_letters::store(&context, &dead_letters).await?);
    gaps::store_receipts(&context, receipts).await?;
    erasure::check_again(&context, kept).await?;
    metrics::record_batch(&tally, started_at.elapsed(), context.clock.now_utc_millis());
    Ok(FlushOutcome::Durable(batch.ends))
}

/// The entries of a batch, grouped by how they are stored.
#[derive(Default)]
struct Sorted {
    events: HashMap<Stream, Vec<Pending>>,
    dead_letters: Vec<DeadLetter>,
    /// (partition, incarnation, range, whether it is proven already).
    gaps: Vec<(Partition, i32, Gap, bool)>,
}

fn sort(entries: Vec<BatchEntry>) -> Sorted {
    let mut sorted = Sorted::default();
    for entry in entries {
        match entry {
            BatchEntry::Event(pending) => sorted.events.entry(pending.stream).or_default().push(*pending),
            BatchEntry::DeadLetter(dead_letter) => sorted.dead_letters.push(*dead_letter),
            BatchEntry::Gap {
                partition,
                incarnation,
                gap,
                is_proven,
            } => sorted.gaps.push((partition, incarnation, gap, is_proven)),
        }
    }
    sorted
}

/// The first topic whose id changed since it was read, if any. Messages read before this question come
/// from the topic that answers, because Kafka never uses an id twice.
async fn changed_topic(
    context: &Context,
    ends: &HashMap<Partition, End>,
) -> Result<Option<String>, SinkError> {
    let topics: BTreeSet<&'static str> = ends.keys().map(|partition| partition.source.topic()).collect();
    if topics.is_empty() {
        return Ok(None);
    }
    let topics: Vec<String> = topics.into_iter().map(str::to_owned).collect();
    let ask = || context.broker.topic_ids(topics.clone());
    let ids = context.outages.outlast(Hop::Kafka, "topic ids", ask).await?;
    let changed = ends.iter().find(|(partition, end)| {
        ids.get(partition.source.topic())
            .is_none_or(|id| id.to_string() != *end.identity.topic_id)
    });
    Ok(changed.map(|(partition, _)| partition.source.topic().to_owned()))
}
