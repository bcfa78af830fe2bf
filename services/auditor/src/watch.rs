//! Repeated status with every partition's ranges; tells loss from lag (P3).

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use futures_util::future::BoxFuture;
use pulseline_clients::mongo::{Database, SHARDS_HOLD_BACK, held_back};
use pulseline_runtime::clock::system_utc_millis;
use pulseline_sql::Client;
use tokio::time::timeout;

use crate::connections::AuditorConnections;
use crate::error::AuditError;
use crate::kafka::{self, Ends, Partition};
use crate::reconciliation::{EndsSnapshot, classify_missing, due, incarnation_of, margin};
use crate::status::{Known, Status, gathered, ops_tables};
use crate::warehouse::{Accounted, passed};

/// Snapshots that are remembered, and their distance: loss shows while the loader is less than five minutes behind.
const SNAPSHOTS: usize = 60;
const SNAPSHOTS_APART_MS: i64 = 5_000;
/// A server that takes longer counts as unreachable.
const PATIENCE: Duration = Duration::from_secs(15);
const PING: Duration = Duration::from_secs(3);

/// The result of one poll.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// What `status` says.
    pub status: Status,
    /// Every partition, by topic and number.
    pub ledgers: Vec<Ledger>,
    /// Contradictions between Kafka and the ops tables, as sentences.
    pub contradictions: Vec<String>,
}

impl View {
    /// Offsets that sink and loader have passed without accounting for them.
    #[must_use]
    pub fn lost(&self) -> i64 {
        let lost = self.ledgers.iter().flat_map(|ledger| &ledger.lost);
        lost.map(|range| range.end - range.start).sum()
    }

    /// Offsets that sink or loader have not reached yet.
    #[must_use]
    pub fn in_flight(&self) -> i64 {
        let in_flight = self.ledgers.iter().flat_map(|ledger| &ledger.in_flight);
        in_flight.map(|range| range.end - range.start).sum()
    }
}

/// What became of the offsets of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Kafka topic.
    pub topic: String,
    /// Kafka partition.
    pub partition: i32,
    /// Which incarnation of the topic.
    pub incarnation: i32,
    /// The first offset that was not produced yet.
    pub end: i64,
    /// The first offset that the sink has not committed.
    pub stored: i64,
    /// Every accounted offset.
    pub accounted: Vec<Range<i64>>,
    /// Of these: the same event stood at another offset already.
    pub duplicate: Vec<Range<i64>>,
    /// Of these: dead letters.
    pub dead: Vec<Range<i64>>,
    /// Lost: sink and loader have passed them without accounting for them.
    pub lost: Vec<Range<i64>>,
    /// Sink or loader have not reached them yet.
    pub in_flight: Vec<Range<i64>>,
}

/// Polls for many viewers. It remembers earlier snapshots, because only they tell loss from lag.
#[derive(Debug)]
pub struct Watch {
    connections: AuditorConnections,
    snapshots: VecDeque<EndsSnapshot>,
    /// Up to where the last poll found offsets accounted for.
    accounted: BTreeMap<Partition, i64>,
    documents: Option<Database>,
}

impl Watch {
    /// Nothing is connected to yet.
    #[must_use]
    pub fn new(connections: AuditorConnections) -> Self {
        Self {
            connections,
            snapshots: VecDeque::new(),
            accounted: BTreeMap::new(),
            documents: None,
        }
    }

    /// Asks all three stores. The status names unreachable ones; the warehouse is asked through `client`, or the
    /// reason for its absence is given. Slow statements are cancelled, and `client` is dropped with them.
    pub fn poll<'a>(&'a mut self, client: Result<&'a Client, String>) -> BoxFuture<'a, View> {
        Box::pin(async move {
            // In this order: what was committed, and whether the loader is past it, before the ops tables.
            let at = system_utc_millis();
            let (ends, documents) = tokio::join!(
                kafka::ends(&self.connections),
                ping(&self.connections, &mut self.documents)
            );
            if let Ok(ends) = &ends {
                self.remember(EndsSnapshot {
                    at,
                    ends: ends.clone(),
                });
            }
            let away = |why: &str| Err(AuditError::Unexpected(format!("TimescaleDB: {why}")));
            let asked = match client {
                Ok(client) => {
                    let asked = async { Ok((passed(client).await?, ops_tables(client).await?)) };
                    let asked = client.within(PATIENCE, asked).await;
                    asked.unwrap_or_else(|_| away("no answer in time"))
                }
                Err(why) => away(&why),
            };
            let (passed, ops_tables) = match asked {
                Ok((passed, ops_tables)) => (passed, Ok(ops_tables)),
                Err(error) => (BTreeMap::new(), Err(error)),
            };
            let (mut status, known) = gathered(ends, ops_tables);
            // While the kind of server is unknown, it may be one that holds back.
            let margin = margin(*documents.as_ref().unwrap_or(&SHARDS_HOLD_BACK));
            status
                .unreachable
                .extend(documents.err().map(|error| error.to_string()));
            let contradictions = contradictions(&known.0, &self.accounted);
            if !known.1.is_empty() {
                let end =
                    |(partition, found): (&Partition, &Accounted)| (partition.clone(), found.offsets.end());
                self.accounted = known.1.iter().map(end).collect();
            }
            View {
                ledgers: ledgers(&known, (self.snapshots.make_contiguous(), margin), &passed),
                contradictions,
                status,
            }
        })
    }

