//! Turns gaps into receipts: proven empty by a second read, or reported as lost.

use std::collections::BTreeMap;

use bson::RawDocumentBuf;
use pulseline_clients::mongo::Fault;
use pulseline_runtime::waits::Hop;
use pulseline_schemas::collections::RECEIPTS;
use tokio::task::JoinSet;

use crate::assignment::watermarks;
use crate::context::Context;
use crate::error::SinkError;
use crate::event_store::EventStore;
use crate::gaps::{self, Gap, OfTopic, Split};
use crate::metrics;
use crate::receipts::Receipt;
use crate::source::{Partition, SourceTopic};

/// How many messages are named when a gap turns out to hold some.
const NAMED: usize = 10;

/// The result of examining a trailing gap.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) partition: Partition,
    /// The trailing gap that was examined.
    pub(crate) trailing_gap: Gap,
    pub(crate) lost: Option<Gap>,
    /// The empty offsets; none when messages were still in transit.
    pub(crate) proven: Option<Gap>,
}

/// Examines a trailing gap: offsets before the end of a partition for which no message came.
pub(crate) async fn examine_trailing_gap(
    context: Context,
    partition: Partition,
    trailing_gap: Gap,
) -> Result<Examined, SinkError> {
    let log = watermarks(&context, partition).await?;
    let Split { lost, candidate } = gaps::split(trailing_gap, log.start);
    let proven = match candidate {
        Some(gap) => {
            let gaps = BTreeMap::from([(partition, vec![gap])]);
            read_again(&context, gaps).await?.is_empty().then_some(gap)
        }
        None => None,
    };
    Ok(Examined {
        partition,
        trailing_gap,
        lost,
        proven,
    })
}

/// Turns the gaps of a batch into receipts; lost offsets get none. Gaps are given as
/// (partition, incarnation, range, whether it is proven already).
pub(super) async fn prove(
    context: &Context,
    gaps: Vec<(Partition, i32, Gap, bool)>,
) -> Result<Vec<Receipt>, SinkError> {
    let mut receipts = Vec::with_capacity(gaps.len());
    let mut receipt = |partition: Partition, incarnation, gap: Gap| {
        metrics::record_gap(partition, gap);
        receipts.push(Receipt::void(partition.position(incarnation, gap.from), gap));
    };
    let mut unproven: BTreeMap<Partition, Vec<Gap>> = BTreeMap::new();
    let mut incarnations = BTreeMap::new();
    for (partition, incarnation, gap, is_proven) in gaps {
        if is_proven {
            receipt(partition, incarnation, gap);
        } else {
            // All entries of one batch share a partition's incarnation.
            incarnations.insert(partition, incarnation);
            unproven.entry(partition).or_default().push(gap);
        }
    }
    if unproven.is_empty() {
        return Ok(receipts);
    }
    // The log starts are read after the jumps: offsets deleted before they were read are below them now.
    let ask = || context.broker.starts(unproven.keys().copied().collect());
    let what = "where partitions begin";
    let starts = context.outages.outlast(Hop::Kafka, what, ask).await?;
    let mut candidates: BTreeMap<Partition, Vec<Gap>> = BTreeMap::new();
    for (partition, gaps) in unproven {
        let Some(log_start) = starts.get(&partition).copied() else {
            let topic = partition.source.topic().to_owned();
            return Err(SinkError::NoTopic { topic });
        };
        for gap in gaps {
            let Split { lost, candidate } = gaps::split(gap, log_start);
            if let Some(lost) = lost {
                metrics::record_loss(partition, lost);
            }
            candidates.entry(partition).or_default().extend(candidate);
        }
    }
    let found = read_again(context, candidates.clone()).await?;
    if let Some((partition, _)) = found.first() {
        let of_it = found.iter().filter(|(other, _)| other == partition);
        return Err(SinkError::PassedOver {
            partition: partition.to_string(),
            offsets: of_it.map(|(_, offset)| *offset).take(NAMED).collect(),
        });
    }
    for (partition, gaps) in candidates {
        let incarnation = incarnations.get(&partition).copied().unwrap_or_default();
        gaps.into_iter()
            .for_each(|gap| receipt(partition, incarnation, gap));
    }
    Ok(receipts)
}

/// Reads gaps again, topics concurrently; returns the positions that hold a message after all.
async fn read_again(
    context: &Context,
    gaps: BTreeMap<Partition, Vec<Gap>>,
) -> Result<Vec<(Partition, i64)>, SinkError> {
    let mut topics: BTreeMap<SourceTopic, OfTopic> = BTreeMap::new();
    for (partition, mut gaps) in gaps {
        gaps.sort_unstable_by_key(|gap| gap.from);
        let topic = topics.entry(partition.source).or_default();
        topic.insert(partition.number, gaps);
    }
    let mut reading = JoinSet::new();
    for (source, gaps) in topics {
        let context = context.clone();
        reading.spawn(async move {
            let read = || context.broker.read_again(source, gaps.clone());
            let what = "reading gaps again";
            context.outages.outlast(Hop::Kafka, what, read).await
        });
    }
    let mut found = Vec::new();
    for read in reading.join_all().await {
        found.extend(read?);
    }
    Ok(found)
}

/// Stores receipts. When a receipt with the same start exists, the new one covers only the rest.
pub(super) async fn store_receipts(context: &Context, receipts: Vec<Receipt>) -> Result<(), SinkError> {
    let mut left = receipts;
    while !left.is_empty() {
        let now = context.clock.now_utc_millis();
        let documents: Vec<RawDocumentBuf> = left.iter().map(|receipt| receipt.to_document(now)).collect();
        let attempt = || attempt(&*context.store, &left, &documents);
        let rest = context
            .outages
            .outlast(Hop::Mongo, "storing receipts", attempt)
            .await?;
        left = rest;
    }
    Ok(())
}

async fn attempt(
    store: &dyn EventStore,
    receipts: &[Receipt],
    documents: &[RawDocumentBuf],
) -> Result<Vec<Receipt>, SinkError> {
    let mut rest = Vec::new();
    for failure in store.insert(RECEIPTS, documents).await? {
        let Some(receipt) = receipts.get(failure.index) else {
            continue;
        };
        if failure.fault != Fault::Duplicate {
            let (code, message) = (failure.code, failure.message);
            return Err(SinkError::Write {
                collection: RECEIPTS,
                code,
                message,
            });
        }
        let Some(holder) = store.find_at(RECEIPTS, &receipt.position).await? else {
            return Err(SinkError::Unsettled { collection: RECEIPTS });
        };
        let covered = holder
            .get_document("kafka")
            .and_then(|kafka| kafka.get_i64("last_offset"));
        rest.extend(receipt.beyond(covered.map_err(SinkError::foreign(RECEIPTS))?));
    }
    Ok(rest)
}
