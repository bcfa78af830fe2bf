//! MongoDB's collection of dead letters, as writers use it.

use bson::{RawDocumentBuf, doc};
use mongodb::Collection;
use pulseline_runtime::clock::system_utc_millis;
use pulseline_schemas::{Position, ReceiptDocument, UtcMillis, collections};
use pulseline_tombstones::{Key, Register, is_there_already};

use super::erase::Erased;
use super::warehouse::{Answer, DeadLetterStore};
use crate::account::AccountKind;
use crate::dead_letter::DeadLetter;
use crate::error::LoaderError;

impl DeadLetterStore for Collection<RawDocumentBuf> {
    fn store<'a>(&'a self, dead_letters: &'a [&'a DeadLetter]) -> Answer<'a, ()> {
        Box::pin(async move {
            let documents = dead_letters.iter().map(|dead_letter| dead_letter.to_document());
            insert(self, documents.collect(), "storing dead letters").await
        })
    }

    fn delete<'a>(&'a self, erased: &'a Erased) -> Answer<'a, ()> {
        Box::pin(async move {
            if !erased.offsets.is_empty() {
                let database = self.client().database(&self.namespace().db);
                let receipts = erased.offsets.iter().map(receipt).collect();
                let collection = database.collection(collections::RECEIPTS);
                insert(&collection, receipts, "storing receipts for the erased").await?;
            }
            let deleted = self
                .delete_many(doc! { "_id": { "$in": &erased.dead_letters } })
                .await;
            deleted
                .map(drop)
                .map_err(LoaderError::mongo("deleting dead letters of the erased"))
        })
    }

    fn erasure_key(&self) -> Answer<'_, Option<Key>> {
        Box::pin(async move {
            let database = self.client().database(&self.namespace().db);
            let key = Register::of(&database).key().await;
            key.map_err(LoaderError::mongo(
                "reading the key of the erased people's hashes",
            ))
        })
    }
}

/// Inserts documents; existing ones stay as they are.
async fn insert(
    collection: &Collection<RawDocumentBuf>,
    documents: Vec<RawDocumentBuf>,
    what: &'static str,
) -> Result<(), LoaderError> {
    match collection.insert_many(&documents).ordered(false).await {
        Err(error) if !is_there_already(&error) => Err(LoaderError::mongo(what)(error)),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn receipt(position: &Position) -> RawDocumentBuf {
    let receipt = ReceiptDocument {
        id: &position.to_string(),
        kind: AccountKind::Erased.name(),
        event_id: None,
        position,
        last: position.offset,
    };
    receipt.stored(UtcMillis(system_utc_millis()))
}
