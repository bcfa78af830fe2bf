//! Stores events in the collection of their stream, and judges those that exist already.

use std::collections::HashMap;

use bson::RawDocumentBuf;
use pulseline_clients::mongo::Fault;
use pulseline_runtime::waits::Hop;
use pulseline_schemas::Stream;

use crate::context::Context;
use crate::dead_letters::{DeadLetter, Reason};
use crate::duplicates::{Stored, Verdict, judge};
use crate::entry::Pending;
use crate::error::SinkError;
use crate::event_store::{EventStore, Failure};
use crate::receipts::Receipt;

/// What became of the events of one stream.
#[derive(Debug)]
pub(super) struct Settled {
    pub(super) stream: Stream,
    pub(super) stored: u64,
    pub(super) retries: u64,
    pub(super) receipts: Vec<Receipt>,
    pub(super) dead_letters: Vec<DeadLetter>,
}

/// What to do about an event that was not inserted.
enum Remedy {
    Nothing,
    Receipt,
    DeadLetter(Reason, String),
}

/// Stores the events of one stream.
pub(super) async fn store(
    context: Context,
    stream: Stream,
    events: Vec<Pending>,
) -> Result<Settled, SinkError> {
    let (events, documents) = split(events);
    let attempt = || attempt(&*context.store, stream, &events, &documents);
    let remedies = context
        .outages
        .outlast(Hop::Mongo, "storing events", attempt)
        .await?;
    let mut settled = Settled {
        stream,
        stored: events.len().saturating_sub(remedies.len()) as u64,
        retries: 0,
        receipts: Vec::new(),
        dead_letters: Vec::new(),
    };
    let mut remedies: HashMap<usize, Remedy> = remedies.into_iter().collect();
    for (index, event) in events.into_iter().enumerate() {
        match remedies.remove(&index) {
            None => {}
            Some(Remedy::Nothing) => settled.retries += 1,
            Some(Remedy::Receipt) => {
                settled
                    .receipts
                    .push(Receipt::duplicate(event.position, event.event_id.to_string()));
            }
            Some(Remedy::DeadLetter(reason, detail)) => settled.dead_letters.push(DeadLetter {
                position: event.position,
                stream: Some(stream),
                key: event.key,
                payload: Some(event.payload),
                reason,
                detail,
                record: None,
            }),
        }
    }
    Ok(settled)
}

/// Documents are contiguous, as the driver requires; the rest of each event stays beside them.
fn split(mut events: Vec<Pending>) -> (Vec<Pending>, Vec<RawDocumentBuf>) {
    let documents = events
        .iter_mut()
        .map(|event| std::mem::take(&mut event.document))
        .collect();
    (events, documents)
}

async fn attempt(
    store: &dyn EventStore,
    stream: Stream,
    events: &[Pending],
    documents: &[RawDocumentBuf],
) -> Result<Vec<(usize, Remedy)>, SinkError> {
    let failures = store.insert(stream.collection(), documents).await?;
    let taken = failures
        .iter()
        .filter(|failure| failure.fault == Fault::Duplicate);
    let ids: Vec<String> = taken
        .filter_map(|failure| events.get(failure.index))
        .map(|event| event.event_id.to_string())
        .collect();
    let stored = store.find_events(stream.collection(), &ids).await?;
    let mut remedies = Vec::with_capacity(failures.len());
    for failure in failures {
        let (Some(event), Some(document)) = (events.get(failure.index), documents.get(failure.index)) else {
            return Err(SinkError::Task(
                "the driver blames a document that was not given to it".into(),
            ));
        };
        let remedy = match failure.fault {
            Fault::Duplicate => {
                let stored = stored.get(&event.event_id.to_string());
                settle(store, event, document, stored).await?
            }
            Fault::Document
            | Fault::Server
            | Fault::Position
            | Fault::Login
            | Fault::Permission
            | Fault::Unknown => Remedy::DeadLetter(Reason::Refused, refusal(&failure)),
        };
        remedies.push((failure.index, remedy));
    }
    Ok(remedies)
}

fn refusal(failure: &Failure) -> String {
    format!(
        "MongoDB refuses the document: {} ({})",
        failure.message, failure.code
    )
}

async fn settle(
    store: &dyn EventStore,
    event: &Pending,
    document: &RawDocumentBuf,
    stored: Option<&Stored>,
) -> Result<Remedy, SinkError> {
    let collection = event.stream.collection();
    let holder = match stored {
        Some(_) => None,
        None => store.find_at(collection, &event.position).await?,
    };
    let holder = holder.map(|holder| {
        holder
            .get_str("_id")
            .map_or_else(|_| "?".to_owned(), str::to_owned)
    });
    let content_hash = document
        .get_str("content_hash")
        .map_err(SinkError::foreign(collection))?;
    match judge(&event.position, content_hash, stored, holder) {
        Verdict::OwnRetry => Ok(Remedy::Nothing),
        Verdict::Duplicate => Ok(Remedy::Receipt),
        Verdict::Conflicting { stored_at } => {
            let detail = format!(
                "the event {} is stored with other content, from {stored_at}",
                event.event_id
            );
            Ok(Remedy::DeadLetter(Reason::ConflictingContent, detail))
        }
        Verdict::PositionTaken { by } => {
            let (position, event_id) = (event.position.clone(), event.event_id.to_string());
            Err(SinkError::PositionTaken {
                position,
                event_id,
                by,
            })
        }
        Verdict::Unsettled => Err(SinkError::Unsettled { collection }),
    }
}
