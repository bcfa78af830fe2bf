//! Where the partitions end: the lag, and tails without messages.

use std::collections::HashMap;
use std::time::Duration;

use pulseline_runtime::retry::{Class, Classify};
use pulseline_runtime::waits::Hop;
use tokio::time::Instant;

use super::Intake;
use crate::entry::Entry;
use crate::error::SinkError;
use crate::flush::{Examined, examine_tail};
use crate::metadata_client::MetadataClient;
use crate::metrics;
use crate::outage::Server;
use crate::source::Partition;
use crate::statistics::Look;

/// How often the brokers are asked where the partitions end. What is fetched tells it sooner; a partition that is paused, or
/// that stands for a reason that nobody knows, tells nothing.
const ASK_EVERY: Duration = Duration::from_secs(5);

impl Intake {
    /// A look at the client, once a second.
    pub(super) fn looked(&mut self, look: &Look) {
        self.context.outages.note(Server::Kafka, !look.is_connected);
        if look.is_connected {
            self.disconnection.over();
        } else {
            self.disconnection.failed(Hop::Kafka, &"no broker is connected");
        }
        for sight in &look.partitions {
            let Some(next) = self.partitions.next(sight.partition) else {
                continue;
            };
            self.partitions.reaches(sight.partition, sight.stable);
            let tail = self.tails.observe(sight.partition, next, sight.end);
            if let Some(tail) = tail.filter(|_| !self.is_closed() && !self.examining.is_running()) {
                self.examining
                    .start(examine_tail(self.context.clone(), sight.partition, tail));
            }
        }
        let now = Instant::now();
        let is_due = self.asked_at.is_none_or(|at| now >= at + ASK_EVERY);
        if look.is_connected && is_due && !self.asking.is_running() {
            self.asked_at = Some(now);
            self.asking
                .start(ask(self.context.metadata_client.clone(), self.partitions.all()));
        }
        self.tell_lags(look.is_connected);
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
            tail,
            lost,
            void,
        } = examined;
        self.tails.forget(*partition);
        // Messages came in the meantime, or the partition went: then the look was in vain.
        if self.partitions.next(*partition) != Some(tail.from) || self.is_stopping {
            return;
        }
        if let Some(lost) = lost {
            metrics::record_loss(*partition, *lost);
            self.partitions.skip_to(*partition, lost.to + 1);
        }
        let Some(gap) = *void else { return };
        if let Some(identity) = self.partitions.skip_to(*partition, gap.to + 1) {
            let generation = identity.generation;
            self.push(Entry::Gap {
                partition: *partition,
                generation,
                gap,
                is_proven: true,
            });
        }
    }
}

/// Asks once. An outage is found out elsewhere, and the next look asks again.
async fn ask(
    metadata_client: MetadataClient,
    partitions: Vec<Partition>,
) -> Result<HashMap<Partition, i64>, SinkError> {
    match metadata_client.ends(partitions).await {
        Err(error) if error.class() == Class::Transient => {
            tracing::debug!(%error, "where the partitions end is not known");
            Ok(HashMap::new())
        }
        asked => asked,
    }
}
