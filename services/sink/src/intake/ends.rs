//! Partition ends: the lag, and trailing gaps.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use pulseline_runtime::retry::{Class, Classify};
use pulseline_runtime::waits::Hop;
use tokio::time::Instant;

use super::Intake;
use crate::broker::Broker;
use crate::entry::BatchEntry;
use crate::error::SinkError;
use crate::flush::{Examined, examine_trailing_gap};
use crate::metrics;
use crate::source::Partition;
use crate::statistics::StatsSnapshot;

/// How often the brokers are asked for partition ends. A fetch reports them sooner; a partition that is paused or
/// stuck reports none.
const ASK_EVERY: Duration = Duration::from_secs(5);

impl Intake {
    /// Takes in the client's statistics, once a second.
    pub(super) fn stats_changed(&mut self, stats: &StatsSnapshot) {
        self.context.outages.note(Hop::Kafka, !stats.is_connected);
        if stats.is_connected {
            self.disconnection.over();
        } else {
            self.disconnection.failed(Hop::Kafka, &"no broker is connected");
        }
        for seen in &stats.partitions {
            let Some(next) = self.partitions.next(seen.partition) else {
                continue;
            };
            self.partitions.raise_end(seen.partition, seen.stable);
            let trailing_gap = self.trailing_gaps.observe(seen.partition, next, seen.end);
            if let Some(trailing_gap) =
                trailing_gap.filter(|_| !self.is_closed() && !self.examining.is_running())
            {
                self.examining.start(examine_trailing_gap(
                    self.context.clone(),
                    seen.partition,
                    trailing_gap,
                ));
            }
        }
        let now = Instant::now();
        let is_due = self.asked_at.is_none_or(|at| now >= at + ASK_EVERY);
        if stats.is_connected && is_due && !self.asking.is_running() {
            self.asked_at = Some(now);
            self.asking
                .start(ask(Arc::clone(&self.context.broker), self.partitions.all()));
        }
        self.tell_lags(stats.is_connected);
    }

    pub(super) fn learn_ends(&mut self, ends: &HashMap<Partition, i64>) {
        for (partition, end) in ends {
            self.partitions.ends_at(*partition, *end);
        }
    }

    fn tell_lags(&self, is_connected: bool) {
        let lags = self.partitions.lags();
        metrics::record_lags(&lags);
        if is_connected && lags.values().all(|lag| *lag == 0) {
            metrics::record_success(self.context.clock.now_utc_millis());
        }
    }

    pub(super) fn examined(&mut self, examined: &Examined) {
        let Examined {
            partition,
            trailing_gap,
            lost,
            proven,
        } = examined;
        self.trailing_gaps.forget(*partition);
        // Messages came meanwhile, or the partition was revoked: the examination is void.
        if self.partitions.next(*partition) != Some(trailing_gap.from) || self.is_stopping {
            return;
        }
        if let Some(lost) = lost {
            metrics::record_loss(*partition, *lost);
            self.partitions.skip_to(*partition, lost.to + 1);
        }
        let Some(gap) = *proven else { return };
        if let Some(identity) = self.partitions.skip_to(*partition, gap.to + 1) {
            let incarnation = identity.number;
            self.push(BatchEntry::Gap {
                partition: *partition,
                incarnation,
                gap,
                is_proven: true,
            });
        }
    }
}

/// Asks once. Other code detects outages, and the next snapshot asks again.
async fn ask(
    broker: Arc<dyn Broker>,
    partitions: Vec<Partition>,
) -> Result<HashMap<Partition, i64>, SinkError> {
    match broker.ends(partitions).await {
        Err(error) if error.class() == Class::Transient => {
            tracing::debug!(%error, "the partition ends are unknown");
            Ok(HashMap::new())
        }
        asked => asked,
    }
}
