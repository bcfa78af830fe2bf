//! The loader's own dead letters go into their collection first: the warehouse then never knows of one that
//! MongoDB lacks.

use bson::RawDocumentBuf;
use mongodb::Collection;
use pulseline_tombstones::is_there_already;

use crate::error::LoaderError;
use crate::letter::Letter;
use crate::map::Source;

/// Letters per insert: bounded, because each may carry a payload of some megabytes.
const LETTERS_PER_INSERT: usize = 100;

/// Stores the letters that are not there yet; gives how many it was handed.
pub(super) async fn store(
    source: Source,
    collection: &Collection<RawDocumentBuf>,
    letters: &[Letter],
) -> Result<usize, LoaderError> {
    let own: Vec<&Letter> = letters.iter().filter(|letter| !letter.is_stored).collect();
    for some in own.chunks(LETTERS_PER_INSERT) {
        let documents: Vec<RawDocumentBuf> = some.iter().map(|letter| letter.to_document()).collect();
        let inserted = collection.insert_many(&documents).ordered(false).await;
        if let Err(error) = inserted
            && !is_there_already(&error)
        {
            return Err(LoaderError::mongo("storing dead letters")(error));
        }
        tracing::debug!(
            collection = source.name(),
            letters = some.len(),
            "dead letters stored"
        );
    }
    Ok(letters.len())
}
