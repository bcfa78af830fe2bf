//! The byte-bounded channel between a reader and its writer: it maps documents, keeps their order, and stays within a budget.

use std::sync::Arc;
use std::time::Instant;

use bson::RawDocument;
use pulseline_runtime::clock::system_utc_millis;
use pulseline_runtime::shutdown::Shutdown;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::batch::Progress;
use crate::config::LoaderConfig;
use crate::document::SourceCollection;
use crate::map::{self, Mapped};
use crate::metrics;

/// Documents that may wait for the writer; a separate budget bounds their bytes.
const WAITING_DOCUMENTS: usize = 1_024;

/// What a reader sends to its writer, in stream order.
pub(crate) enum Message {
    /// A mapped document.
    Document {
        mapped: Box<Mapped>,
        progress: Progress,
        bytes: usize,
        permit: OwnedSemaphorePermit,
    },
    /// The stream moved on, with nothing for this writer.
    Passed(Progress),
    /// A poll found nothing more.
    Idle(Progress),
}

/// The reader's half of the channel.
pub(crate) struct ByteBoundedSender {
    source: SourceCollection,
    sender: mpsc::Sender<Message>,
    budget: Arc<Semaphore>,
    most_bytes: usize,
    shutdown: Shutdown,
}

impl ByteBoundedSender {
    /// Creates a channel with a budget for one batch being written and one that fills.
    pub(crate) fn new(
        source: SourceCollection,
        config: &LoaderConfig,
        shutdown: &Shutdown,
    ) -> (Self, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel(WAITING_DOCUMENTS);
        let budget = Arc::new(Semaphore::new(config.batch_bytes * 2));
        let sender = Self {
            source,
            sender,
            budget,
            most_bytes: config.batch_bytes,
            shutdown: shutdown.clone(),
        };
        (sender, receiver)
    }

    pub(crate) fn source(&self) -> SourceCollection {
        self.source
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.shutdown.is_stopping()
    }

    /// Maps a document and sends it, waiting for room; false when reading should end.
    pub(crate) async fn document(&self, document: &RawDocument, progress: Progress) -> bool {
        let bytes = document.as_bytes().len();
        // A document larger than a whole batch still passes, alone.
        let wanted = u32::try_from(bytes.min(self.most_bytes)).unwrap_or(u32::MAX);
        let mapped = Box::new(map::map(self.source, document, system_utc_millis()));
        let Some(permit) = self.room(wanted).await else {
            return false;
        };
        self.send(Message::Document {
            mapped,
            progress,
            bytes,
            permit,
        })
        .await
    }

    async fn room(&self, bytes: u32) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.budget).try_acquire_many_owned(bytes) {
            return Some(permit);
        }
        let since = Instant::now();
        let permit = tokio::select! {
            biased;
            () = self.shutdown.stopping() => None,
            permit = Arc::clone(&self.budget).acquire_many_owned(bytes) => permit.ok(),
        };
        metrics::record_blocked(self.source, since.elapsed());
        permit
    }

    /// Sends a message, waiting for room; false when reading should end.
    pub(crate) async fn send(&self, message: Message) -> bool {
        let since = Instant::now();
        let full = self.sender.capacity() == 0;
        let sent = tokio::select! {
            biased;
            () = self.shutdown.stopping() => false,
            sent = self.sender.send(message) => sent.is_ok(),
        };
        if full {
            metrics::record_blocked(self.source, since.elapsed());
        }
        sent
    }
}
