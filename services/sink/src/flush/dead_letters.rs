//! Dead letters on their way into MongoDB.

use bson::RawDocumentBuf;
use pulseline_clients::mongo::Fault;
use pulseline_schemas::collections;

use crate::dead_letters::DeadLetter;
use crate::error::SinkError;
use crate::metrics;
use crate::outage::Server;
use crate::receipts::Receipt;
use crate::service::Context;

/// Stores dead letters. One about a record of a file may be there already, from an earlier replay: its offset gets a
/// receipt.
pub(super) async fn store(context: &Context, dead_letters: &[DeadLetter]) -> Result<Vec<Receipt>, SinkError> {
    const COLLECTION: &str = collections::DEAD_LETTERS;
    let now = context.clock.now_utc_millis();
    let documents: Vec<RawDocumentBuf> = dead_letters
        .iter()
        .map(|dead_letter| dead_letter.to_document(now))
        .collect();
    let insert = || async {
        let failures = context.store.insert(COLLECTION, &documents).await?;
        let taken = failures
            .iter()
            .filter(|failure| failure.fault == Fault::Duplicate);
        let taken = taken.filter_map(|failure| dead_letters.get(failure.index));
        let ids: Vec<String> = taken.map(DeadLetter::id).collect();
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
    for dead_letter in dead_letters {
        metrics::record_dead_letter(dead_letter);
    }
    let repeated = dead_letters.iter().filter(|dead_letter| {
        // At its own position it is one of an earlier attempt of ours.
        stored
            .get(&dead_letter.id())
            .is_some_and(|stored| stored.position != dead_letter.position)
    });
    Ok(repeated
        .map(|dead_letter| Receipt::duplicate(dead_letter.position.clone(), dead_letter.id()))
        .collect())
}
