//! The sink's loop: one batch is flushed while the next one fills, and the consumer is polled all the time.
//!
//! ```text
//!        ┌──────────── next(): whatever happens first ────────────┐
//!        │ abandon · flushed · schema answered · resolved         │
//!        │ committed · group · stop · examined · message · timers │
//!        └──────────────▶ handle() ─▶ advance(): flush, pause ────┘
//! ```

mod ends;
mod gate;
mod group;
mod partitions;
mod task_slot;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use pulseline_runtime::batch::Batch;
use pulseline_runtime::health::{BEAT, STALLED_AFTER};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::waits::Wait;
use rdkafka::error::KafkaError;
use tokio::time::{Instant, sleep, sleep_until};

use self::gate::{Gate, PauseAction};
use self::partitions::{Accepted, Partitions};
use self::task_slot::TaskSlot;
use crate::assignment::Start;
use crate::broker::{Channels, GroupConsumer, Rebalance};
use crate::context::Context;
use crate::decode::{Answer, Decoder, fetch};
use crate::entry::{self, BatchEntry};
use crate::error::SinkError;
use crate::flush::{Examined, FlushOutcome, flush_batch};
use crate::metrics;
use crate::source::{Partition, Raw};
use crate::statistics::StatsSnapshot;
use crate::trailing_gaps::TrailingGaps;
use crate::unreadable::unreadable;

/// Longest that a flush may take without waiting for an outage.
const FLUSH_PATIENCE: Duration = Duration::from_secs(600);

/// State of the loop.
pub(crate) struct Intake {
    context: Context,
    consumer: Arc<dyn GroupConsumer>,
    channels: Channels,
    shutdown: Shutdown,
    partitions: Partitions,
    trailing_gaps: TrailingGaps,
    decoder: Decoder,
    /// Messages that were received and not yet accepted: one that waits for its schema, and those that a consumer
    /// paused a moment ago still delivered.
    inbox: VecDeque<Raw>,
    filling: Batch<BatchEntry>,
    gate: Gate,
    is_stopping: bool,
    /// The partitions that the group revokes, until everything read from them is durable.
    revoked: Option<Rebalance>,
    /// Whether the assignment being resolved adds to the current one.
    is_incremental: bool,
    flush: TaskSlot<FlushOutcome>,
    fetching: TaskSlot<(u32, Answer)>,
    resolving: TaskSlot<Vec<Start>>,
    committing: TaskSlot<()>,
    examining: TaskSlot<Examined>,
    /// Asks for partition ends: a fetch reports them only for the partitions it fetches.
    asking: TaskSlot<HashMap<Partition, i64>>,
    asked_at: Option<Instant>,
    disconnection: Wait,
}

/// An event that the loop handles.
enum LoopEvent {
    Flushed(FlushOutcome),
    Answered(u32, Answer),
    Resolved(Vec<Start>),
    Committed,
    Asked(Rebalance),
    Stop,
    Examined(Examined),
    Stats(StatsSnapshot),
    Ends(HashMap<Partition, i64>),
    Message(Option<Raw>),
    Trouble(KafkaError),
    Time,
}

impl Intake {
    pub(crate) fn new(
        context: Context,
        (consumer, channels): (Arc<dyn GroupConsumer>, Channels),
        shutdown: Shutdown,
    ) -> Self {
        Self {
            decoder: Decoder::new(context.message_bytes_max),
            filling: Batch::new(context.config.limits()),
            disconnection: context.outages.disconnection(),
            context,
            consumer,
            channels,
            shutdown,
            partitions: Partitions::default(),
            trailing_gaps: TrailingGaps::default(),
            inbox: VecDeque::new(),
            gate: Gate::default(),
            is_stopping: false,
            revoked: None,
            is_incremental: false,
            flush: TaskSlot::default(),
            fetching: TaskSlot::default(),
            resolving: TaskSlot::default(),
            committing: TaskSlot::default(),
            examining: TaskSlot::default(),
            asking: TaskSlot::default(),
            asked_at: None,
        }
    }

    /// Runs until a stop was requested and everything accepted is durable and committed.
    pub(crate) async fn run(mut self) -> Result<(), SinkError> {
        let heart = self.context.outages.watch("intake", STALLED_AFTER);
        while !(self.is_stopping && self.is_drained()) {
            heart.beat();
            let event = self.next().await?;
            self.handle(event)?;
            self.advance()?;
        }
        drop(heart);
        self.consumer.commit().await
    }

    /// Waits for the next event. Nothing is lost when another arm is faster: tasks continue by themselves.
    async fn next(&mut self) -> Result<LoopEvent, SinkError> {
        let polls = !self.is_closed() || self.gate.is_paused();
        let due = [
            self.filling.due_at().filter(|_| !self.flush.is_running()),
            self.gate.due_at(),
        ];
        let due = due.into_iter().flatten().min();
        tokio::select! {
            biased;
            // 1. Abandoning comes before everything.
            () = self.shutdown.abandoned() => Err(SinkError::Abandoned),
            refused = self.consumer.refused() => Err(refused),
            // 2. Running tasks whose results make room, or let the group continue.
            outcome = self.flush.ended() => Ok(LoopEvent::Flushed(outcome?)),
            answered = self.fetching.ended() => answered.map(|(id, answer)| LoopEvent::Answered(id, answer)),
            starts = self.resolving.ended() => Ok(LoopEvent::Resolved(starts?)),
            committed = self.committing.ended() => committed.map(|()| LoopEvent::Committed),
            // 3. The group waits for an answer, one at a time.
            Some(asked) = self.channels.rebalances.recv(), if !self.is_answering() => Ok(LoopEvent::Asked(asked)),
            // 4. A stop ends intake, so it comes before intake.
            () = self.shutdown.stopping(), if !self.is_stopping => Ok(LoopEvent::Stop),
            // 5. Once a second each; behind messages they would never get a turn.
            examined = self.examining.ended() => Ok(LoopEvent::Examined(examined?)),
            Ok(()) = self.channels.stats.changed() => {
                Ok(LoopEvent::Stats(self.channels.stats.borrow_and_update().clone()))
            }
            ends = self.asking.ended() => Ok(LoopEvent::Ends(ends?)),
            // 6. A batch that waited long enough, or a gate that was closed too long.
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => Ok(LoopEvent::Time),
            // 7. Messages, and with them everything else that polling serves.
            received = self.consumer.recv(), if polls => Ok(match received {
                Ok(raw) => LoopEvent::Message(raw),
                Err(error) => LoopEvent::Trouble(error),
            }),
            // 8. With nothing to do, the loop still moves.
            () = sleep(BEAT) => Ok(LoopEvent::Time),
        }
    }

