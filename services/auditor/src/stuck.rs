//! A stuck partition: messages are in flight, and none of them arrives.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::kafka::Partition;

/// Shortest wait that shows a partition is stuck: longer than a restart of a service takes.
const WAITED_MIN: Duration = Duration::from_secs(20);

/// Messages of a partition that are on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OnItsWay {
    /// The first offset of them.
    pub(crate) from: i64,
    pub(crate) count: i64,
}

/// A partition none of whose waiting messages arrived while `verify` waited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Kafka topic.
    pub topic: String,
    /// Kafka partition.
    pub partition: i32,
    /// The first offset that is waited for.
    pub from: i64,
    /// Messages that are waited for.
    pub count: i64,
    /// How long none of them came.
    pub waited: Duration,
}

impl fmt::Display for Stuck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, count, from) = (self.waited.as_secs(), self.count, self.from);
        write!(
            f,
            "{}/{}: none of {count} messages from offset {from} on was accounted for in {seconds} s",
            self.topic, self.partition
        )
    }
}

impl Serialize for Stuck {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Partitions with as many messages in flight at the end of the wait as at its beginning.
pub(crate) fn stuck(
    first: &BTreeMap<Partition, OnItsWay>,
    last: &BTreeMap<Partition, OnItsWay>,
    waited: Duration,
) -> Vec<Stuck> {
    if waited < WAITED_MIN {
        return Vec::new();
    }
    let stands = |(partition, _): &(&Partition, &OnItsWay)| first.get(*partition) == last.get(*partition);
    last.iter()
        .filter(stands)
        .map(|((topic, partition), OnItsWay { from, count })| Stuck {
            topic: topic.clone(),
            partition: *partition,
            from: *from,
            count: *count,
            waited,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_stuck_if_it_waits_without_progress() {
        let waits = |parts: &[(i32, i64, i64)]| -> BTreeMap<Partition, OnItsWay> {
            let one = |(partition, from, count): &(i32, i64, i64)| {
                let on_its_way = OnItsWay {
                    from: *from,
                    count: *count,
                };
                (("fitbit.steps".to_owned(), *partition), on_its_way)
            };
            parts.iter().map(one).collect()
        };
        // The first one moves, the second one is stuck, the third one arrived.
        let (first, last) = (
            waits(&[(0, 5, 5), (1, 7, 2), (2, 1, 1)]),
            waits(&[(0, 6, 4), (1, 7, 2)]),
        );
        let found = stuck(&first, &last, Duration::from_secs(30));
        assert_eq!(
            found.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["fitbit.steps/1: none of 2 messages from offset 7 on was accounted for in 30 s"]
        );
        // A short wait shows nothing.
        assert!(stuck(&first, &last, Duration::from_secs(5)).is_empty());
    }
}
