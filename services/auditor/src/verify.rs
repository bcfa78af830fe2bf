//! `verify`: is everything accounted for, are the layers what raw says, is raw what the documents say?

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use mongodb::Database;
use pulseline_runtime::clock::system_utc_millis;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::{Stream, collections};
use pulseline_sql::floor::floor;
use pulseline_sql::periods::DayNumber;
use serde::Serialize;
use tokio_postgres::Client;

use crate::connections::Connections;
use crate::documents;
use crate::error::AuditError;
use crate::hole::Hole;
use crate::kafka::{self, Ends, Partition};
use crate::layers;
use crate::scope::{Days, Scope, Step, said, steps};
use crate::warehouse::{Accounted, Loaded, accounted, passed};

const SETTLE_POLL: Duration = Duration::from_millis(500);
/// How far the clocks of verifier, loader and MongoDB may differ before lag could be taken for loss.
const CLOCK_SKEW_MS: i64 = 5_000;

/// How `verify` goes about it.
#[derive(Clone, Debug, Default)]
pub struct VerifyConfig {
    /// Longest to wait for what is still on its way.
    pub settle: Duration,
    /// What is compared.
    pub scope: Scope,
    /// After so long no other comparison is begun.
    pub limit: Option<Duration>,
}

/// What `verify` found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// Messages that were produced when it began.
    pub produced: i64,
    /// Of these: dealt with.
    pub accounted: i64,
    /// Offsets that sink or loader have not come to yet; not a loss.
    pub in_flight: i64,
    /// Offsets that sink and loader are past, and that nobody has accounted for.
    pub holes: Vec<Hole>,
    /// Comparisons that were made.
    pub relations: usize,
    /// First and last day that were compared, as `2019-11-01 to 2019-11-07`.
    pub days: Option<String>,
    /// Where to go on, when it was stopped before the end.
    pub start_at: Option<String>,
    /// Periods that were left out because their refresh is pending.
    pub pending_periods: usize,
    /// Rows that differ, the first few of each relation.
    pub differences: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

impl Verdict {
    /// True when nothing is lost and nothing differs.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.holes.is_empty() && self.differences.is_empty()
    }

    /// True when all was compared that should be.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.start_at.is_none()
    }
}

