//! Reconciles the accounting with Kafka: accounted, in-flight and lost offsets (P3).

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use pulseline_clients::mongo::{self, Database};
use pulseline_runtime::clock::system_utc_millis;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::{Stream, collections};
use pulseline_sql::Client;

use crate::connections::{AuditorConnections, VERIFY_LIMIT};
use crate::error::AuditError;
use crate::hole::Hole;
use crate::kafka::{self, Ends, Partition};
use crate::stuck::{OnItsWay, Stuck, stuck};
use crate::warehouse::{Accounted, accounted, passed};

const SETTLE_POLL: Duration = Duration::from_millis(500);
/// How far the clocks of verifier, loader and MongoDB may differ before lag could look like loss.
const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// The fate of the messages below the fixed ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reconciliation {
    /// Messages.
    pub(crate) produced: i64,
    /// Of these: dealt with.
    pub(crate) accounted: i64,
    /// Of these: not come to yet by sink or loader.
    pub(crate) in_flight: i64,
    /// The same, where it is.
    pub(crate) on_its_way: BTreeMap<Partition, OnItsWay>,
    /// Where none of it came during the whole wait.
    pub(crate) stuck: Vec<Stuck>,
    /// The rest.
    pub(crate) holes: Vec<Hole>,
}

/// Fixes the end offsets first, then waits until each offset is accounted for, or known to be lost (P3).
pub(crate) async fn settle(
    connections: &AuditorConnections,
    client: &Client,
    longest: Duration,
    shutdown: &Shutdown,
) -> Result<Reconciliation, AuditError> {
    let began = Instant::now();
    let deadline = began + longest;
    let mut first = None;
    let fixed = kafka::ends(connections).await?;
    let margin = margin(held_back(connections).await?);
    let mut snapshots = Vec::new();
    loop {
        // In this order: the committed offsets and the loader's progress, before the ops tables.
        let at = system_utc_millis();
        snapshots.push(EndsSnapshot {
            at,
            ends: kafka::ends(connections).await?,
        });
        let (passed, accounted) = (passed(client).await?, accounted(client).await?);
        let mut reconciliation = match reconcile(&fixed, (&snapshots, margin), &passed, &accounted) {
            // While data streams in, the ops tables may know of more than Kafka had at the snapshot: Kafka is asked again after
            // them.
            Err(AuditError::EndBelowAccounted { .. }) => {
                snapshots.push(EndsSnapshot {
                    at: system_utc_millis(),
                    ends: kafka::ends(connections).await?,
                });
                reconcile(&fixed, (&snapshots, margin), &passed, &accounted)?
            }
            reconciled => reconciled?,
        };
        let first = first.get_or_insert_with(|| reconciliation.on_its_way.clone());
        reconciliation.stuck = stuck(first, &reconciliation.on_its_way, began.elapsed());
        if reconciliation.in_flight == 0 || Instant::now() >= deadline || !shutdown.sleep(SETTLE_POLL).await {
            return Ok(reconciliation);
        }
    }
}

/// How long `verify` waits for what is in flight.
#[derive(Clone, Copy)]
pub(crate) struct Patience<'a> {
    pub(crate) longest: Duration,
    pub(crate) shutdown: &'a Shutdown,
}

/// Waits until the loader has read a collection as it is now; false when that takes too long.
pub(crate) async fn is_loaded_until_now(
    client: &Client,
    database: &Database,
    collection: &str,
    patience: Patience<'_>,
) -> Result<bool, AuditError> {
    let margin = margin(mongo::held_back(database).await?);
    let deadline = Instant::now() + patience.longest + margin;
    let until = system_utc_millis().saturating_add(i64::try_from(margin.as_millis()).unwrap_or(i64::MAX));
    loop {
        let passed = passed(client).await?.remove(collection).flatten();
        if passed.is_some_and(|passed| passed >= until) {
            return Ok(true);
        }
        if Instant::now() >= deadline || !patience.shutdown.sleep(SETTLE_POLL).await {
            return Ok(false);
        }
    }
}

/// How much later than a snapshot a collection must have been loaded up to: clock differences, plus what the document
/// store may hold back from a reader that seems to have read everything.
pub(crate) fn margin(held_back: Duration) -> Duration {
    CLOCK_SKEW + held_back
}

