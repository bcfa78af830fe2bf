//! MongoDB's dead letters, as writers use them.

use bson::{RawDocumentBuf, doc};
use pulseline_clients::mongo::Database;
use pulseline_runtime::clock::system_utc_millis;
use pulseline_schemas::collections::{DEAD_LETTERS, RECEIPTS};
use pulseline_schemas::{Position, ReceiptDocument, UtcMillis};
use pulseline_tombstones::{Key, Register};

use super::erase::Erased;
use super::warehouse::{Answer, DeadLetterStore};
use crate::account::AccountKind;
use crate::dead_letter::DeadLetter;
use crate::error::LoaderError;

impl DeadLetterStore for Database {
    fn store<'a>(&'a self, dead_letters: &'a [&'a DeadLetter]) -> Answer<'a, ()> {
        Box::pin(async move {
            let documents = dead_letters.iter().map(|dead_letter| dead_letter.to_document());
            let documents: Vec<RawDocumentBuf> = documents.collect();
            let inserted = self.collection(DEAD_LETTERS).insert_missing(&documents).await;
            inserted.map_err(LoaderError::mongo("storing dead letters"))
        })
    }

    fn delete<'a>(&'a self, erased: &'a Erased) -> Answer<'a, ()> {
        Box::pin(async move {
            if !erased.offsets.is_empty() {
                let receipts: Vec<RawDocumentBuf> = erased.offsets.iter().map(receipt).collect();
                let inserted = self.collection(RECEIPTS).insert_missing(&receipts).await;
                inserted.map_err(LoaderError::mongo("storing receipts for the erased"))?;
            }
            let gone = doc! { "_id": { "$in": &erased.dead_letters } };
            let deleted = self.collection(DEAD_LETTERS).delete_many(gone).await;
            deleted
                .map(drop)
                .map_err(LoaderError::mongo("deleting dead letters of the erased"))
        })
    }

    fn erasure_key(&self) -> Answer<'_, Option<Key>> {
        Box::pin(async move {
            let key = Register::of(self).key().await;
            key.map_err(LoaderError::mongo(
                "reading the key of the erased people's hashes",
            ))
        })
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
