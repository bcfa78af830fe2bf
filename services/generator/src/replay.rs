//! Replays files to Kafka: one thread reads and encodes, one task paces and sends.

mod zones;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use pulseline_archive::{Archive, ArchiveError, Item, Survey};
use pulseline_runtime::clock::Clock;
use pulseline_runtime::retry::{RetryError, retry_transient};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::{Stream, UtcMillis};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::config::Speed;
use crate::counts::{Counts, Summary};
use crate::error::GeneratorError;
use crate::metrics;
use crate::pace::Pace;
use crate::produce::deliver::deliver;
use crate::produce::message::Message;
use crate::produce::sender::Sender;
use crate::simulate::{GeneratorConnections, prepare};

/// Most encoded messages between reading and sending: a few kB each.
const READ_MESSAGES: usize = 128;

/// Settings of a replay.
#[derive(Clone, Copy, Debug)]
pub struct ReplayConfig {
    /// Speed relative to the time that all readings span. Files are read in turn, so the speed applies to the
    /// whole, not to each reading.
    pub speed: Speed,
    /// Partitions of created topics.
    pub partitions: i32,
}

/// An archive with its survey and progress.
#[derive(Debug)]
pub struct SurveyedArchive {
    /// The files.
    pub archive: Archive,
    /// Their summary.
    pub survey: Survey,
    /// Bytes read, of [`Archive::bytes`].
    pub consumed: AtomicU64,
}

impl SurveyedArchive {
    /// The instant that corresponds to this many bytes, assuming evenly distributed readings.
    fn reached(&self, consumed: u64) -> UtcMillis {
        let oldest = self.survey.people.iter().filter_map(|person| person.oldest).min();
        let newest = self.survey.people.iter().filter_map(|person| person.newest).max();
        let (Some(UtcMillis(oldest)), Some(UtcMillis(newest))) = (oldest, newest) else {
            return UtcMillis::default();
        };
        let share = consumed as f64 / self.archive.bytes().max(1) as f64;
        UtcMillis(oldest + ((newest - oldest) as f64 * share) as i64)
    }
}

/// Sends all events of the files; refused records go to the topic of dead letters. The same files give the same events,
/// so a replay can be repeated at any time. `counts` is updated meanwhile.
///
/// # Errors
/// An unreadable file, a person whose files were replayed in another zone, or a rejection by Kafka or the registry.
/// Outages are retried.
pub fn replay(
    source: Arc<SurveyedArchive>,
    config: ReplayConfig,
    connections: &GeneratorConnections,
    (clock, counts): (Clock, Arc<Counts>),
    shutdown: Shutdown,
) -> BoxFuture<'_, Result<Summary, GeneratorError>> {
    Box::pin(async move {
        metrics::describe();
        // Connects while topics and schemas are prepared.
        let sender = Sender::new(&connections.kafka, Arc::clone(&counts))?;
        let Some(schema_ids) = prepare(config.partitions, connections, &shutdown).await? else {
            return Ok(counts.snapshot());
        };
        let recording = || zones::record(&connections.kafka, &source.survey);
        match retry_transient(&shutdown, "recording time zones", recording).await {
            Ok(()) => {}
            Err(RetryError::Failed(error)) => return Err(error),
            Err(RetryError::Abandoned) => return Ok(counts.snapshot()),
        }
        let (read, messages) = mpsc::channel(READ_MESSAGES);
        let reader = start_reading(Arc::clone(&source), schema_ids, read);
        let pace = |at| Pace::new(clock.clone(), config.speed, at);
        deliver(&sender, messages, pace, &shutdown).await?;
        reader.await.map_err(|_| GeneratorError::Planner)??;
        Ok(counts.snapshot())
    })
}

fn start_reading(
    source: Arc<SurveyedArchive>,
    schema_ids: [u32; Stream::COUNT],
    read: mpsc::Sender<Message>,
) -> JoinHandle<Result<(), GeneratorError>> {
    tokio::task::spawn_blocking(move || {
        let mut events = source.archive.events(&source.survey);
        while let Some(item) = events.next() {
            let consumed = events.consumed();
            source.consumed.store(consumed, Ordering::Relaxed);
            let due = source.reached(consumed);
            let message = match item.map_err(GeneratorError::from)? {
                Item::Event(event) => Message::replayed(&event, &schema_ids, due)?,
                Item::Refused(refused) => Message::refused(refused, due),
            };
            // The receiver is closed: a stop was requested.
            if read.blocking_send(message).is_err() {
                break;
            }
        }
        Ok(())
    })
}

impl From<ArchiveError> for GeneratorError {
    fn from(error: ArchiveError) -> Self {
        Self::Archive(Box::new(error))
    }
}
