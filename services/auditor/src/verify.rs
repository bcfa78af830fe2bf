//! `verify`: checks that every offset is accounted for, that the layers match raw, and that raw matches the documents.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use pulseline_clients::mongo::Database;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::Stream;
use pulseline_sql::Client;
use pulseline_sql::floor::floor;
use pulseline_sql::periods::{DayNumber, date_of};
use serde::Serialize;

use crate::connections::{AuditorConnections, VERIFY_LIMIT};
use crate::documents::{self, Comparison};
use crate::error::AuditError;
use crate::hole::Hole;
use crate::layers;
use crate::reconciliation::{Patience, settle};
use crate::scope::{Days, Scope, Step, said, steps};
use crate::stale::{mark_stale, may_mark};
use crate::stuck::Stuck;
use crate::warehouse::Loaded;

/// The settings of `verify`.
#[derive(Clone, Debug, Default)]
pub struct VerifyConfig {
    /// Longest wait for messages in flight.
    pub settle: Duration,
    /// What is compared.
    pub scope: Scope,
    /// Has the compactor compute anew what is stored and differs.
    pub repair: bool,
    /// No comparison begins after this time.
    pub limit: Option<Duration>,
}

/// What `verify` found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// Messages that were produced when it began.
    pub produced: i64,
    /// Of these: dealt with.
    pub accounted: i64,
    /// Offsets that sink or loader have not reached yet; not a loss.
    pub in_flight: i64,
    /// Partitions none of whose messages in flight arrived during the wait: something blocks them, or no service
    /// works.
    pub stuck: Vec<Stuck>,
    /// Offsets that sink and loader have passed without accounting for them.
    pub holes: Vec<Hole>,
    /// The number of comparisons.
    pub relations: usize,
    /// First and last compared day, as `2019-11-01 to 2019-11-07`.
    pub days: Option<String>,
    /// The first day whose documents are all kept: readings of earlier days are not compared with them. None when all are.
    pub documents_from: Option<String>,
    /// Where to continue, when it was stopped before the end.
    pub start_at: Option<String>,
    /// Periods that were left out because their refresh is pending.
    pub pending_periods: usize,
    /// Days of devices that are marked, so that the compactor computes their figures anew.
    pub marked_device_days: usize,
    /// Rows that differ, the first few of each relation.
    pub differences: Vec<String>,
    /// How long it took.
    pub seconds: f64,
}

impl Verdict {
    /// True when nothing is lost, and nothing that arrived differs.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.holes.is_empty() && self.differences.is_empty()
    }

    /// True when everything in scope was compared, and no partition is stuck.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.start_at.is_none() && self.stuck.is_empty()
    }
}

/// Compares all stores.
///
/// # Errors
/// A store that cannot be read, an unknown relation, or a topic that ends below the accounted offsets.
pub fn verify<'a>(
    config: &'a VerifyConfig,
    connections: &'a AuditorConnections,
    shutdown: &'a Shutdown,
    progress: &'a (dyn Fn(&str) + Send + Sync),
) -> BoxFuture<'a, Result<Verdict, AuditError>> {
    Box::pin(async move {
        let began = Instant::now();
        let steps = steps(&config.scope)?;
        let client = connections.warehouse(VERIFY_LIMIT).await?;
        if config.repair {
            may_mark(&client).await?;
        }
        let mut verdict = Verdict::default();
        progress("accounting: waiting for messages in flight");
        let reconciliation = settle(connections, &client, config.settle, shutdown).await?;
        verdict.produced = reconciliation.produced;
        verdict.accounted = reconciliation.accounted;
        verdict.in_flight = reconciliation.in_flight;
        verdict.stuck = reconciliation.stuck;
        verdict.holes = reconciliation.holes;
        let mut stale = BTreeSet::new();
        let patience = Patience {
            longest: config.settle,
            shutdown,
        };
        let mut stores = Stores::open(client, connections, (&config.scope, patience)).await?;
        verdict.days = stores.days.as_ref().map(said);
        if steps.iter().any(Step::needs_documents) {
            verdict.documents_from = stores.documents_floor.map(|day| date_of(day).to_string());
        }
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
            stale.extend(compared.stale);
        }
        stores.close().await;
        if config.repair && !stale.is_empty() {
            let client = pulseline_sql::open(&connections.timescale, "pulseline-auditor").await?;
            mark_stale(&client, &stale.iter().copied().collect::<Vec<_>>()).await?;
            verdict.marked_device_days = stale.len();
        }
        verdict.seconds = began.elapsed().as_secs_f64();
        Ok(verdict)
    })
}

