//! A warehouse built anew from MongoDB, beside the one in use, which then takes its place.
//!
//! ```text
//!  next_raw, next_stage, next_agg, next_ops: migrated ─▶ loader and compactor fill them, while the services go on in the
//!    warehouse in use ─▶ caught up ─▶ holes repaired from Kafka ─▶ verified in full ─▶ ONE transaction: what only the old one
//!    knows is carried over, the old one becomes old_…, the next one takes its names ─▶ the services go on in it
//! ```
//!
//! Stopped or killed anywhere, the same call goes on from what was built: the loader and the compactor of the next warehouse
//! have their positions in it, as everywhere.

mod build;
mod discard;
mod error;
mod fill;
mod standing;
mod swap;

use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use pulseline_auditor::{Days, Scope, Verdict, VerifyConfig, verify};
use pulseline_compactor::CompactorConfig;
use pulseline_healer::{Healed, Healer};
use pulseline_runtime::config::TimescaleConfig;
use pulseline_runtime::retry::retry_transient;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_sql::Schemas;
use serde::Serialize;

pub use error::RebuilderError;
use fill::Filling;
pub use standing::Standing;

/// How often the work is looked at.
const POLL: Duration = Duration::from_secs(1);

/// What happens now, for whoever waits.
#[derive(Clone, Debug)]
pub enum Step {
    /// The schemas are there; true when they had been begun before.
    Begun(bool),
    /// Documents are loaded and days refreshed.
    Filling(Standing),
    /// A hole was repaired, or not.
    Healed(Box<Healed>),
    /// The comparison that is made.
    Verifying(String),
    /// All is equal: waiting for the moment in which the new one lacks nothing of the old.
    Swapping,
}

/// What became of it.
#[derive(Clone, Debug, Serialize)]
pub struct RebuildReport {
    /// True when the new warehouse is in use.
    pub is_swapped: bool,
    /// Offsets that it has dealt with.
    pub offsets: i64,
    /// How long it took to fill it, this time.
    pub fill_seconds: f64,
    /// What comparing it in full found; none when it was stopped before.
    pub verdict: Option<Verdict>,
}

/// What builds, and where.
#[derive(Clone)]
pub struct Rebuilder {
    /// The stores, and how lost offsets are found in Kafka; of the warehouse in use.
    pub healer: Healer,
    /// How days are refreshed and chunks packed.
    pub compactor: CompactorConfig,
    /// Longest wait, in the end, for what is still on its way.
    pub settle: Duration,
}

impl Rebuilder {
    fn shutdown(&self) -> &Shutdown {
        &self.healer.shutdown
    }

    fn timescale(&self) -> &TimescaleConfig {
        &self.healer.audited.timescale
    }

    /// The same, for the warehouse that is built.
    fn beside(&self) -> Self {
        let mut beside = self.clone();
        Schemas::next()
            .prefix()
            .clone_into(&mut beside.healer.audited.timescale.schema_prefix);
        // Nothing is too old before all of it is there; what is, goes once it is in use.
        beside.compactor.retain_days = 0;
        beside
    }

    /// Builds, checks and swaps. Told to stop, it leaves what was built for the next call.
    ///
    /// # Errors
    /// What cannot be waited out; what was built stays.
    pub fn run<'a>(
        &'a self,
        tell: &'a (dyn Fn(Step) + Send + Sync),
    ) -> BoxFuture<'a, Result<RebuildReport, RebuilderError>> {
        Box::pin(async move {
            let lease = build::begin(self, tell).await?;
            let beside = self.beside();
            let mut filling = Filling::start(&beside);
            let built = Box::pin(self.build(&beside, &lease, &mut filling, tell)).await;
            let is_swapped = built.as_ref().is_ok_and(|report| report.is_swapped);
            filling.stop(is_swapped).await;
            lease.release(self.timescale()).await;
            built
        })
    }

    async fn build(
        &self,
        beside: &Self,
        lease: &build::Lease,
        filling: &mut Filling,
        tell: &(dyn Fn(Step) + Send + Sync),
    ) -> Result<RebuildReport, RebuilderError> {
        let began = Instant::now();
        let mut report = RebuildReport {
            is_swapped: false,
            offsets: 0,
            fill_seconds: 0.0,
            verdict: None,
        };
        tokio::select! {
            biased;
            ended = filling.ended() => return ended.map(|()| report),
            lost = lease.lost(self.timescale()) => return Err(lost),
            filled = standing::caught_up(self, tell) => report.offsets = filled?,
        }
        report.fill_seconds = began.elapsed().as_secs_f64();
        tokio::select! {
            biased;
            // First: after the swap the loader ends too, because its schemas have gone.
            swapped = self.check_and_swap(beside, report.clone(), tell) => swapped,
            ended = filling.ended() => ended.map(|()| report),
            lost = lease.lost(self.timescale()) => Err(lost),
        }
    }

    async fn check_and_swap(
        &self,
        beside: &Self,
        mut report: RebuildReport,
        tell: &(dyn Fn(Step) + Send + Sync),
    ) -> Result<RebuildReport, RebuilderError> {
        if self.shutdown().is_stopping() {
            return Ok(report);
        }
        let check = || beside.check(tell);
        let verdict = retry_transient(self.shutdown(), "checking the new warehouse", check).await?;
        let may_swap = verdict.differences.is_empty() && verdict.is_complete();
        report.verdict = Some(verdict);
        if may_swap {
            tell(Step::Swapping);
            report.is_swapped = swap::swap(self).await?;
        }
        Ok(report)
    }

    /// Repairs holes, and compares everything.
    async fn check(&self, tell: &(dyn Fn(Step) + Send + Sync)) -> Result<Verdict, RebuilderError> {
        let (holes, _) = self.healer.find(self.settle).await?;
        let mut tell_healed = |healed: &Healed| tell(Step::Healed(Box::new(healed.clone())));
        self.healer.repair(holes, &mut tell_healed).await?;
        let config = VerifyConfig {
            settle: self.settle,
            scope: Scope {
                days: Days::All,
                ..Scope::default()
            },
            limit: None,
        };
        let progress = |line: &str| tell(Step::Verifying(line.to_owned()));
        Ok(verify(&config, &self.healer.audited, self.shutdown(), &progress).await?)
    }

    /// Drops the warehouse that was in use before the last rebuild; false when there is none.
    ///
    /// # Errors
    /// [`RebuilderError::IsNeeded`] when views of somebody depend on it; what the server says.
    pub fn drop_old(&self) -> BoxFuture<'_, Result<bool, RebuilderError>> {
        Box::pin(async move { discard::discard(self, &Schemas::old()).await })
    }

    /// Drops what was built and is not in use; false when there is nothing.
    ///
    /// # Errors
    /// As [`Rebuilder::drop_old`].
    pub fn discard(&self) -> BoxFuture<'_, Result<bool, RebuilderError>> {
        Box::pin(async move { discard::discard(self, &Schemas::next()).await })
    }
}
