//! Reading: one task owns a stream of documents, maps them, and feeds the writer within a budget of bytes.
//!
//! A driver future is never dropped half way: the stop flag is looked at between calls, which the server holds
//! open for a bounded time.

use std::sync::Arc;
use std::time::Instant;

use bson::{RawBson, RawDocument, RawDocumentBuf, doc};
use mongodb::Collection;
use mongodb::change_stream::ChangeStream;
use mongodb::change_stream::event::ResumeToken;
use pulseline_runtime::clock::system_utc_millis;
use pulseline_runtime::shutdown::Shutdown;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::batch::Progress;
use crate::config::LoaderConfig;
use crate::error::LoaderError;
use crate::event::{self, Change};
use crate::map::{self, Mapped, Source};
use crate::metrics;

/// Documents that may wait for the writer; their bytes are bounded apart.
const WAITING_DOCUMENTS: usize = 1_024;
/// Documents a server sends at once.
const FETCH_DOCUMENTS: u32 = 1_000;
/// Attempts to open a stream that tells its position before its first event.
const TOKEN_ATTEMPTS: usize = 20;

/// What a reader tells the writer, in the order of the stream.
pub(crate) enum Message {
    /// A document, mapped.
    Document {
        mapped: Box<Mapped>,
        progress: Progress,
        id: Option<RawBson>,
        bytes: usize,
        permit: OwnedSemaphorePermit,
    },
    /// A poll found nothing more.
    Idle(Progress),
}

/// The sending half of a reader.
pub(crate) struct Feed {
    source: Source,
    sender: mpsc::Sender<Message>,
    budget: Arc<Semaphore>,
    most_bytes: usize,
    stop: CancellationToken,
    shutdown: Shutdown,
}

impl Feed {
    /// A feed whose budget is one batch in flight and one filling.
    pub(crate) fn new(
        source: Source,
        config: &LoaderConfig,
        shutdown: Shutdown,
    ) -> (Self, mpsc::Receiver<Message>) {
        let (sender, receiver) = mpsc::channel(WAITING_DOCUMENTS);
        let budget = Arc::new(Semaphore::new(config.batch_bytes * 2));
        let stop = CancellationToken::new();
        (
            Self {
                source,
                sender,
                budget,
                most_bytes: config.batch_bytes,
                stop,
                shutdown,
            },
            receiver,
        )
    }

    /// Ends this reader, and no other.
    pub(crate) fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled() || self.shutdown.is_stopping()
    }

    async fn stopped(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.shutdown.stopping() => {}
        }
    }

    /// Maps a document and hands it over, waiting for room; false when reading should end.
    pub(crate) async fn document(
        &self,
        document: &RawDocument,
        progress: Progress,
        id: Option<RawBson>,
    ) -> bool {
        let bytes = document.as_bytes().len();
        // A document larger than a whole batch still has to pass, alone.
        let wanted = u32::try_from(bytes.min(self.most_bytes)).unwrap_or(u32::MAX);
        let mapped = Box::new(map::map(self.source, document, system_utc_millis()));
        let Some(permit) = self.room(wanted).await else {
            return false;
        };
        self.send(Message::Document {
            mapped,
            progress,
            id,
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
            () = self.stopped() => None,
            permit = Arc::clone(&self.budget).acquire_many_owned(bytes) => permit.ok(),
        };
        metrics::record_blocked(self.source, since.elapsed());
        permit
    }

    async fn send(&self, message: Message) -> bool {
        let since = Instant::now();
        let full = self.sender.capacity() == 0;
        let sent = tokio::select! {
            biased;
            () = self.stopped() => false,
            sent = self.sender.send(message) => sent.is_ok(),
        };
        if full {
            metrics::record_blocked(self.source, since.elapsed());
        }
        sent
    }
}

/// Opens a change stream after a token, or at the present.
pub(crate) async fn open(
    collection: &Collection<RawDocumentBuf>,
    after: Option<ResumeToken>,
    config: &LoaderConfig,
) -> Result<ChangeStream<RawDocumentBuf>, LoaderError> {
    // Deletes come from erasure and are no news; an invalidation has to be seen.
    let inserts = doc! { "$match": { "operationType": { "$in": ["insert", "invalidate"] } } };
    // `start_after`, never `resume_after`: only it passes an invalidation.
    let watch = collection
        .watch()
        .pipeline([inserts])
        .max_await_time(config.max_await())
        .batch_size(FETCH_DOCUMENTS);
    let watch = match after {
        Some(token) => watch.start_after(token),
        None => watch,
    };
    let stream = watch
        .await
        .map_err(LoaderError::mongo("opening a change stream"))?;
    Ok(stream.with_type::<RawDocumentBuf>())
}

/// The position of the present moment: everything before it is in the collection already.
pub(crate) async fn present(
    source: Source,
    collection: &Collection<RawDocumentBuf>,
    config: &LoaderConfig,
) -> Result<ResumeToken, LoaderError> {
    for _ in 0..TOKEN_ATTEMPTS {
        // A stream whose very first reply holds events does not tell where it began: opened again.
        if let Some(token) = open(collection, None, config).await?.resume_token() {
            return Ok(token);
        }
    }
    Err(LoaderError::Protocol {
        collection: source.name(),
        detail: "the server does not tell the position of a new change stream (postBatchResumeToken)".into(),
    })
}

/// Follows a change stream until told to stop.
pub(crate) async fn follow(mut stream: ChangeStream<RawDocumentBuf>, feed: Feed) -> Result<(), LoaderError> {
    let broken = |detail| LoaderError::Protocol {
        collection: feed.source.name(),
        detail,
    };
    let invalidated = || LoaderError::Invalidated {
        collection: feed.source.name(),
    };
    while !feed.is_stopped() {
        let asked_at = system_utc_millis();
        let event = stream
            .next_if_any()
            .await
            .map_err(LoaderError::mongo("reading a change stream"))?;
        let token = stream.resume_token();
        let Some(event) = event else {
            if !stream.is_alive() {
                return Err(invalidated());
            }
            let cluster_time = token.as_ref().and_then(event::token_time);
            let idle = Progress {
                token,
                cluster_time,
                caught_up_at: Some(asked_at),
            };
            if !feed.send(Message::Idle(idle)).await {
                return Ok(());
            }
            continue;
        };
        match event::read(&event).map_err(broken)? {
            Change::Inserted {
                document,
                cluster_time,
            } => {
                let progress = Progress {
                    token,
                    cluster_time,
                    caught_up_at: None,
                };
                if !feed.document(document, progress, None).await {
                    return Ok(());
                }
            }
            Change::Invalidated => return Err(invalidated()),
            Change::Other => {}
        }
    }
    Ok(())
}
