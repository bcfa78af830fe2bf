//! What a sink asks of the cluster in memory.

use std::collections::HashMap;
use std::ops::Range;

use futures_util::future::BoxFuture;
use pulseline_clients::kafka::KafkaFailure;
use pulseline_runtime::batch::Limits;
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaErrorCode as Code;
use uuid::Uuid;

use super::kafka::{Call, Cluster, Log, Reading, ScriptedKafka, raw};
use crate::broker::{Broker, Committed, GroupConsumer};
use crate::entry::End;
use crate::error::{Reply, SinkError};
use crate::gaps::OfTopic;
use crate::source::{Partition, Raw, SourceTopic};

/// A bound of each of these partitions.
fn of_logs(
    cluster: &Cluster,
    partitions: &[Partition],
    which: impl Fn(&Log) -> i64,
) -> HashMap<Partition, i64> {
    let of = |partition: &Partition| (*partition, which(&cluster.logs[partition]));
    partitions.iter().map(of).collect()
}

impl Broker for ScriptedKafka {
    fn topic_ids(&self, topics: Vec<String>) -> Reply<'_, HashMap<String, Uuid>> {
        Box::pin(self.script.play(Call::TopicIds, move || {
            self.peek(|cluster| {
                let known = cluster.topic_ids.iter();
                let named = known.map(|(source, id)| (source.topic().to_owned(), *id));
                named.filter(|(topic, _)| topics.contains(topic)).collect()
            })
        }))
    }

    fn watermarks(&self, partition: Partition) -> Reply<'_, Range<i64>> {
        Box::pin(self.script.play(Call::Watermarks, move || {
            self.peek(|cluster| {
                let log = &cluster.logs[&partition];
                log.start..log.end
            })
        }))
    }

    fn starts(&self, partitions: Vec<Partition>) -> Reply<'_, HashMap<Partition, i64>> {
        let starts = move || self.peek(|cluster| of_logs(cluster, &partitions, |log| log.start));
        Box::pin(self.script.play(Call::Starts, starts))
    }

    fn ends(&self, partitions: Vec<Partition>) -> Reply<'_, HashMap<Partition, i64>> {
        let ends = move || self.peek(|cluster| of_logs(cluster, &partitions, |log| log.end));
        Box::pin(self.script.play(Call::Ends, ends))
    }

    fn read_again(&self, source: SourceTopic, gaps: OfTopic) -> Reply<'_, Vec<(Partition, i64)>> {
        Box::pin(self.script.play(Call::ReadAgain, move || {
            self.peek(|cluster| {
                let mut found = Vec::new();
                for (number, gaps) in gaps {
                    let partition = Partition { source, number };
                    let offsets = cluster.logs[&partition].payloads.keys();
                    let within_gaps = offsets.filter(|offset| gaps.iter().any(|gap| gap.contains(**offset)));
                    found.extend(within_gaps.map(|offset| (partition, *offset)));
                }
                found
            })
        }))
    }

    fn read(&self, partition: Partition, offsets: Range<i64>, limits: Limits) -> Reply<'_, Vec<Raw>> {
        let read = move |cluster: &Cluster| {
            let messages = cluster.logs[&partition].payloads.range(offsets);
            let raws = messages.map(|(offset, payload)| raw(partition, *offset, payload));
            Ok(raws.take(limits.batch_rows).collect())
        };
        Box::pin(async move { self.peek(read) })
    }
}

impl GroupConsumer for ScriptedKafka {
    fn refused(&self) -> BoxFuture<'_, SinkError> {
        let mut cluster = self.cluster.subscribe();
        Box::pin(async move {
            let refused = cluster.wait_for(|cluster| cluster.refusal.is_some()).await;
            let reason = refused.unwrap().refusal.clone();
            SinkError::from(KafkaFailure::Refused(reason.unwrap()))
        })
    }

    fn recv(&self) -> BoxFuture<'_, Result<Option<Raw>, KafkaError>> {
        let mut cluster = self.cluster.subscribe();
        Box::pin(async move {
            loop {
                let mut received = None;
                self.cluster.send_if_modified(|cluster| {
                    received = cluster.poll();
                    received.is_some()
                });
                if let Some(received) = received {
                    return received;
                }
                cluster.changed().await.unwrap();
            }
        })
    }

    fn committed(&self, partitions: Vec<Partition>) -> Reply<'_, HashMap<Partition, Committed>> {
        Box::pin(self.script.play(Call::Committed, move || {
            self.peek(|cluster| {
                let committed = cluster.committed.clone().into_iter();
                committed
                    .filter(|(partition, _)| partitions.contains(partition))
                    .collect()
            })
        }))
    }

    fn assign(&self, starts: &[(Partition, i64)], is_incremental: bool) -> KafkaResult<()> {
        self.change(|cluster| {
            if !is_incremental {
                cluster.reading.clear();
            }
            for (partition, next) in starts {
                let reading = Reading {
                    next: *next,
                    is_paused: false,
                };
                cluster.reading.insert(*partition, reading);
            }
            cluster.begun.extend(starts);
        });
        Ok(())
    }

    fn unassign(&self, partitions: &[Partition], is_incremental: bool) -> KafkaResult<()> {
        self.change(|cluster| {
            let is_kept = |partition: &Partition| is_incremental && !partitions.contains(partition);
            cluster.reading.retain(|partition, _| is_kept(partition));
        });
        Ok(())
    }

    fn set_paused(&self, partitions: &[Partition], is_paused: bool) -> KafkaResult<()> {
        self.change(|cluster| {
            for (partition, reading) in &mut cluster.reading {
                if partitions.contains(partition) {
                    reading.is_paused = is_paused;
                }
            }
        });
        Ok(())
    }

    fn store_offsets(&self, ends: &[(Partition, &End)]) -> KafkaResult<()> {
        self.change(|cluster| {
            for (partition, end) in ends {
                if !cluster.is_assigned(*partition) {
                    return Err(KafkaError::StoreOffset(Code::State));
                }
                let stored = Committed {
                    offset: end.next,
                    topic_id: end.identity.topic_id.as_ref().to_owned(),
                };
                cluster.stored.insert(*partition, stored);
            }
            Ok(())
        })
    }

    fn commit(&self) -> Reply<'_, ()> {
        Box::pin(self.script.play(Call::Commit, move || {
            self.change(|cluster| cluster.committed.extend(cluster.stored.clone()));
        }))
    }

    fn subscribe_again(&self) -> Result<(), SinkError> {
        self.change(|cluster| {
            cluster.reading.clear();
            cluster.rejoined += 1;
        });
        Ok(())
    }
}
