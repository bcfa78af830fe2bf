//! What the sink asks of Kafka: two traits, so that tests can answer in its place.

use std::collections::HashMap;
use std::ops::Range;

use futures_util::future::BoxFuture;
use pulseline_runtime::batch::Limits;
use rdkafka::error::{KafkaError, KafkaResult};
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use crate::entry::End;
use crate::error::{Reply, SinkError};
use crate::gaps::OfTopic;
use crate::source::{Partition, Raw, SourceTopic};
use crate::statistics::StatsSnapshot;

/// What the sink asks of the brokers outside its group.
pub(crate) trait Broker: Send + Sync {
    /// Kafka's ids of these topics; topics that do not exist are left out.
    fn topic_ids(&self, topics: Vec<String>) -> Reply<'_, HashMap<String, Uuid>>;

    /// Log start and last stable offset of a partition.
    fn watermarks(&self, partition: Partition) -> Reply<'_, Range<i64>>;

    /// The log start of each of these partitions.
    fn starts(&self, partitions: Vec<Partition>) -> Reply<'_, HashMap<Partition, i64>>;

    /// The last stable offset of each of these partitions.
    fn ends(&self, partitions: Vec<Partition>) -> Reply<'_, HashMap<Partition, i64>>;

    /// Reads the gaps of one topic again, and returns the positions that hold a message after all.
    fn read_again(&self, source: SourceTopic, gaps: OfTopic) -> Reply<'_, Vec<(Partition, i64)>>;

    /// Reads messages from the first offset on, as many as a batch holds; none when there are none before the end.
    fn read(&self, partition: Partition, offsets: Range<i64>, limits: Limits) -> Reply<'_, Vec<Raw>>;
}

/// A member of the sink's consumer group.
pub(crate) trait GroupConsumer: Send + Sync {
    /// Waits until brokers and client reject each other.
    fn refused(&self) -> BoxFuture<'_, SinkError>;

    /// The next message; none at the end of a partition. Polling serves the group too. Cancel-safe.
    fn recv(&self) -> BoxFuture<'_, Result<Option<Raw>, KafkaError>>;

    /// What the group has committed for these partitions.
    fn committed(&self, partitions: Vec<Partition>) -> Reply<'_, HashMap<Partition, Committed>>;

    /// Takes partitions, each at its offset: beside the current ones when incremental, else in their place.
    fn assign(&self, starts: &[(Partition, i64)], is_incremental: bool) -> KafkaResult<()>;

    /// Gives partitions back: these when incremental, else all.
    fn unassign(&self, partitions: &[Partition], is_incremental: bool) -> KafkaResult<()>;

    /// Pauses or resumes partitions.
    fn set_paused(&self, partitions: &[Partition], is_paused: bool) -> KafkaResult<()>;

    /// Hands over durable ends, which the client commits in the background (D-1).
    fn store_offsets(&self, ends: &[(Partition, &End)]) -> KafkaResult<()>;

    /// Commits what was stored, and waits for the answer. An error is recorded; the next commit includes the offsets.
    fn commit(&self) -> Reply<'_, ()>;

    /// Leaves the group and joins it again.
    fn subscribe_again(&self) -> Result<(), SinkError>;
}

/// What the group had committed for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Committed {
    pub(crate) offset: i64,
    /// The topic id that the offset belongs to; empty when another program committed the offset.
    pub(crate) topic_id: String,
}

/// A rebalance request. The group waits until the consumer's assignment has changed accordingly.
#[derive(Debug)]
pub(crate) struct Rebalance {
    pub(crate) kind: RebalanceKind,
    pub(crate) partitions: Vec<Partition>,
    /// True when the request changes the assignment, false when it replaces it.
    pub(crate) is_incremental: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RebalanceKind {
    Assign,
    Revoke,
    /// The partitions were revoked already: other members may be reading them.
    Lost,
}

/// What the consumer reports, besides messages.
#[derive(Debug)]
pub(crate) struct Channels {
    pub(crate) rebalances: mpsc::Receiver<Rebalance>,
    pub(crate) stats: watch::Receiver<StatsSnapshot>,
}
