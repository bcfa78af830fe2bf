//! Waits out outages; while one lasts, the sink is not ready.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use pulseline_runtime::health::{Health, Heart};
use pulseline_runtime::retry::{Class, Classify, retry_transient};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::waits::{Hop, Wait};

use crate::error::SinkError;
use crate::metrics;

/// The unavailable servers, and whether the sink is ready.
#[derive(Clone, Debug)]
pub(crate) struct Outages {
    shutdown: Shutdown,
    health: Health,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    /// A bit for each server that does not answer.
    away: AtomicU8,
    is_member: AtomicBool,
}

impl Outages {
    pub(crate) fn new(shutdown: Shutdown, health: Health) -> Self {
        Self {
            shutdown,
            health,
            state: Arc::default(),
        }
    }

    /// Records whether a server answers.
    pub(crate) fn note(&self, server: Hop, is_away: bool) {
        let bit = 1_u8 << server as u8;
        let before = if is_away {
            self.state.away.fetch_or(bit, Ordering::AcqRel)
        } else {
            self.state.away.fetch_and(!bit, Ordering::AcqRel)
        };
        if (before & bit != 0) != is_away {
            metrics::record_outage(server, is_away);
            self.publish();
        }
    }

    /// Records whether the group has assigned partitions, perhaps none.
    pub(crate) fn set_member(&self, is_member: bool) {
        self.state.is_member.store(is_member, Ordering::Release);
        self.publish();
    }

    /// Watches a loop of the sink until the returned value is dropped.
    pub(crate) fn watch(&self, name: &'static str, patience: Duration) -> Heart {
        self.health.watch(name, patience)
    }

    /// A wait for Kafka that shows while no broker is connected.
    pub(crate) fn disconnection(&self) -> Wait {
        self.shutdown.waits().prepare("reading messages")
    }

    fn publish(&self) {
        let is_well = self.state.away.load(Ordering::Acquire) == 0;
        self.health
            .set_ready(is_well && self.state.is_member.load(Ordering::Acquire));
    }

    /// Runs `attempt` until it succeeds or fails for good.
    pub(crate) async fn outlast<T, F, A>(
        &self,
        server: Hop,
        what: &str,
        mut attempt: F,
    ) -> Result<T, SinkError>
    where
        F: FnMut() -> A,
        A: Future<Output = Result<T, SinkError>>,
    {
        let noted = || {
            let attempted = attempt();
            async move {
                let result = attempted.await;
                match &result {
                    Ok(_) => self.note(server, false),
                    Err(error) => self.note(server, error.class() == Class::Transient),
                }
                result
            }
        };
        Ok(retry_transient(&self.shutdown, what, noted).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_means_member_of_the_group_and_nobody_away() {
        let health = Health::new();
        let outages = Outages::new(Shutdown::new(), health.clone());
        assert!(!health.is_ready());
        outages.set_member(true);
        assert!(health.is_ready());
        outages.note(Hop::Mongo, true);
        outages.note(Hop::Registry, true);
        outages.note(Hop::Mongo, false);
        assert!(!health.is_ready());
        outages.note(Hop::Registry, false);
        assert!(health.is_ready());
    }
}
