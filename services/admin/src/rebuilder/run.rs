//! The rebuild from its first step to the swap, and the drop of a warehouse that it left.

use std::time::Instant;

use futures_util::future::BoxFuture;
use pulseline_auditor::{Days, Scope, Verdict, VerifyConfig, verify};
use pulseline_runtime::retry::retry_transient;
use pulseline_sql::Schemas;
use pulseline_sql::periods::DayNumber;
use serde::Serialize;

use crate::healer::Healed;
use crate::rebuilder::build::{self, Lease};
use crate::rebuilder::error::RebuilderError;
use crate::rebuilder::fill::Filling;
use crate::rebuilder::settings::Rebuilder;
use crate::rebuilder::standing::{self, Standing};
use crate::rebuilder::{carry, discard, swap};

/// The current step, for the operator.
#[derive(Clone, Debug)]
pub enum Step {
    /// The schemas exist; true when an earlier call had begun them.
    Begun(bool),
    /// Rows whose documents were removed are carried over, up to this day.
    Carrying(DayNumber),
    /// Documents are being loaded and days refreshed.
    Filling(Standing),
    /// A hole was repaired, or not.
    Healed(Box<Healed>),
    /// The current comparison.
    Verifying(String),
    /// All is equal: waiting until the new warehouse lacks nothing of the old one.
    Swapping,
}

/// The result of a rebuild.
#[derive(Clone, Debug, Serialize)]
pub struct RebuildReport {
    /// True when the new warehouse is in use.
    pub is_swapped: bool,
    /// Offsets accounted for in the new warehouse.
    pub offsets: i64,
    /// Days whose rows were carried over in this call, because their documents were removed.
    pub carried_days: i64,
    /// How long it took to fill it, in this call.
    pub fill_seconds: f64,
    /// The result of the full comparison; none when it was stopped before.
    pub verdict: Option<Verdict>,
}

impl Rebuilder {
    /// Builds, checks and swaps. When told to stop, it leaves what was built for the next call.
    ///
    /// # Errors
    /// Permanent failures; what was built stays.
    pub fn run<'a>(
        &'a self,
        tell: &'a (dyn Fn(Step) + Send + Sync),
    ) -> BoxFuture<'a, Result<RebuildReport, RebuilderError>> {
        Box::pin(async move {
            let (lease, was_begun) = build::begin(self).await?;
            tell(Step::Begun(was_begun));
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
        lease: &Lease,
        filling: &mut Filling,
        tell: &(dyn Fn(Step) + Send + Sync),
    ) -> Result<RebuildReport, RebuilderError> {
        let began = Instant::now();
        let tell_standing = |standing| tell(Step::Filling(standing));
        let tell_carried = |until| tell(Step::Carrying(until));
        let fill = async {
            let carried = carry::rows(self, &tell_carried).await?;
            Ok::<_, RebuilderError>((carried, standing::caught_up(self, &tell_standing).await?))
        };
        let mut report = RebuildReport {
            is_swapped: false,
            offsets: 0,
            carried_days: 0,
            fill_seconds: 0.0,
            verdict: None,
        };
        tokio::select! {
            biased;
            ended = filling.ended() => return ended.map(|()| report),
            lost = lease.lost(self.timescale()) => return Err(lost),
            filled = fill => (report.carried_days, report.offsets) = filled?,
        }
        report.fill_seconds = began.elapsed().as_secs_f64();
        tokio::select! {
            biased;
            // First: after the swap the loader ends too, because its schemas are gone.
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
        let mut verdict = retry_transient(self.shutdown(), "checking the new warehouse", check).await?;
        let lacking = || carry::lacking(self);
        let lacking = retry_transient(self.shutdown(), "comparing rows without documents", lacking).await?;
        verdict.differences.extend(lacking);
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
            ..VerifyConfig::default()
        };
        let progress = |line: &str| tell(Step::Verifying(line.to_owned()));
        Ok(verify(&config, &self.healer.audited, self.shutdown(), &progress).await?)
    }

    /// Drops the warehouse from before the last rebuild; false when there is none.
    ///
    /// # Errors
    /// [`RebuilderError::IsNeeded`] when other views depend on it; errors of the server.
    pub fn drop_old(&self) -> BoxFuture<'_, Result<bool, RebuilderError>> {
        Box::pin(async move { discard::discard(self, &Schemas::old()).await })
    }

    /// Drops an unfinished new warehouse; false when there is none.
    ///
    /// # Errors
    /// As [`Rebuilder::drop_old`].
    pub fn discard(&self) -> BoxFuture<'_, Result<bool, RebuilderError>> {
        Box::pin(async move { discard::discard(self, &Schemas::next()).await })
    }
}
