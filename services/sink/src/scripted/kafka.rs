//! Kafka in memory: topics, one consumer group, and its one member.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;
use tokio::sync::{mpsc, watch};
use uuid::Uuid;

use super::script::{Script, within};
use crate::broker::{Channels, Committed, Rebalance, RebalanceKind};
use crate::error::SinkError;
use crate::source::{Partition, Raw, SourceTopic};
use crate::statistics::{PartitionStats, StatsSnapshot};

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    TopicIds,
    Watermarks,
    Starts,
    Ends,
    ReadAgain,
    Committed,
    Commit,
}

/// The messages of a partition.
#[derive(Default)]
pub(super) struct Log {
    pub(super) start: i64,
    pub(super) end: i64,
    pub(super) payloads: BTreeMap<i64, Vec<u8>>,
    /// Messages that only a second reading finds.
    passed_over: BTreeSet<i64>,
}

/// Where the member reads a partition.
pub(super) struct Reading {
    pub(super) next: i64,
    pub(super) is_paused: bool,
}

/// The state of the cluster.
#[derive(Default)]
pub(crate) struct Cluster {
    pub(super) topic_ids: HashMap<SourceTopic, Uuid>,
    pub(super) logs: BTreeMap<Partition, Log>,
    pub(super) reading: BTreeMap<Partition, Reading>,
    /// Errors that the next polls report.
    errors: VecDeque<KafkaError>,
    pub(super) refusal: Option<String>,
    /// Each position at which reading began.
    pub(crate) begun: Vec<(Partition, i64)>,
    /// What the member handed over to be committed.
    pub(crate) stored: BTreeMap<Partition, Committed>,
    pub(crate) committed: BTreeMap<Partition, Committed>,
    /// How often the member left the group to join it again.
    pub(crate) rejoined: u32,
}

impl Cluster {
    pub(crate) fn is_assigned(&self, partition: Partition) -> bool {
        self.reading.contains_key(&partition)
    }

    pub(crate) fn is_paused(&self, partition: Partition) -> bool {
        self.reading
            .get(&partition)
            .is_some_and(|reading| reading.is_paused)
    }

    /// The offset that was handed over to be committed.
    pub(crate) fn stored_at(&self, partition: Partition) -> Option<i64> {
        self.stored.get(&partition).map(|stored| stored.offset)
    }

    pub(crate) fn committed_at(&self, partition: Partition) -> Option<i64> {
        self.committed.get(&partition).map(|committed| committed.offset)
    }

    pub(super) fn poll(&mut self) -> Option<Result<Option<Raw>, KafkaError>> {
        if let Some(error) = self.errors.pop_front() {
            return Some(Err(error));
        }
        let unpaused = self.reading.iter_mut().filter(|(_, reading)| !reading.is_paused);
        for (partition, reading) in unpaused {
            let log = self.logs.get(partition)?;
            let mut messages = log.payloads.range(reading.next..);
            let next = messages.find(|(offset, _)| !log.passed_over.contains(offset));
            if let Some((offset, payload)) = next {
                reading.next = offset + 1;
                return Some(Ok(Some(raw(*partition, *offset, payload))));
            }
        }
        None
    }
}

pub(super) fn raw(partition: Partition, offset: i64, payload: &[u8]) -> Raw {
    Raw {
        partition,
        offset,
        key: Some(b"a device".to_vec()),
        payload: Some(payload.to_vec()),
        headers: Vec::new(),
    }
}

/// A cluster that follows a script.
pub(crate) struct ScriptedKafka {
    pub(crate) script: Script<Call>,
    pub(super) cluster: watch::Sender<Cluster>,
    member: Mutex<Option<(mpsc::Sender<Rebalance>, watch::Sender<StatsSnapshot>)>>,
}

