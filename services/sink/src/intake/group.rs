//! Rebalance requests of the group, and the positions committed to it.

use std::collections::HashMap;
use std::sync::Arc;

use super::Intake;
use crate::assignment::{Start, resolve};
use crate::broker::{Rebalance, RebalanceKind};
use crate::entry::End;
use crate::error::SinkError;
use crate::metrics;
use crate::source::Partition;

impl Intake {
    /// True while the group waits for an answer.
    pub(super) fn is_answering(&self) -> bool {
        self.revoked.is_some() || self.resolving.is_running() || self.committing.is_running()
    }

    pub(super) fn asked(&mut self, rebalance: Rebalance) {
        let count = rebalance.partitions.len();
        match rebalance.kind {
            RebalanceKind::Assign => {
                tracing::info!(partitions = count, "the group assigns partitions");
                self.is_incremental = rebalance.is_incremental;
                self.resolving.start(resolve(
                    self.context.clone(),
                    Arc::clone(&self.consumer),
                    rebalance.partitions,
                ));
            }
            RebalanceKind::Revoke => {
                tracing::info!(partitions = count, "the group revokes partitions");
                self.revoked = Some(rebalance);
            }
            RebalanceKind::Lost => {
                // Other members may be reading there: accepted messages are written, which is harmless, but not committed.
                tracing::warn!(
                    partitions = count,
                    "the group took partitions away without waiting"
                );
                self.release(&rebalance);
            }
        }
    }

    /// Takes the assigned partitions, each at its own start.
    pub(super) fn assign(&mut self, starts: &[Start]) {
        let mut assigned = Vec::with_capacity(starts.len());
        for start in starts {
            let Start {
                partition,
                identity,
                offset,
                end,
                lost,
            } = start;
            if let Some(lost) = lost {
                metrics::record_loss(*partition, *lost);
            }
            tracing::debug!(%partition, incarnation = identity.number, offset, end, "reading a partition begins");
            assigned.push((*partition, *offset));
        }
        if let Err(error) = self.consumer.assign(&assigned, self.is_incremental) {
            tracing::warn!(%error, "the assignment came too late; the group sends another one");
            return;
        }
        if !self.is_incremental {
            self.partitions.clear();
        }
        self.partitions.begin(starts);
        metrics::record_partitions(self.partitions.count());
        // The client remembers a pause beyond the loss of a partition: a partition paused then has to be resumed now.
        let assigned: Vec<Partition> = starts.iter().map(|start| start.partition).collect();
        if let Err(error) = self.consumer.set_paused(&assigned, self.gate.is_paused()) {
            tracing::warn!(%error, "new partitions were not paused or resumed");
        }
        self.context.outages.set_member(!self.is_stopping);
    }

    /// Commits durable offsets once nothing is being written, before the partitions are given back.
    pub(super) fn commit_before_giving_back(&mut self) {
        if self.revoked.is_some() && self.is_drained() && !self.committing.is_running() {
            let consumer = Arc::clone(&self.consumer);
            self.committing.start(async move { consumer.commit().await });
        }
    }

    pub(super) fn give_back(&mut self) {
        if let Some(revoked) = self.revoked.take() {
            self.release(&revoked);
        }
    }

    fn release(&mut self, taken: &Rebalance) {
        for partition in &taken.partitions {
            self.trailing_gaps.forget(*partition);
        }
        if let Err(error) = self.consumer.unassign(&taken.partitions, taken.is_incremental) {
            tracing::warn!(%error, "partitions were not given back");
        }
        self.partitions.end(&taken.partitions);
        let partitions = &self.partitions;
        self.inbox.retain(|raw| partitions.holds(raw.partition));
        metrics::record_partitions(partitions.count());
    }

    /// Hands durable positions to the client, which commits them in the background (D-1).
    pub(super) fn store_offsets(&mut self, ends: &HashMap<Partition, End>) {
        self.partitions.flushed(ends);
        let current = ends
            .iter()
            .filter(|(partition, end)| self.partitions.is_current(**partition, end));
        let current: Vec<_> = current.map(|(partition, end)| (*partition, end)).collect();
        if current.is_empty() {
            return;
        }
        if let Err(error) = self.consumer.store_offsets(&current) {
            // The group revoked the partition at this moment: the next reader finds what this sink stored.
            tracing::debug!(%error, "positions came too late: their partitions were revoked");
        }
    }

    /// Handles a topic whose id changed: drops everything not yet written, to be read again from the committed offsets.
    pub(super) fn begin_again(&mut self, topic: &str) -> Result<(), SinkError> {
        tracing::warn!(
            topic,
            "the topic was deleted or recreated: joining the group again"
        );
        self.filling.take();
        self.inbox.clear();
        self.partitions.clear();
        self.fetching.cancel();
        self.examining.cancel();
        self.consumer.subscribe_again()
    }
}
