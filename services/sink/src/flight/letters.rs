//! Letters on their way into MongoDB.

use bson::RawDocumentBuf;
use pulseline_clients::mongo::Fault;
use pulseline_schemas::collections;

use crate::error::SinkError;
use crate::letters::Letter;
use crate::metrics;
use crate::outage::Server;
use crate::receipts::Receipt;
use crate::service::Context;

/// Stores letters. One about a record of a file may be there already, from an earlier replay: its offset gets a receipt.
pub(super) async fn store(context: &Context, letters: &[Letter]) -> Result<Vec<Receipt>, SinkError> {
    const COLLECTION: &str = collections::DEAD_LETTERS;
    let now = context.clock.now_utc_millis();
    let documents: Vec<RawDocumentBuf> = letters.iter().map(|letter| letter.to_document(now)).collect();
    let insert = || async {
        let failures = context.store.insert(COLLECTION, &documents).await?;
        let taken = failures
            .iter()
            .filter(|failure| failure.fault == Fault::Duplicate);
        let taken = taken.filter_map(|failure| letters.get(failure.index));
        let ids: Vec<String> = taken.map(Letter::id).collect();
        let stored = context.store.find_events(COLLECTION, &ids).await?;
        Ok((failures, stored))
    };
    let storing = context
        .outages
        .outlast(Server::Mongo, "storing dead letters", insert);
    let (failures, stored) = storing.await?;
    // One that cannot be stored is the end.
    if let Some(failure) = failures
        .into_iter()
        .find(|failure| failure.fault != Fault::Duplicate)
    {
        let (code, message) = (failure.code, failure.message);
        return Err(SinkError::Write {
            collection: COLLECTION,
            code,
            message,
        });
    }
    for letter in letters {
        metrics::record_dead_letter(letter);
    }
    let repeated = letters.iter().filter(|letter| {
        // At its own position it is one of an earlier attempt of ours.
        stored
            .get(&letter.id())
            .is_some_and(|stored| stored.position != letter.position)
    });
    Ok(repeated
        .map(|letter| Receipt::duplicate(letter.position.clone(), letter.id()))
        .collect())
}