    fn handle(&mut self, event: LoopEvent) -> Result<(), SinkError> {
        match event {
            LoopEvent::Flushed(FlushOutcome::Durable(ends)) => self.store_offsets(&ends),
            LoopEvent::Flushed(FlushOutcome::TopicChanged(topic)) => self.begin_again(&topic)?,
            LoopEvent::Answered(id, answer) => self.decoder.learn(id, answer),
            LoopEvent::Resolved(starts) => self.assign(&starts),
            LoopEvent::Committed => self.give_back(),
            LoopEvent::Asked(rebalance) => self.asked(rebalance),
            LoopEvent::Stop => {
                // Messages that were not accepted were not committed: the next start reads them again.
                self.is_stopping = true;
                self.inbox.clear();
                self.context.outages.set_member(false);
            }
            LoopEvent::Examined(examined) => self.examined(&examined),
            LoopEvent::Stats(stats) => self.stats_changed(&stats),
            LoopEvent::Ends(ends) => self.learn_ends(&ends),
            LoopEvent::Message(raw) => self.inbox.extend(raw),
            LoopEvent::Trouble(error) => {
                let error = unreadable(error)?;
                tracing::warn!(%error, "Kafka: waiting for it to recover");
            }
            LoopEvent::Time => {}
        }
        Ok(())
    }

    /// Does what has become possible.
    fn advance(&mut self) -> Result<(), SinkError> {
        self.drain_inbox();
        if !self.flush.is_running() && self.is_ready_to_flush() {
            self.start_flush();
            self.drain_inbox();
        }
        self.commit_before_giving_back();
        match self.gate.pause_action(self.is_closed(), Instant::now()) {
            PauseAction::Stay => Ok(()),
            PauseAction::Pause => self.pause(true),
            PauseAction::Resume { blocked_for } => {
                metrics::record_blocked(blocked_for);
                self.pause(false)
            }
            PauseAction::Open { blocked_for } => {
                metrics::record_blocked(blocked_for);
                Ok(())
            }
        }
    }

    /// True while no message may be accepted.
    fn is_closed(&self) -> bool {
        self.is_stopping || self.revoked.is_some() || self.fetching.is_running() || self.filling.is_full()
    }

    /// True when everything that was accepted is durable, and known to be.
    fn is_drained(&self) -> bool {
        self.filling.is_empty() && !self.flush.is_running() && !self.partitions.have_moved()
    }

    fn is_ready_to_flush(&self) -> bool {
        if self.filling.is_empty() {
            // Positions that moved with nothing to write: past lost offsets.
            return self.partitions.have_moved();
        }
        self.filling.is_due() || self.is_stopping || self.revoked.is_some()
    }

    /// Accepts messages from the inbox as long as there is room.
    fn drain_inbox(&mut self) {
        while !self.is_closed()
            && let Some(raw) = self.inbox.pop_front()
        {
            if let Some(id) = self.decoder.needs(&raw) {
                self.inbox.push_front(raw);
                self.fetching.start(fetch(self.context.clone(), id));
                return;
            }
            self.accept(raw);
        }
    }

    fn accept(&mut self, raw: Raw) {
        let partition = raw.partition;
        // The partition was revoked meanwhile: its new owner reads the message.
        let Some(Accepted { identity, gap }) = self.partitions.accept(partition, raw.offset) else {
            return;
        };
        metrics::record_message(partition.source);
        let incarnation = identity.number;
        if let Some(gap) = gap {
            let entry = BatchEntry::Gap {
                partition,
                incarnation,
                gap,
                is_proven: false,
            };
            self.push(entry);
        }
        let position = partition.position(incarnation, raw.offset);
        let entry = self
            .decoder
            .entry(raw, position, self.context.clock.now_utc_millis());
        self.push(entry);
    }

    fn push(&mut self, entry: BatchEntry) {
        let bytes = entry.bytes();
        self.filling.push(entry, 1, bytes);
    }

    fn start_flush(&mut self) {
        let bytes = self.filling.bytes();
        let batch = entry::Batch {
            entries: self.filling.take(),
            ends: self.partitions.take_moved(),
            bytes,
        };
        let heart = self.context.outages.watch("flush", FLUSH_PATIENCE);
        let flushing = flush_batch(self.context.clone(), batch);
        self.flush.start(async move {
            let outcome = flushing.await;
            drop(heart);
            outcome
        });
    }

    fn pause(&self, is_paused: bool) -> Result<(), SinkError> {
        let switched = self.consumer.set_paused(&self.partitions.all(), is_paused);
        switched.map_err(SinkError::kafka("pausing or resuming partitions"))
    }
}
