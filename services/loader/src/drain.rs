//! Writes what was read, in batches. While one batch is written the next one fills.

use std::time::Duration;

use pulseline_runtime::clock::system_utc_millis;
use tokio::sync::mpsc::Receiver;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::time::Instant;

use crate::batch::{Batch, Progress};
use crate::byte_bounded::Message;
use crate::config::LoaderConfig;
use crate::error::LoaderError;
use crate::metrics;
use crate::write::Writer;

/// How many times as long as the last write the next batch fills, at least, while data keeps coming.
const REST: u32 = 2;
/// Longest that it fills for that reason: one slow write does not delay live readings.
const MOST_REST: Duration = Duration::from_secs(1);

/// A batch that fills.
struct Filling {
    batch: Batch,
    is_idle: bool,
}

/// The result of a commit.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) documents: usize,
    /// Rows written: readings that are new or different, and whole rows that are not older.
    pub(crate) changed: u64,
}

/// Writes everything that arrives, until the reader ends. Calls `committed` after each commit.
pub(crate) async fn drain(
    writer: &mut Writer,
    mut messages: Receiver<Message>,
    config: &LoaderConfig,
    mut committed: impl FnMut(Written),
) -> Result<(), LoaderError> {
    let wait = Duration::from_millis(config.batch_wait_ms);
    // A batch waits only while data keeps coming: a short wait makes fewer, larger transactions.
    let mut next_batch = Instant::now();
    let mut last_save: Option<Instant> = None;
    let mut is_news = true;
    let mut unsaved = Progress::default();
    while let Some(first) = messages.recv().await {
        let mut written = Written::default();
        let mut filling = fill(first, &mut messages, config, next_batch).await;
        unsaved.follow(std::mem::take(&mut filling.batch.progress));
        if filling.batch.is_empty() {
            report(writer, &unsaved, filling.is_idle);
            // The first idle poll after a batch is saved at once: it shows that nothing more came.
            let is_end = is_news && filling.is_idle;
            if !is_end && last_save.is_some_and(|at| at.elapsed() < config.idle_save()) {
                continue;
            }
            writer.save(&std::mem::take(&mut unsaved)).await?;
            is_news &= !filling.is_idle;
        } else {
            filling.batch.progress = std::mem::take(&mut unsaved);
            let began = Instant::now();
            written.changed = writer.write(&mut filling.batch).await?;
            // A slower store gets fewer requests.
            next_batch = Instant::now() + wait.max((began.elapsed() * REST).min(MOST_REST));
            written.documents = filling.batch.documents;
            report(writer, &filling.batch.progress, filling.is_idle);
            is_news = true;
        }
        last_save = Some(Instant::now());
        committed(written);
    }
    if unsaved.position.is_some() {
        writer.save(&unsaved).await?;
    }
    Ok(())
}

/// Takes what has arrived, and what comes until `linger`, up to the limits of a batch.
async fn fill(
    first: Message,
    messages: &mut Receiver<Message>,
    config: &LoaderConfig,
    linger: Instant,
) -> Filling {
    let mut filling = Filling {
        batch: Batch::default(),
        is_idle: false,
    };
    filling.take(first);
    while filling.batch.rows < config.batch_rows && filling.batch.bytes < config.batch_bytes {
        let next = match messages.try_recv() {
            Ok(message) => Some(message),
            Err(TryRecvError::Disconnected) => None,
            Err(TryRecvError::Empty) if filling.is_idle || Instant::now() >= linger => None,
            Err(TryRecvError::Empty) => tokio::time::timeout_at(linger, messages.recv())
                .await
                .ok()
                .flatten(),
        };
        let Some(message) = next else { break };
        filling.take(message);
    }
    filling
}

impl Filling {
    fn take(&mut self, message: Message) {
        match message {
            Message::Document {
                mapped,
                progress,
                bytes,
                permit,
            } => {
                self.is_idle = false;
                self.batch.progress.follow(progress);
                self.batch.push(*mapped, bytes, Some(permit));
            }
            Message::Passed(progress) => {
                self.is_idle = false;
                self.batch.progress.follow(progress);
            }
            Message::Idle(progress) => {
                self.is_idle = true;
                self.batch.progress.follow(progress);
            }
        }
    }
}

fn report(writer: &Writer, progress: &Progress, is_idle: bool) {
    let now = system_utc_millis();
    let behind = progress.cluster_time.filter(|_| !is_idle);
    metrics::record_progress(writer.source(), now, behind.map_or(0, |at| now - at));
}

#[cfg(test)]
mod tests;
