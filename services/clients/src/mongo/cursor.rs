//! A cursor over the documents of a query, batch by batch.

use std::fmt;

use bson::{RawDocument, RawDocumentBuf};
use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use mongodb::error::{Error, Result};
use mongodb::raw_batch_cursor::{RawBatch, RawBatchCursor};

/// The documents of a query that the server has not sent yet.
pub struct Cursor {
    batches: BoxStream<'static, Result<RawBatch>>,
}

impl Cursor {
    pub(super) fn of(batches: RawBatchCursor) -> Self {
        Self {
            batches: Box::pin(batches),
        }
    }

    /// The next batch of documents; none at the end.
    ///
    /// # Errors
    /// The server's error.
    pub fn next_batch(&mut self) -> BoxFuture<'_, Result<Option<Batch>>> {
        Box::pin(async { Ok(self.batches.try_next().await?.map(Batch)) })
    }

    /// All documents, for those that are few.
    ///
    /// # Errors
    /// The server's error.
    pub fn all(mut self) -> BoxFuture<'static, Result<Vec<RawDocumentBuf>>> {
        Box::pin(async move {
            let mut all = Vec::new();
            while let Some(batch) = self.next_batch().await? {
                all.extend(batch.documents()?.into_iter().map(RawDocument::to_owned));
            }
            Ok(all)
        })
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor").finish_non_exhaustive()
    }
}

/// The documents of one reply of the server.
#[derive(Clone, Debug)]
pub struct Batch(RawBatch);

impl Batch {
    /// Its documents, which may be none. They are not copied.
    ///
    /// # Errors
    /// A reply that is not a list of documents.
    pub fn documents(&self) -> Result<Vec<&RawDocument>> {
        let mut documents = Vec::new();
        for item in self.0.doc_slices()? {
            let document = item?.as_document();
            documents.push(document.ok_or_else(|| Error::custom("an item of a batch is not a document"))?);
        }
        Ok(documents)
    }
}