async fn held_back(connections: &AuditorConnections) -> Result<Duration, AuditError> {
    let database = connections.database().await?;
    let held_back = mongo::held_back(&database).await;
    database.close().await;
    Ok(held_back?)
}

/// What Kafka said at an instant (UTC milliseconds).
#[derive(Clone, Debug)]
pub(crate) struct EndsSnapshot {
    pub(crate) at: i64,
    pub(crate) ends: BTreeMap<Partition, Ends>,
}

/// Collections in which what became of a topic's message can stand.
fn collections_of(topic: &str) -> impl Iterator<Item = &'static str> {
    let own = Stream::from_topic(topic).map(Stream::collection);
    own.into_iter()
        .chain([collections::RECEIPTS, collections::DEAD_LETTERS])
}

/// The offset below which everything had time to arrive: the group had committed it at a snapshot, and each collection
/// was loaded up to a moment that is later than that snapshot by the margin.
pub(crate) fn due(
    partition: &Partition,
    snapshots: &[EndsSnapshot],
    passed: &BTreeMap<String, Option<i64>>,
    margin: Duration,
) -> i64 {
    let margin = i64::try_from(margin.as_millis()).unwrap_or(i64::MAX);
    let passed = |collection| passed.get(collection).copied().flatten().unwrap_or(i64::MIN);
    let passed = collections_of(&partition.0).map(passed).min().unwrap_or(i64::MIN);
    let due = snapshots
        .iter()
        .filter(|snapshot| snapshot.at.saturating_add(margin) <= passed);
    due.filter_map(|snapshot| snapshot.ends.get(partition))
        .map(|ends| ends.committed)
        .max()
        .unwrap_or(0)
}

/// What is accounted for of the offsets below `fixed`, and whether the rest is on its way or lost.
fn reconcile(
    fixed: &BTreeMap<Partition, Ends>,
    (snapshots, margin): (&[EndsSnapshot], Duration),
    passed: &BTreeMap<String, Option<i64>>,
    accounted: &BTreeMap<Partition, Accounted>,
) -> Result<Reconciliation, AuditError> {
    let mut reconciliation = Reconciliation::default();
    for (partition, ends) in fixed {
        let (topic, number) = partition;
        let offsets = accounted
            .get(partition)
            .map(|accounted| accounted.offsets.clone())
            .unwrap_or_default();
        let now = snapshots
            .last()
            .and_then(|snapshot| snapshot.ends.get(partition))
            .unwrap_or(ends);
        if offsets.end() > now.end {
            return Err(AuditError::EndBelowAccounted {
                topic: topic.clone(),
                partition: *number,
                end: now.end,
                accounted: offsets.end(),
            });
        }
        let due = due(partition, snapshots, passed, margin);
        reconciliation.produced += ends.end;
        reconciliation.accounted += ends.end;
        for missing in offsets.holes(ends.end) {
            reconciliation.accounted -= missing.end - missing.start;
            let (lost, on_its_way) = classify_missing(&missing, due);
            if !lost.is_empty() {
                reconciliation.holes.push(Hole {
                    topic: topic.clone(),
                    incarnation: incarnation_of(partition, accounted),
                    partition: *number,
                    offsets: lost,
                });
            }
            let count = on_its_way.end - on_its_way.start;
            reconciliation.in_flight += count;
            if count > 0 {
                let from = on_its_way.start;
                let waiting = reconciliation.on_its_way.entry(partition.clone());
                waiting.or_insert(OnItsWay { from, count: 0 }).count += count;
            }
        }
    }
    Ok(reconciliation)
}

/// Splits an unaccounted range: what is lost, and what may still arrive.
pub(crate) fn classify_missing(missing: &Range<i64>, due: i64) -> (Range<i64>, Range<i64>) {
    let lost_end = missing.end.min(due).max(missing.start);
    (missing.start..lost_end, lost_end..missing.end)
}

/// The newest incarnation of a topic, also for a partition of which nothing is accounted for.
pub(crate) fn incarnation_of((topic, _): &Partition, accounted: &BTreeMap<Partition, Accounted>) -> i32 {
    let of_topic = accounted.iter().filter(|((name, _), _)| name == topic);
    of_topic
        .map(|(_, accounted)| accounted.incarnation)
        .max()
        .unwrap_or(0)
}

