//! Counts of sent messages and their outcome, readable while the generator runs.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use pulseline_schemas::{Stream, UtcMillis};

use crate::plan::DeliveryKind;
use crate::produce::message::Route;

const STREAMS: usize = Stream::COUNT;
const ROUTES: usize = Route::COUNT;
const KINDS: usize = DeliveryKind::ALL.len();

/// Counters that go up while [`crate::simulate`] runs. Shared by reference; reading them costs nothing.
#[derive(Debug, Default)]
pub struct Counts {
    issued: [AtomicU64; ROUTES],
    acknowledged: [AtomicU64; ROUTES],
    failed: [AtomicU64; ROUTES],
    readings: [AtomicU64; ROUTES],
    kinds: [AtomicU64; KINDS],
    simulated_until: AtomicI64,
}

/// Numbers of one topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicCounts {
    /// Messages handed to the producer.
    pub issued: u64,
    /// Messages that Kafka acknowledged from all replicas.
    pub acknowledged: u64,
    /// Messages that the producer gave up.
    pub failed: u64,
    /// Readings in the acknowledged messages that carry an event.
    pub readings: u64,
}

/// A snapshot of the counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// In the order of [`Stream::ALL`].
    pub topics: [(Stream, TopicCounts); STREAMS],
    /// Records that the archive reader refused.
    pub dead_letters: TopicCounts,
    /// In the order of [`DeliveryKind::ALL`]; zero in a replay.
    pub kinds: [(DeliveryKind, u64); KINDS],
    /// Simulated instant up to which all messages were handed to the producer.
    pub simulated_until: UtcMillis,
}

/// The last counts of a simulation.
pub type Summary = Snapshot;

impl Counts {
    /// All zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The counts now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let of = |route: Route| {
            let index = route.index();
            TopicCounts {
                issued: self.issued[index].load(Relaxed),
                acknowledged: self.acknowledged[index].load(Relaxed),
                failed: self.failed[index].load(Relaxed),
                readings: self.readings[index].load(Relaxed),
            }
        };
        Snapshot {
            topics: Stream::ALL.map(|stream| (stream, of(Route::Stream(stream)))),
            dead_letters: of(Route::DeadLetters),
            kinds: DeliveryKind::ALL.map(|kind| (kind, self.kinds[kind.index()].load(Relaxed))),
            simulated_until: UtcMillis(self.simulated_until.load(Relaxed)),
        }
    }

    pub(crate) fn issue(&self, route: Route, kind: Option<DeliveryKind>, until: UtcMillis) {
        self.issued[route.index()].fetch_add(1, Relaxed);
        if let Some(kind) = kind {
            self.kinds[kind.index()].fetch_add(1, Relaxed);
        }
        self.simulated_until.fetch_max(until.0, Relaxed);
    }

    pub(crate) fn acknowledge(&self, route: Route, readings: u64) {
        self.acknowledged[route.index()].fetch_add(1, Relaxed);
        self.readings[route.index()].fetch_add(readings, Relaxed);
    }

    pub(crate) fn fail(&self, route: Route) {
        self.failed[route.index()].fetch_add(1, Relaxed);
    }
}

impl Snapshot {
    /// Sum over the topics.
    #[must_use]
    pub fn total(&self) -> TopicCounts {
        self.topics
            .iter()
            .fold(self.dead_letters, |sum, (_, topic)| TopicCounts {
                issued: sum.issued + topic.issued,
                acknowledged: sum.acknowledged + topic.acknowledged,
                failed: sum.failed + topic.failed,
                readings: sum.readings + topic.readings,
            })
    }

    /// Numbers of one stream's topic.
    #[must_use]
    pub fn of(&self, stream: Stream) -> TopicCounts {
        self.topics[stream as usize].1
    }
}
