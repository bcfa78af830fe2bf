//! Decides where reading a partition begins. Positions are explicit; deleted offsets are losses, never silent jumps (P2).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pulseline_runtime::waits::Hop;

use crate::broker::{Committed, GroupConsumer};
use crate::context::Context;
use crate::entry::TopicIncarnation;
use crate::error::SinkError;
use crate::gaps::Gap;
use crate::incarnations::{self, Bound};
use crate::source::Partition;

/// How often an end below the committed offset is read again: a starting broker may report it for a moment.
const TRUNCATED_ATTEMPTS: u32 = 20;
const TRUNCATED_PAUSE: Duration = Duration::from_millis(500);

/// Where reading begins, and what is lost before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    At {
        offset: i64,
        lost: Option<Gap>,
    },
    /// The partition ends before the committed offset.
    Truncated {
        committed: i64,
    },
}

/// Decides where reading begins: at the offset committed for this topic id, else at 0; never below the log start.
pub(crate) fn begin(committed: Option<&Committed>, bound: &Bound, log: std::ops::Range<i64>) -> Begin {
    let ours = committed.filter(|committed| {
        if committed.topic_id.is_empty() {
            // The offset was set by hand. For a topic seen for the first time, it was set for an earlier topic.
            !bound.is_new
        } else {
            committed.topic_id == *bound.identity.topic_id
        }
    });
    let wanted = ours.map_or(0, |committed| committed.offset);
    if wanted > log.end {
        return Begin::Truncated { committed: wanted };
    }
    Begin::At {
        offset: wanted.max(log.start),
        lost: Gap::between(wanted, log.start),
    }
}

/// A partition that is ready to be read.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    pub(crate) partition: Partition,
    pub(crate) identity: TopicIncarnation,
    pub(crate) offset: i64,
    /// The partition's end when it was assigned; the distance from the start is its lag.
    pub(crate) end: i64,
    pub(crate) lost: Option<Gap>,
}

/// Finds the incarnation and the start of each partition. It waits out outages.
pub(crate) async fn resolve(
    context: Context,
    consumer: Arc<dyn GroupConsumer>,
    partitions: Vec<Partition>,
) -> Result<Vec<Start>, SinkError> {
    let topics: BTreeSet<&'static str> = partitions
        .iter()
        .map(|partition| partition.source.topic())
        .collect();
    let topics: Vec<String> = topics.into_iter().map(str::to_owned).collect();
    let ids = || async {
        let ids = context.broker.topic_ids(topics.clone()).await?;
        match topics.iter().find(|topic| !ids.contains_key(*topic)) {
            Some(topic) => Err(SinkError::NoTopic { topic: topic.clone() }),
            None => Ok(ids),
        }
    };
    let ids = context.outages.outlast(Hop::Kafka, "topic ids", ids).await?;
    let now = context.clock.now_utc_millis();
    let bind = || incarnations::bind_all(&*context.store, &ids, now);
    let bound = context.outages.outlast(Hop::Mongo, "incarnations", bind).await?;
    let committed = || consumer.committed(partitions.clone());
    let committed = context
        .outages
        .outlast(Hop::Kafka, "committed offsets", committed)
        .await?;
    let mut starts = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let topic = partition.source.topic();
        let bound = bound.get(topic).ok_or_else(|| SinkError::NoTopic {
            topic: topic.to_owned(),
        })?;
        starts.push(start(&context, partition, bound, committed.get(&partition)).await?);
    }
    Ok(starts)
}

async fn start(
    context: &Context,
    partition: Partition,
    bound: &Bound,
    committed: Option<&Committed>,
) -> Result<Start, SinkError> {
    let mut attempts = 0;
    loop {
        let log = watermarks(context, partition).await?;
        match begin(committed, bound, log.clone()) {
            Begin::At { offset, lost } => {
                return Ok(Start {
                    partition,
                    identity: bound.identity.clone(),
                    offset,
                    end: log.end,
                    lost,
                });
            }
            Begin::Truncated { committed } => {
                attempts += 1;
                if attempts >= TRUNCATED_ATTEMPTS {
                    return Err(SinkError::Truncated {
                        partition: partition.to_string(),
                        committed,
                        end: log.end,
                    });
                }
                tracing::warn!(%partition, committed, end = log.end, "ends before the committed offset: asking again");
                tokio::time::sleep(TRUNCATED_PAUSE).await;
            }
        }
    }
}

/// Log start and last stable offset of a partition.
pub(crate) async fn watermarks(
    context: &Context,
    partition: Partition,
) -> Result<std::ops::Range<i64>, SinkError> {
    let ask = || context.broker.watermarks(partition);
    context
        .outages
        .outlast(Hop::Kafka, "ends of a partition", ask)
        .await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bound(is_new: bool) -> Bound {
        Bound {
            identity: TopicIncarnation {
                topic_id: Arc::from("new"),
                number: 1,
            },
            is_new,
        }
    }

    fn committed(offset: i64, topic_id: &str) -> Committed {
        Committed {
            offset,
            topic_id: topic_id.into(),
        }
    }

    #[test]
    fn reading_goes_on_where_it_was_committed_else_at_0() {
        let at = |offset| Begin::At { offset, lost: None };
        assert_eq!(begin(None, &bound(false), 0..9), at(0));
        assert_eq!(begin(Some(&committed(5, "new")), &bound(false), 0..9), at(5));
        assert_eq!(begin(Some(&committed(9, "new")), &bound(false), 3..9), at(9));
    }

    #[test]
    fn below_the_log_start_is_a_loss() {
        let lost = |from, to, offset| Begin::At {
            offset,
            lost: Some(Gap { from, to }),
        };
        assert_eq!(
            begin(Some(&committed(5, "new")), &bound(false), 7..9),
            lost(5, 6, 7)
        );
        assert_eq!(begin(None, &bound(false), 7..9), lost(0, 6, 7));
    }

    #[test]
    fn p_4_a_recreated_topic_begins_at_0_despite_offsets_committed_for_the_old_one() {
        let at_0 = Begin::At {
            offset: 0,
            lost: None,
        };
        for is_new in [true, false] {
            assert_eq!(begin(Some(&committed(5, "old")), &bound(is_new), 0..9), at_0);
            assert_eq!(begin(Some(&committed(50, "old")), &bound(is_new), 0..9), at_0);
        }
        assert_eq!(begin(Some(&committed(5, "")), &bound(true), 0..9), at_0);
        assert_eq!(
            begin(Some(&committed(5, "")), &bound(false), 0..9),
            Begin::At {
                offset: 5,
                lost: None
            }
        );
    }

    #[test]
    fn an_end_before_the_committed_offset_is_not_read_over() {
        let begun = begin(Some(&committed(10, "new")), &bound(false), 0..9);
        assert_eq!(begun, Begin::Truncated { committed: 10 });
    }

    proptest! {
        /// D-1, D-3: no offset at or after the committed one is skipped without being reported as lost.
        #[test]
        fn d_3_no_offset_is_skipped_unreported(offset in 0_i64..100, low in 0_i64..100, length in 0_i64..100) {
            match begin(Some(&committed(offset, "new")), &bound(false), low..low + length) {
                Begin::At { offset: first, lost } => {
                    prop_assert!(first >= low && first <= low + length.max(0).max(offset - low));
                    for passed in offset..first {
                        prop_assert!(lost.is_some_and(|lost| lost.contains(passed)));
                    }
                    prop_assert!(lost.is_none_or(|lost| lost.to < low && lost.from >= offset));
                }
                Begin::Truncated { committed } => prop_assert!(committed > low + length),
            }
        }
    }
}