/// Compares all stores.
///
/// # Errors
/// A store that cannot be asked, a relation that is not known, or a topic that ends below what is accounted for.
pub async fn verify(
    config: &VerifyConfig,
    connections: &Connections,
    shutdown: &Shutdown,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Verdict, AuditError> {
    let began = Instant::now();
    let steps = steps(&config.scope)?;
    let client = connections.warehouse().await?;
    let mut verdict = Verdict::default();
    progress("accounting: waiting for what is still on its way");
    settle(config, connections, &client, shutdown, &mut verdict).await?;
    let mut stores = Stores::open(client, connections, &config.scope).await?;
    verdict.days = stores.days.as_ref().map(said);
    for (index, step) in steps.iter().enumerate() {
        if shutdown.is_stopping() || config.limit.is_some_and(|limit| began.elapsed() >= limit) {
            verdict.start_at = Some(step.relation());
            break;
        }
        progress(&format!("{} of {}: {}", index + 1, steps.len(), step.relation()));
        let compared = stores.compare(step).await?;
        verdict.relations += 1;
        verdict.pending_periods += compared.pending;
        verdict.differences.extend(compared.differences);
    }
    stores.close().await;
    verdict.seconds = began.elapsed().as_secs_f64();
    Ok(verdict)
}

/// What is compared, and the days of it.
struct Stores {
    client: Client,
    database: Database,
    days: Option<Range<DayNumber>>,
    /// Readings of days before it are deleted: nothing below can be recomputed.
    floor: Option<DayNumber>,
    of_documents: Range<DayNumber>,
    /// What was loaded before the days were fixed, by topic.
    before: BTreeMap<&'static str, Loaded>,
}

impl Stores {
    async fn open(client: Client, connections: &Connections, scope: &Scope) -> Result<Self, AuditError> {
        let mut before = BTreeMap::new();
        for readings in documents::readings() {
            let topic = readings.stream.topic();
            before.insert(topic, Loaded::read(&client, topic).await?);
        }
        let floor = floor(&client).await?;
        let extent = layers::extent(&client).await?;
        let extent =
            extent.map(|extent| floor.map_or(extent.start, |floor| extent.start.max(floor))..extent.end);
        let days = extent.and_then(|extent| scope.days.of(&extent));
        let kept = floor.unwrap_or(DayNumber::MIN)..DayNumber::MAX;
        // Also days that raw has nothing of, but where only the newest are asked for.
        let of_documents = match &scope.days {
            Days::All => kept,
            Days::Between(asked) => asked.start.max(kept.start)..asked.end,
            Days::Newest(_) => days.clone().unwrap_or(kept),
        };
        Ok(Self {
            database: connections.database().await?,
            days,
            floor,
            of_documents,
            before,
            client,
        })
    }

    async fn compare(&mut self, step: &Step) -> Result<layers::Compared, AuditError> {
        let differences = match (step, &self.days) {
            (Step::Layer(check), Some(days)) => {
                let days = check.above(self.floor, days.clone());
                return layers::compare(&mut self.client, check, &days).await;
            }
            (Step::Layer(_), None) => Vec::new(),
            (Step::Readings(readings), days) => {
                let compared = documents::Compared {
                    // Without a day in raw there may still be documents.
                    days: days.as_ref().unwrap_or(&(0..1)),
                    of_documents: &self.of_documents,
                    before: self.before.remove(readings.stream.topic()).unwrap_or_default(),
                };
                documents::compare(readings, &self.database, &mut self.client, compared).await?
            }
            (Step::Table(table), _) => {
                documents::compare_whole(table, &self.database, &mut self.client).await?
            }
        };
        Ok(layers::Compared {
            differences,
            pending: 0,
        })
    }

    async fn close(self) {
        self.database.client().clone().shutdown().immediate(true).await;
    }
}

/// Fixes the end offsets first, then waits until each of them is accounted for, or known to be lost (P3).
async fn settle(
    config: &VerifyConfig,
    connections: &Connections,
    client: &Client,
    shutdown: &Shutdown,
    verdict: &mut Verdict,
) -> Result<(), AuditError> {
    let deadline = Instant::now() + config.settle;
    let fixed = kafka::ends(connections).await?;
    let mut looks = Vec::new();
    loop {
        // In this order: what was committed at the look, and whether the loader is past it, before the books.
        let at = system_utc_millis();
        looks.push(Look {
            at,
            ends: kafka::ends(connections).await?,
        });
        let passed = passed(client).await?;
        *verdict = reckon(&fixed, &looks, &passed, &accounted(client).await?)?;
        if verdict.in_flight == 0 || Instant::now() >= deadline || !shutdown.sleep(SETTLE_POLL).await {
            return Ok(());
        }
    }
}

/// What Kafka said at an instant (UTC milliseconds).
struct Look {
    at: i64,
    ends: BTreeMap<Partition, Ends>,
}

/// Collections in which what became of a topic's message can stand.
fn collections_of(topic: &str) -> impl Iterator<Item = &'static str> {
    let own = Stream::from_topic(topic).map(Stream::collection);
    own.into_iter()
        .chain([collections::RECEIPTS, collections::DEAD_LETTERS])
}

/// The offset below which everything has had its time: the group had committed it at a look, and each collection
/// was loaded up to a moment after that look.
fn due(partition: &Partition, looks: &[Look], passed: &BTreeMap<String, Option<i64>>) -> i64 {
    let passed = |collection| passed.get(collection).copied().flatten().unwrap_or(i64::MIN);
    let passed = collections_of(&partition.0).map(passed).min().unwrap_or(i64::MIN);
    let due = looks.iter().filter(|look| look.at + CLOCK_SKEW_MS <= passed);
    due.filter_map(|look| look.ends.get(partition))
        .map(|ends| ends.committed)
        .max()
        .unwrap_or(0)
}

/// What is accounted for of the offsets below `fixed`, and whether the rest is on its way or lost.
fn reckon(
    fixed: &BTreeMap<Partition, Ends>,
    looks: &[Look],
    passed: &BTreeMap<String, Option<i64>>,
    books: &BTreeMap<Partition, Accounted>,
) -> Result<Verdict, AuditError> {
    let mut verdict = Verdict::default();
    for (partition, ends) in fixed {
        let (topic, number) = partition;
        let offsets = books
            .get(partition)
            .map(|accounted| accounted.offsets.clone())
            .unwrap_or_default();
        let now = looks
            .last()
            .and_then(|look| look.ends.get(partition))
            .unwrap_or(ends);
        if offsets.end() > now.end {
            return Err(AuditError::EndBelowAccounted {
                topic: topic.clone(),
                partition: *number,
                end: now.end,
                accounted: offsets.end(),
            });
        }
        let due = due(partition, looks, passed);
        verdict.produced += ends.end;
        verdict.accounted += ends.end;
        for hole in offsets.holes(ends.end) {
            verdict.accounted -= hole.end - hole.start;
            let lost_end = hole.end.min(due).max(hole.start);
            if hole.start < lost_end {
                verdict.holes.push(Hole {
                    topic: topic.clone(),
                    generation: generation_of(partition, books),
                    partition: *number,
                    offsets: hole.start..lost_end,
                });
            }
            verdict.in_flight += hole.end - lost_end;
        }
    }
    Ok(verdict)
}

