//! Stores dead letters in MongoDB.

use bson::RawDocumentBuf;
use pulseline_clients::mongo::Fault;
use pulseline_runtime::waits::Hop;
use pulseline_schemas::collections;

use crate::context::Context;
use crate::dead_letters::DeadLetter;
use crate::error::SinkError;
use crate::metrics;
use crate::receipts::Receipt;

/// Stores dead letters. An earlier replay may have stored one about a record of a file: then its offset gets a
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
        .outlast(Hop::Mongo, "storing dead letters", insert);
    let (failures, stored) = storing.await?;
    // A dead letter that cannot be stored ends the sink.
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
        // The one at its own position comes from an earlier attempt of this sink.
        stored
            .get(&dead_letter.id())
            .is_some_and(|stored| stored.position != dead_letter.position)
    });
    Ok(repeated
        .map(|dead_letter| Receipt::duplicate(dead_letter.position.clone(), dead_letter.id()))
        .collect())
}
