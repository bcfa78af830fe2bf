//! Gaps into receipts: proven by a second reading, or reported as lost.

use std::collections::BTreeMap;

use bson::RawDocumentBuf;
use pulseline_clients::mongo::Fault;
use pulseline_schemas::collections::RECEIPTS;

use crate::assignment::watermarks;
use crate::consumer::blocking;
use crate::error::SinkError;
use crate::gaps::{self, Gap, Split};
use crate::metrics;
use crate::outage::Server;
use crate::receipts::Receipt;
use crate::service::Context;
use crate::source::Partition;
use crate::store::Store;

/// Messages that are named when a gap turns out not to be one.
const NAMED: usize = 10;

/// What a look at the tail of a partition showed.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) partition: Partition,
    /// The tail that was looked at.
    pub(crate) tail: Gap,
    pub(crate) lost: Option<Gap>,
    /// Where there is nothing; none when messages were on their way after all.
    pub(crate) void: Option<Gap>,
}

/// Looks at the tail of a partition: offsets before its end for which no message came.
pub(crate) async fn examine_tail(
    context: Context,
    partition: Partition,
    tail: Gap,
) -> Result<Examined, SinkError> {
    let log = watermarks(&context, partition).await?;
    let Split { lost, candidate } = gaps::split(tail, log.start);
    let void = match candidate {
        Some(gap) => read_again(&context, partition, vec![gap])
            .await?
            .is_empty()
            .then_some(gap),
        None => None,
    };
    Ok(Examined {
        partition,
        tail,
        lost,
        void,
    })
}

/// Turns the gaps of a batch into receipts; what is lost gets none. Gaps are given as
/// (partition, generation, range, whether it is proven already).
pub(super) async fn prove(
    context: &Context,
    gaps: Vec<(Partition, i32, Gap, bool)>,
) -> Result<Vec<Receipt>, SinkError> {
    let mut receipts = Vec::with_capacity(gaps.len());
    let mut receipt = |partition: Partition, generation, gap: Gap| {
        metrics::record_void(partition, gap);
        receipts.push(Receipt::void(partition.position(generation, gap.from), gap));
    };
    let mut unproven: BTreeMap<(Partition, i32), Vec<Gap>> = BTreeMap::new();
    for (partition, generation, gap, is_proven) in gaps {
        if is_proven {
            receipt(partition, generation, gap);
        } else {
            unproven.entry((partition, generation)).or_default().push(gap);
        }
    }
    for ((partition, generation), gaps) in unproven {
        // Read after the jumps: what was deleted before we came to it is below it now.
        let log = watermarks(context, partition).await?;
        let mut candidates = Vec::with_capacity(gaps.len());
        for gap in gaps {
            let Split { lost, candidate } = gaps::split(gap, log.start);
            if let Some(lost) = lost {
                metrics::record_loss(partition, lost);
            }
            candidates.extend(candidate);
        }
        let mut offsets = read_again(context, partition, candidates.clone()).await?;
        if !offsets.is_empty() {
            offsets.truncate(NAMED);
            return Err(SinkError::PassedOver {
                partition: partition.to_string(),
                offsets,
            });
        }
        for gap in candidates {
            receipt(partition, generation, gap);
        }
    }
    Ok(receipts)
}

async fn read_again(
    context: &Context,
    partition: Partition,
    mut gaps: Vec<Gap>,
) -> Result<Vec<i64>, SinkError> {
    gaps.sort_unstable_by_key(|gap| gap.from);
    let patience = context.config.request_timeout();
    let read = || {
        let (settings, gaps) = (context.second_reader.clone(), gaps.clone());
        blocking(move || gaps::read_again(&settings, partition, &gaps, patience))
    };
    context
        .outages
        .outlast(Server::Kafka, "reading a gap again", read)
        .await
}

/// Stores receipts. One that begins where another begins covers only what that one leaves.
pub(super) async fn store_receipts(context: &Context, receipts: Vec<Receipt>) -> Result<(), SinkError> {
    let mut left = receipts;
    while !left.is_empty() {
        let now = context.clock.now_utc_millis();
        let documents: Vec<RawDocumentBuf> = left.iter().map(|receipt| receipt.to_document(now)).collect();
        let attempt = || attempt(&context.store, &left, &documents);
        let rest = context
            .outages
            .outlast(Server::Mongo, "storing receipts", attempt)
            .await?;
        left = rest;
    }
    Ok(())
}

async fn attempt(
    store: &Store,
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