/// What is compared, and the days of it.
struct Stores<'a> {
    patience: Patience<'a>,
    client: Client,
    database: Database,
    days: Option<Range<DayNumber>>,
    /// Readings of days before it are deleted: nothing below can be recomputed.
    floor: Option<DayNumber>,
    /// Documents of days before it may be removed: readings are not compared with them.
    documents_floor: Option<DayNumber>,
    of_documents: Range<DayNumber>,
    /// What was loaded before the days were fixed, by topic.
    before: BTreeMap<&'static str, Loaded>,
}

impl<'a> Stores<'a> {
    async fn open(
        client: Client,
        connections: &AuditorConnections,
        (scope, patience): (&Scope, Patience<'a>),
    ) -> Result<Self, AuditError> {
        let mut before = BTreeMap::new();
        for (stream, _) in Stream::readings() {
            let topic = stream.topic();
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
            Days::Newest { .. } => days.clone().unwrap_or(kept),
        };
        Ok(Self {
            patience,
            database: connections.database().await?,
            days,
            floor,
            documents_floor: pulseline_sql::documents::floor(&client).await?,
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
            (Step::Documents(Comparison::Readings(readings)), days) => {
                // Without a day in raw there may still be documents.
                let days = at_or_after(self.documents_floor, days.as_ref().unwrap_or(&(0..1)));
                let compared = documents::Compared {
                    days: &days,
                    of_documents: &at_or_after(self.documents_floor, &self.of_documents),
                    before: self.before.remove(readings.stream.topic()).unwrap_or_default(),
                };
                documents::compare(readings, &self.database, &mut self.client, compared).await?
            }
            (Step::Documents(Comparison::DeadLetters), _) => {
                documents::compare_dead_letters(&self.database, &self.client, self.patience).await?
            }
            (Step::Documents(Comparison::Owners), _) => {
                documents::compare_owners(&self.database, &mut self.client).await?
            }
            (Step::Documents(Comparison::Table(table)), _) => {
                documents::compare_whole(table, &self.database, &mut self.client).await?
            }
        };
        Ok(layers::Compared {
            differences,
            ..layers::Compared::default()
        })
    }

    async fn close(self) {
        self.database.close().await;
    }
}

/// These days without those before a floor.
fn at_or_after(floor: Option<DayNumber>, days: &Range<DayNumber>) -> Range<DayNumber> {
    let start = floor.map_or(days.start, |floor| days.start.max(floor));
    start..days.end.max(start)
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
        for stuck in &self.stuck {
            writeln!(f, "stands: {stuck}")?;
        }
        for difference in &self.differences {
            writeln!(f, "differs: {difference}")?;
        }
        if let Some(first) = &self.documents_from {
            writeln!(
                f,
                "documents of days before {first} are no longer kept: raw is not compared with them"
            )?;
        }
        let verdict = match (self.is_equal(), self.stuck.is_empty()) {
            (false, _) => "DIFFERENT",
            (true, false) => "UNKNOWN (what has come is equal)",
            (true, true) => "equal",
        };
        let (relations, seconds) = (self.relations, self.seconds);
        let days = self.days.as_deref().unwrap_or("no day");
        write!(
            f,
            "{verdict}: {relations} comparisons, {days}, {} periods pending, {seconds:.1} s",
            self.pending_periods
        )?;
        if self.marked_device_days > 0 {
            write!(
                f,
                "\nmarked: {} days of devices have figures that differ from their readings; the compactor computes them \
                 anew, then run verify again",
                self.marked_device_days
            )?;
        }
        match &self.start_at {
            Some(next) => write!(f, "\nstopped before the end: continue with --start-at {next}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_12_days_before_the_floor_of_documents_are_cut_off() {
        assert_eq!(at_or_after(None, &(3..9)), 3..9);
        assert_eq!(at_or_after(Some(5), &(3..9)), 5..9);
        assert_eq!(at_or_after(Some(1), &(3..9)), 3..9);
        assert!(at_or_after(Some(12), &(3..9)).is_empty());
        let said = Verdict {
            documents_from: Some("2026-05-01".into()),
            ..Verdict::default()
        };
        let line =
            "documents of days before 2026-05-01 are no longer kept: raw is not compared with them\nequal: ";
        assert!(said.to_string().contains(line), "{said}");
    }

    #[test]
    fn a_stream_with_a_stuck_partition_is_never_reported_as_equal() {
        let mut verdict = Verdict::default();
        assert!(verdict.is_complete() && verdict.to_string().contains("equal: 0 comparisons"));
        verdict.stuck.push(Stuck {
            topic: "fitbit.steps".into(),
            partition: 1,
            from: 7,
            count: 2,
            waited: Duration::from_secs(30),
        });
        let text = verdict.to_string();
        assert!(!verdict.is_complete() && !text.contains("\nequal"), "{text}");
        assert!(
            text.contains("stands: fitbit.steps/1") && text.contains("UNKNOWN"),
            "{text}"
        );
        verdict.differences.push("x".into());
        assert!(verdict.to_string().contains("DIFFERENT"));
    }
}