/// The lost offsets, which sink and loader have passed without accounting for them; and those still in flight.
///
/// # Errors
/// A store that cannot be read, or a topic that ends below the accounted offsets.
pub fn holes<'a>(
    connections: &'a AuditorConnections,
    longest: Duration,
    shutdown: &'a Shutdown,
) -> BoxFuture<'a, Result<(Vec<Hole>, i64), AuditError>> {
    Box::pin(async move {
        let client = connections.warehouse(VERIFY_LIMIT).await?;
        let reconciliation = settle(connections, &client, longest, shutdown).await?;
        Ok((reconciliation.holes, reconciliation.in_flight))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offsets::Offsets;

    fn key() -> Partition {
        ("fitbit.steps".into(), 0)
    }

    fn accounted(text: &str) -> BTreeMap<Partition, Accounted> {
        let offsets = Offsets::parse(text).unwrap();
        BTreeMap::from([(
            key(),
            Accounted {
                offsets,
                ..Accounted::default()
            },
        )])
    }

    fn snapshot(at: i64, committed: i64) -> EndsSnapshot {
        EndsSnapshot {
            at,
            ends: BTreeMap::from([(key(), Ends { end: 10, committed })]),
        }
    }

    fn passed(at: i64) -> BTreeMap<String, Option<i64>> {
        ["steps", "receipts", "dead_letters"]
            .map(|name| (name.to_owned(), Some(at)))
            .into()
    }

    #[test]
    fn p_3_loss_is_not_lag() {
        let snapshots = [snapshot(1_000, 8), snapshot(2_000, 9)];
        let fixed = &snapshots[0].ends;
        let accounted = accounted("{[0,3),[4,7)}");
        const SKEW_MS: i64 = 5_000;
        let after = |held_back, passed: &BTreeMap<_, _>| {
            reconcile(fixed, (&snapshots, margin(held_back)), passed, &accounted).unwrap()
        };
        let reconciled = |passed: &BTreeMap<_, _>| after(Duration::ZERO, passed);
        // The loader has not come to what was committed at the first look: nothing can be said yet.
        let verdict = reconciled(&passed(1_000 + SKEW_MS - 1));
        assert_eq!((verdict.holes.len(), verdict.in_flight), (0, 4));
        assert_eq!(verdict.on_its_way[&key()], OnItsWay { from: 3, count: 4 });
        let verdict = reconciled(&passed(1_000 + SKEW_MS));
        assert_eq!(
            verdict.holes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["fitbit.steps/0 [3, 4)", "fitbit.steps/0 [7, 8)"]
        );
        assert_eq!((verdict.accounted, verdict.in_flight), (6, 2));
        assert!(!verdict.holes.is_empty());
        assert_eq!(
            reconciled(&passed(2_000 + SKEW_MS)).holes[1].to_string(),
            "fitbit.steps/0 [7, 9)"
        );
        // What routers may hold back of what seems to be read is on its way so much longer.
        let sharded = |at| after(mongo::SHARDS_HOLD_BACK, &passed(at)).holes.len();
        assert_eq!(sharded(1_000 + SKEW_MS + 9_999), 0);
        assert_eq!(sharded(1_000 + SKEW_MS + 10_000), 2);
        // One collection that lags is enough: the receipt may stand there.
        let mut lagging = passed(9_000);
        lagging.insert("receipts".into(), None);
        assert!(reconciled(&lagging).holes.is_empty());
        lagging.remove("receipts");
        assert!(reconciled(&lagging).holes.is_empty());
    }

    #[test]
    fn a_topic_that_ends_below_what_is_accounted_for_is_refused() {
        let snapshots = [EndsSnapshot {
            at: 0,
            ends: BTreeMap::from([(key(), Ends { end: 3, committed: 3 })]),
        }];
        assert!(matches!(
            reconcile(
                &snapshots[0].ends,
                (&snapshots, margin(Duration::ZERO)),
                &passed(0),
                &accounted("{[0,10)}")
            ),
            Err(AuditError::EndBelowAccounted { end: 3, .. })
        ));
    }
}