    fn remember(&mut self, snapshot: EndsSnapshot) {
        if self
            .snapshots
            .back()
            .is_some_and(|last| snapshot.at < last.at + SNAPSHOTS_APART_MS)
        {
            return;
        }
        if self.snapshots.len() == SNAPSHOTS {
            self.snapshots.pop_front();
        }
        self.snapshots.push_back(snapshot);
    }
}

/// Asks MongoDB whether it answers, and how far its empty replies may be behind. Twice: the server may have closed an idle
/// connection, which shows at its next use and is no outage.
async fn ping(
    connections: &AuditorConnections,
    database: &mut Option<Database>,
) -> Result<Duration, AuditError> {
    let opened = match database.take() {
        Some(opened) => opened,
        None => connections.database().await?,
    };
    let asked = async {
        match held_back(&opened).await {
            Ok(held_back) => Ok(held_back),
            Err(_) => held_back(&opened).await,
        }
    };
    let asked = timeout(PING, asked).await;
    // A client is not used again after one of its futures was dropped half way.
    *database = asked.is_ok().then_some(opened);
    Ok(asked.map_err(|_| AuditError::Unexpected("MongoDB: no answer in time".into()))??)
}

fn ledgers(
    (ends, ops_tables): &Known,
    (snapshots, margin): (&[EndsSnapshot], Duration),
    passed: &BTreeMap<String, Option<i64>>,
) -> Vec<Ledger> {
    let ledger = |(partition, Ends { end, committed }): (&Partition, &Ends)| {
        let found = ops_tables.get(partition).cloned().unwrap_or_default();
        let due = due(partition, snapshots, passed, margin);
        let missing = found.offsets.holes(*end);
        let parts = missing.iter().map(|missing| classify_missing(missing, due));
        let (lost, in_flight): (Vec<_>, Vec<_>) = parts.unzip();
        let filled = |ranges: Vec<Range<i64>>| ranges.into_iter().filter(|range| !range.is_empty()).collect();
        Ledger {
            topic: partition.0.clone(),
            partition: partition.1,
            incarnation: incarnation_of(partition, ops_tables),
            end: *end,
            stored: (*committed).min(*end),
            accounted: found.offsets.ranges().to_vec(),
            duplicate: found.duplicate.ranges().to_vec(),
            dead: found.dead.ranges().to_vec(),
            lost: filled(lost),
            in_flight: filled(in_flight),
        }
    };
    ends.iter().map(ledger).collect()
}

/// Partitions that end below what an earlier poll found accounted for. The ops tables of this very poll may be ahead of
/// Kafka's ends, which were asked for before them.
fn contradictions(ends: &BTreeMap<Partition, Ends>, accounted: &BTreeMap<Partition, i64>) -> Vec<String> {
    let contradiction = |(key, ends): (&Partition, &Ends)| {
        let accounted = accounted.get(key).copied().filter(|end| *end > ends.end)?;
        let (topic, partition) = key.clone();
        let said = AuditError::EndBelowAccounted {
            topic,
            partition,
            end: ends.end,
            accounted,
        };
        Some(said.to_string())
    };
    ends.iter().filter_map(contradiction).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offsets::Offsets;

    #[test]
    fn p_3_a_gap_is_lost_below_what_is_due_and_on_its_way_above() {
        let key = ("fitbit.steps".to_owned(), 0);
        let ends = BTreeMap::from([(
            key.clone(),
            Ends {
                end: 10,
                committed: 9,
            },
        )]);
        let accounted = Accounted {
            offsets: Offsets::parse("{[0,3),[4,7)}").unwrap(),
            duplicate: Offsets::parse("{[5,6)}").unwrap(),
            ..Accounted::default()
        };
        let ops_tables = BTreeMap::from([(key, accounted)]);
        let snapshots = [EndsSnapshot {
            at: 1_000,
            ends: ends.clone(),
        }];
        let passed = ["steps", "receipts", "dead_letters"].map(|name| (name.to_owned(), Some(60_000)));
        let ledgers = ledgers(
            &(ends, ops_tables),
            (&snapshots, margin(Duration::ZERO)),
            &passed.into(),
        );
        let [ledger] = &ledgers[..] else {
            panic!("{ledgers:?}")
        };
        let on_its_way = 9..10;
        assert_eq!(ledger.lost, [3..4, 7..9]);
        assert_eq!(ledger.in_flight, [on_its_way]);
        assert_eq!(ledger.accounted, [0..3, 4..7]);
        assert_eq!((ledger.end, ledger.stored), (10, 9));
    }

    #[test]
    fn a_topic_that_ends_below_what_was_accounted_for_is_a_contradiction() {
        let key = ("fitbit.steps".to_owned(), 0);
        let ends = BTreeMap::from([(
            key.clone(),
            Ends {
                end: 10,
                committed: 9,
            },
        )]);
        let said = |accounted| contradictions(&ends, &BTreeMap::from([(key.clone(), accounted)]));
        assert!(said(10).is_empty() && contradictions(&ends, &BTreeMap::new()).is_empty());
        assert!(said(11)[0].starts_with("fitbit.steps/0 ends at 10"));
    }

    #[test]
    fn snapshots_are_so_far_apart_and_so_many() {
        let connections = AuditorConnections {
            kafka: Default::default(),
            mongo: Default::default(),
            timescale: Default::default(),
            group: String::new(),
        };
        let mut watch = Watch::new(connections);
        for second in 0..1_000 {
            watch.remember(EndsSnapshot {
                at: second * 1_000,
                ends: BTreeMap::new(),
            });
        }
        assert_eq!(watch.snapshots.len(), SNAPSHOTS);
        assert_eq!(watch.snapshots[1].at - watch.snapshots[0].at, SNAPSHOTS_APART_MS);
    }
}