impl ScriptedKafka {
    pub(super) fn new() -> Self {
        let outage = || SinkError::kafka("scripted")(KafkaError::MetadataFetch(Code::AllBrokersDown));
        Self {
            script: Script::new(outage),
            cluster: watch::Sender::new(Cluster::default()),
            member: Mutex::default(),
        }
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Cluster) -> T) -> T {
        let mut changed = None;
        self.cluster
            .send_modify(|cluster| changed = Some(change(cluster)));
        changed.unwrap()
    }

    /// What is so now.
    pub(crate) fn peek<T>(&self, peek: impl FnOnce(&Cluster) -> T) -> T {
        peek(&self.cluster.borrow())
    }

    /// Waits until something is so.
    #[track_caller]
    pub(crate) fn until<F>(&self, what: &str, is_so: F) -> impl Future<Output = ()> + use<F>
    where
        F: FnMut(&Cluster) -> bool,
    {
        let mut cluster = self.cluster.subscribe();
        within(
            what,
            async move { cluster.wait_for(is_so).await.map(drop).unwrap() },
        )
    }

    /// Creates a topic, in place of one of this name.
    pub(crate) fn create_topic(&self, source: SourceTopic) {
        self.change(|cluster| {
            cluster.topic_ids.insert(source, Uuid::new_v4());
            cluster.logs.retain(|partition, _| partition.source != source);
            for number in 0..2 {
                cluster.logs.insert(Partition { source, number }, Log::default());
            }
        });
    }

    /// Kafka's id of the topic.
    pub(crate) fn topic_id(&self, source: SourceTopic) -> String {
        self.peek(|cluster| cluster.topic_ids[&source].to_string())
    }

    fn change_log(&self, partition: Partition, change: impl FnOnce(&mut Log)) {
        self.change(|cluster| change(cluster.logs.get_mut(&partition).unwrap()));
    }

    pub(crate) fn produce(&self, partition: Partition, payload: Vec<u8>) {
        self.change_log(partition, |log| {
            log.payloads.insert(log.end, payload);
            log.end += 1;
        });
    }

    /// The offset of the next message.
    pub(crate) fn end(&self, partition: Partition) -> i64 {
        self.peek(|cluster| cluster.logs[&partition].end)
    }

    /// Adds a message that the consumer passes over, and that a second reading finds.
    pub(crate) fn pass_over(&self, partition: Partition, payload: Vec<u8>) {
        self.change_log(partition, |log| {
            log.passed_over.insert(log.end);
        });
        self.produce(partition, payload);
    }

    /// Adds offsets without messages: control records, or records of an aborted transaction.
    pub(crate) fn leave_out(&self, partition: Partition, count: i64) {
        self.change_log(partition, |log| log.end += count);
    }

    /// Deletes what lies before an offset.
    pub(crate) fn trim(&self, partition: Partition, start: i64) {
        self.change_log(partition, |log| {
            log.start = start;
            log.payloads.retain(|offset, _| *offset >= start);
        });
    }

    /// Loses what lies at or after an offset.
    pub(crate) fn truncate(&self, partition: Partition, end: i64) {
        self.change_log(partition, |log| {
            log.end = end;
            log.payloads.retain(|offset, _| *offset < end);
        });
    }

    /// Commits an offset by hand, as the group's tools do.
    pub(crate) fn commit_by_hand(&self, partition: Partition, offset: i64, topic_id: &str) {
        let topic_id = topic_id.to_owned();
        self.change(|cluster| {
            cluster
                .committed
                .insert(partition, Committed { offset, topic_id })
        });
    }

    /// A poll reports this error.
    pub(crate) fn report_error(&self, error: KafkaError) {
        self.change(|cluster| cluster.errors.push_back(error));
    }

    /// The brokers refuse the client.
    pub(crate) fn refuse(&self, reason: &str) {
        self.change(|cluster| cluster.refusal = Some(reason.to_owned()));
    }

    /// A member joins; the one before is gone, with what it had not committed.
    pub(crate) fn join(&self) -> Channels {
        let (rebalances, received) = mpsc::channel(16);
        let (stats, seen) = watch::channel(StatsSnapshot::default());
        *self.member.lock().unwrap() = Some((rebalances, stats));
        self.change(|cluster| {
            cluster.reading.clear();
            cluster.stored.clear();
        });
        Channels {
            rebalances: received,
            stats: seen,
        }
    }

    /// The group asks its member.
    pub(crate) fn rebalance(&self, kind: RebalanceKind, partitions: &[Partition]) {
        let rebalance = Rebalance {
            kind,
            partitions: partitions.to_vec(),
            is_incremental: true,
        };
        let member = self.member.lock().unwrap();
        member.as_ref().unwrap().0.try_send(rebalance).unwrap();
    }

    /// A second passes, and the client reports its statistics: where each partition that it reads ends.
    pub(crate) async fn a_second_passes(&self) {
        let partitions = self.peek(|cluster| {
            let logs = cluster.logs.iter();
            let assigned = logs.filter(|(partition, _)| cluster.is_assigned(**partition));
            assigned
                .map(|(partition, log)| PartitionStats {
                    partition: *partition,
                    end: log.end,
                    stable: log.end,
                })
                .collect()
        });
        let stats = StatsSnapshot {
            is_connected: true,
            partitions,
        };
        self.member
            .lock()
            .unwrap()
            .as_ref()
            .unwrap()
            .1
            .send_replace(stats);
        // With a paused clock the time passes once no task has anything left to do.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
