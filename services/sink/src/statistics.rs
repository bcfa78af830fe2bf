//! Partition ends from the Kafka client's statistics.

use rdkafka::Statistics;

use crate::source::{Partition, SourceTopic};

/// The client's statistics at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct StatsSnapshot {
    /// False while no broker is connected.
    pub(crate) is_connected: bool,
    pub(crate) partitions: Vec<PartitionStats>,
}

/// The statistics of one partition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PartitionStats {
    pub(crate) partition: Partition,
    /// Offset of the last end-of-partition event; negative before the first.
    pub(crate) end: i64,
    /// The last stable offset of the latest fetch; negative before the first.
    pub(crate) stable: i64,
}

impl StatsSnapshot {
    pub(crate) fn at(statistics: &Statistics) -> Self {
        let is_connected = statistics.brokers.values().any(|broker| broker.state == "UP");
        let mut partitions = Vec::new();
        for (topic, seen) in &statistics.topics {
            let Some(source) = SourceTopic::from_topic(topic) else {
                continue;
            };
            for (number, seen) in &seen.partitions {
                // Not a partition: the client's placeholder for messages without one.
                if *number < 0 {
                    continue;
                }
                partitions.push(PartitionStats {
                    partition: Partition {
                        source,
                        number: *number,
                    },
                    end: seen.eof_offset,
                    stable: seen.ls_offset,
                });
            }
        }
        Self {
            is_connected,
            partitions,
        }
    }
}