/// The newest life of a topic, also for a partition of which nothing is accounted for.
fn generation_of((topic, _): &Partition, books: &BTreeMap<Partition, Accounted>) -> i32 {
    let of_topic = books.iter().filter(|((name, _), _)| name == topic);
    of_topic
        .map(|(_, accounted)| accounted.generation)
        .max()
        .unwrap_or(0)
}

/// What is lost: offsets that sink and loader are past and nobody has accounted for; and what is still on its way.
///
/// # Errors
/// As [`verify`].
pub async fn holes(
    connections: &Connections,
    longest: Duration,
    shutdown: &Shutdown,
) -> Result<(Vec<Hole>, i64), AuditError> {
    let client = connections.warehouse().await?;
    let config = VerifyConfig {
        settle: longest,
        ..VerifyConfig::default()
    };
    let mut verdict = Verdict::default();
    settle(&config, connections, &client, shutdown, &mut verdict).await?;
    Ok((verdict.holes, verdict.in_flight))
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "produced {}   accounted {}   in flight {}",
            self.produced, self.accounted, self.in_flight
        )?;
        for hole in &self.holes {
            writeln!(f, "lost: {hole}")?;
        }
        for difference in &self.differences {
            writeln!(f, "differs: {difference}")?;
        }
        let verdict = if self.is_equal() { "equal" } else { "DIFFERENT" };
        let (relations, seconds) = (self.relations, self.seconds);
        let days = self.days.as_deref().unwrap_or("no day");
        write!(
            f,
            "{verdict}: {relations} comparisons, {days}, {} periods pending, {seconds:.1} s",
            self.pending_periods
        )?;
        match &self.start_at {
            Some(next) => write!(f, "\nstopped before the end: go on with --start-at {next}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::offsets::Offsets;

    fn key() -> Partition {
        ("fitbit.steps".into(), 0)
    }

    fn books(text: &str) -> BTreeMap<Partition, Accounted> {
        let offsets = Offsets::parse(text).unwrap();
        BTreeMap::from([(
            key(),
            Accounted {
                offsets,
                ..Accounted::default()
            },
        )])
    }

    fn look(at: i64, committed: i64) -> Look {
        Look {
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
        let looks = [look(1_000, 8), look(2_000, 9)];
        let fixed = &looks[0].ends;
        let books = books("{[0,3),[4,7)}");
        let judged = |passed: &BTreeMap<_, _>| reckon(fixed, &looks, passed, &books).unwrap();
        // The loader has not come to what was committed at the first look: nothing can be said yet.
        let verdict = judged(&passed(1_000 + CLOCK_SKEW_MS - 1));
        assert_eq!((verdict.holes.len(), verdict.in_flight), (0, 4));
        let verdict = judged(&passed(1_000 + CLOCK_SKEW_MS));
        assert_eq!(
            verdict.holes.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["fitbit.steps/0 [3, 4)", "fitbit.steps/0 [7, 8)"]
        );
        assert_eq!((verdict.accounted, verdict.in_flight), (6, 2));
        assert!(!verdict.is_equal());
        assert_eq!(
            judged(&passed(2_000 + CLOCK_SKEW_MS)).holes[1].to_string(),
            "fitbit.steps/0 [7, 9)"
        );
        // One collection that lags is enough: the receipt may stand there.
        let mut lagging = passed(9_000);
        lagging.insert("receipts".into(), None);
        assert!(judged(&lagging).holes.is_empty());
        lagging.remove("receipts");
        assert!(judged(&lagging).holes.is_empty());
    }

    #[test]
    fn a_topic_that_ends_below_its_books_is_refused() {
        let looks = [Look {
            at: 0,
            ends: BTreeMap::from([(key(), Ends { end: 3, committed: 3 })]),
        }];
        assert!(matches!(
            reckon(&looks[0].ends, &looks, &passed(0), &books("{[0,10)}")),
            Err(AuditError::EndBelowAccounted { end: 3, .. })
        ));
    }
}
