//! Reads documents of a collection and hands them to a writer, page by page.

use pulseline_clients::mongo::{Collection, Find};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::pages::{Pages, Read, Request};

use crate::batch::Progress;
use crate::byte_bounded::ByteBoundedSender;
use crate::config::LoaderConfig;
use crate::drain::{self, Written};
use crate::error::LoaderError;
use crate::write::Writer;

/// Documents per reply of the server.
const FETCH_DOCUMENTS: u32 = 1_000;

/// Documents of a collection.
pub(crate) struct Reading {
    pub(crate) collection: Collection,
    pub(crate) pages: Pages,
}

impl Reading {
    /// Reads and writes the documents, with `writer`; true when it reached the end.
    pub(crate) async fn load(
        self,
        writer: &mut Writer,
        config: &LoaderConfig,
        shutdown: &Shutdown,
        committed: impl FnMut(Written),
    ) -> Result<bool, LoaderError> {
        let shutdown = shutdown.child();
        let (sender, messages) = ByteBoundedSender::new(writer.source(), config, &shutdown);
        // A separate task: when this is cancelled, a driver's future is not dropped halfway.
        let reader = tokio::spawn(self.scan(sender));
        let drained = drain::drain(writer, messages, config, committed).await;
        shutdown.stop();
        let read = reader
            .await
            .map_err(|error| LoaderError::Task(error.to_string()))?;
        // The writer's error comes first: the reader's may only follow from it.
        drained?;
        read
    }

    async fn scan(mut self, sender: ByteBoundedSender) -> Result<bool, LoaderError> {
        while let Some(request) = self.pages.request() {
            if sender.is_stopped() || !self.page(request, &sender).await? {
                return Ok(false);
            }
            self.pages.end();
        }
        Ok(true)
    }

    /// Hands a page over; false when reading should end.
    async fn page(&mut self, request: Request, sender: &ByteBoundedSender) -> Result<bool, LoaderError> {
        let failed = || LoaderError::mongo("reading a collection");
        let how = Find {
            sort: Some(request.sort).filter(|sort| !sort.is_empty()),
            limit: Some(request.limit),
            batch_size: Some(FETCH_DOCUMENTS),
            projection: None,
        };
        let cursor = self.collection.find(request.filter, how).await;
        let mut cursor = cursor.map_err(failed())?;
        while let Some(batch) = cursor.next_batch().await.map_err(failed())? {
            for document in batch.documents().map_err(failed())? {
                let Read::Take(page_position) = self.pages.read(document) else {
                    continue;
                };
                let progress = Progress {
                    page_position,
                    ..Progress::default()
                };
                if sender.is_stopped() || !sender.document(document, progress).await {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
