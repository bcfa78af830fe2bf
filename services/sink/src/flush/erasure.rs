//! Keeps erased people's data out: their offsets get receipts (E-1, P13).
//!
//! The sink checks before it stores a batch, and again afterwards. Data stored during an erasure is deleted
//! by the eraser or by this sink; one of them always sees it.

use std::collections::HashMap;

use pulseline_runtime::waits::Hop;
use pulseline_schemas::{Owner, Position, collections};
use pulseline_tombstones::Tombstones;

use super::gaps;
use crate::context::Context;
use crate::dead_letters::DeadLetter;
use crate::entry::BatchEntry;
use crate::error::SinkError;
use crate::metrics;
use crate::receipts::Receipt;

/// A person's message, and the document that it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owned {
    /// The person: an id as text or bytes.
    owner: Vec<u8>,
    position: Position,
    collection: &'static str,
    document_id: String,
}

/// The person that a message belongs to; none for a message of no person.
fn owned(entry: &BatchEntry) -> Option<Owned> {
    match entry {
        BatchEntry::Event(event) => {
            let field = match event.stream.owner() {
                Owner::Device => "device_id",
                Owner::User => "user_id",
            };
            Some(Owned {
                owner: event.document.get_str(field).ok()?.as_bytes().to_vec(),
                position: event.position.clone(),
                collection: event.stream.collection(),
                document_id: event.event_id.to_string(),
            })
        }
        BatchEntry::DeadLetter(dead_letter) => Some(Owned {
            owner: dead_letter.key.clone()?,
            position: dead_letter.position.clone(),
            collection: collections::DEAD_LETTERS,
            document_id: dead_letter.id(),
        }),
        BatchEntry::Gap { .. } => None,
    }
}

/// Splits a batch into the erased people's messages and the rest.
pub(super) fn refuse(entries: &mut Vec<BatchEntry>, tombstones: &Tombstones) -> (Vec<Owned>, Vec<Owned>) {
    let (mut refused, mut kept) = (Vec::new(), Vec::new());
    entries.retain(|entry| {
        let Some(owned) = owned(entry) else { return true };
        let is_erased = tombstones.hold_key(&owned.owner);
        if is_erased {
            refused.push(owned);
        } else {
            kept.push(owned);
        }
        !is_erased
    });
    (refused, kept)
}

/// The id of the dead letter that an event may have become: its id is stored with other content, or
/// MongoDB refused it.
fn as_dead_letter(owned: &Owned) -> Option<Owned> {
    (owned.collection != collections::DEAD_LETTERS).then(|| Owned {
        collection: collections::DEAD_LETTERS,
        document_id: DeadLetter::id_at(&owned.position),
        ..owned.clone()
    })
}

/// Writes receipts for refused messages. Documents that an earlier attempt stored are deleted afterwards.
pub(super) async fn settle(context: &Context, refused: Vec<Owned>) -> Result<(), SinkError> {
    if refused.is_empty() {
        return Ok(());
    }
    let receipts = refused
        .iter()
        .map(|owned| Receipt::erased(owned.position.clone()));
    gaps::store_receipts(context, receipts.collect()).await?;
    metrics::record_erased(refused.iter().map(|owned| owned.position.topic.as_str()));
    let mut by_collection: HashMap<&'static str, Vec<Owned>> = HashMap::new();
    let dead_letters: Vec<Owned> = refused.iter().filter_map(as_dead_letter).collect();
    for owned in refused.into_iter().chain(dead_letters) {
        by_collection.entry(owned.collection).or_default().push(owned);
    }
    for (collection, owned) in by_collection {
        let delete = || delete(context, collection, &owned);
        let outages = &context.outages;
        outages
            .outlast(Hop::Mongo, "deleting what is of the erased", delete)
            .await?;
    }
    Ok(())
}

async fn delete(context: &Context, collection: &'static str, owned: &[Owned]) -> Result<(), SinkError> {
    let ids: Vec<String> = owned.iter().map(|owned| owned.document_id.clone()).collect();
    let stored = context.store.find_events(collection, &ids).await?;
    // The eraser deletes a document at another offset, and writes its receipt.
    let own = owned.iter().filter(|owned| {
        let stored = stored.get(&owned.document_id);
        stored.is_some_and(|stored| stored.position == owned.position)
    });
    let own: Vec<&str> = own.map(|owned| owned.document_id.as_str()).collect();
    context.store.delete(collection, &own).await
}

/// Checks again once the batch is stored: people erased meanwhile are treated as if they had been known.
pub(super) async fn check_again(context: &Context, mut kept: Vec<Owned>) -> Result<(), SinkError> {
    let ask = || context.erasures.refresh();
    while let Some(tombstones) = context
        .outages
        .outlast(Hop::Mongo, "asking who was erased", ask)
        .await?
    {
        let (refused, others) = kept
            .into_iter()
            .partition(|owned| tombstones.hold_key(&owned.owner));
        kept = others;
        settle(context, refused).await?;
    }
    Ok(())
}
