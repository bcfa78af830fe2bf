//! Keeps erased people's data out: their offsets get receipts (E-1, P13).
//!
//! The sink checks before it stores a batch, and again afterwards. Data stored during an erasure is deleted
//! by the eraser or by this sink; one of them always sees it.

use std::collections::HashMap;

use bson::{RawDocument, RawDocumentBuf};
use pulseline_runtime::waits::Hop;
use pulseline_schemas::ownership::{Left, without_days};
use pulseline_schemas::{Owner, Position, Stream, collections};
use pulseline_tombstones::{Tombstones, hold_day};

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
    /// The stream of an event; none for a dead letter.
    stream: Option<Stream>,
}

/// Decides what is stored of a person's message: by the person, and by the days of its document (P17).
fn left(tombstones: &Tombstones, owned: &Owned, document: Option<&RawDocument>) -> Left {
    if tombstones.hold_key(&owned.owner) {
        return Left::Nothing;
    }
    let days = tombstones.days_of_key(&owned.owner);
    match (owned.stream, document) {
        (Some(stream), Some(document)) if !days.is_empty() => {
            without_days(stream, document, |day| hold_day(days, day))
        }
        _ => Left::All,
    }
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
                stream: Some(event.stream),
            })
        }
        BatchEntry::DeadLetter(dead_letter) => Some(Owned {
            owner: dead_letter.key.clone()?,
            position: dead_letter.position.clone(),
            collection: collections::DEAD_LETTERS,
            document_id: dead_letter.id(),
            stream: None,
        }),
        BatchEntry::Gap { .. } => None,
    }
}

/// Splits a batch into the erased people's messages and the rest. An event that is erased in part stays without that part.
pub(super) fn refuse(entries: &mut Vec<BatchEntry>, tombstones: &Tombstones) -> (Vec<Owned>, Vec<Owned>) {
    let (mut refused, mut kept) = (Vec::new(), Vec::new());
    entries.retain_mut(|entry| {
        let Some(owned) = owned(entry) else { return true };
        let left = match entry {
            BatchEntry::Event(event) => left(tombstones, &owned, Some(&event.document)),
            BatchEntry::DeadLetter(_) | BatchEntry::Gap { .. } => left(tombstones, &owned, None),
        };
        if let (Left::Part(part), BatchEntry::Event(event)) = (&left, entry) {
            event.document.clone_from(part);
        }
        let is_erased = left == Left::Nothing;
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
        let (mut refused, mut others) = (Vec::new(), Vec::new());
        for owned in kept {
            match left_of_stored(context, &tombstones, &owned).await? {
                Left::All => others.push(owned),
                Left::Nothing => refused.push(owned),
                Left::Part(part) => {
                    let replace = || replace(context, &owned, &part);
                    let outages = &context.outages;
                    let shortening = outages.outlast(Hop::Mongo, "deleting what is of the erased", replace);
                    shortening.await?;
                    others.push(owned);
                }
            }
        }
        kept = others;
        settle(context, refused).await?;
    }
    Ok(())
}

async fn left_of_stored(
    context: &Context,
    tombstones: &Tombstones,
    owned: &Owned,
) -> Result<Left, SinkError> {
    let is_decided = tombstones.hold_key(&owned.owner) || tombstones.days_of_key(&owned.owner).is_empty();
    if is_decided || owned.stream.is_none() {
        return Ok(left(tombstones, owned, None));
    }
    let find = || context.store.find_at(owned.collection, &owned.position);
    let found = context
        .outages
        .outlast(Hop::Mongo, "looking for what is of the erased", find)
        .await?;
    // None: a duplicate, whose event is stored at another offset, or the eraser was there first.
    Ok(left(tombstones, owned, found.as_deref()))
}

/// Stores a document again without what is erased of it. Killed in between, the sink reads the message again, because its
/// offset is not committed.
async fn replace(context: &Context, owned: &Owned, part: &RawDocumentBuf) -> Result<(), SinkError> {
    let (store, collection) = (&context.store, owned.collection);
    store.delete(collection, &[&owned.document_id]).await?;
    store.insert(collection, std::slice::from_ref(part)).await?;
    Ok(())
}
