//! Erasure: what comes of somebody who was erased is not loaded, and its offsets are accounted for as erased (E-1).

use std::mem::take;
use std::sync::Arc;

use bson::{RawDocumentBuf, doc};
use mongodb::Collection;
use pulseline_schemas::Position;
use pulseline_tombstones::Tombstones;

use crate::account::Kind;
use crate::batch::Batch;
use crate::error::LoaderError;
use crate::letter::Letter;
use crate::map::Origin;

/// What was taken out of a batch.
#[derive(Debug, Default)]
pub(super) struct Erased {
    /// Uploads and letters.
    pub(super) documents: usize,
    /// Ids of letters of the loader's own, which may stand in MongoDB already.
    pub(super) letters: Vec<String>,
}

/// Takes everything of the erased out of a batch.
pub(super) fn erase(batch: &mut Batch, tombstones: &Tombstones) -> Erased {
    let mut erased = Erased::default();
    if tombstones.is_empty() {
        return erased;
    }
    let mut gone: Vec<Arc<Origin>> = Vec::new();
    batch.readings.retain(|upload| {
        let is_erased = tombstones.hold(upload.device_id);
        gone.extend(is_erased.then(|| Arc::clone(&upload.origin)));
        !is_erased
    });
    batch.entries.retain(|entry| {
        let is_erased = tombstones.hold(entry.device_id);
        gone.extend(is_erased.then(|| Arc::clone(&entry.origin)));
        !is_erased
    });
    batch.users.retain(|user| {
        let is_erased = tombstones.hold(user.user_id);
        gone.extend(is_erased.then(|| Arc::clone(&user.origin)));
        !is_erased
    });
    for user in &mut batch.users {
        user.devices.retain(|device| !tombstones.hold(*device));
    }
    // The rows of one document share an origin, and stand together.
    gone.dedup_by(|a, b| Arc::ptr_eq(a, b));
    erased.documents = gone.len();
    let mut positions: Vec<Position> = gone.iter().filter_map(|origin| origin.position.clone()).collect();
    let is_of_erased = |letter: &Letter| {
        let key = letter.message_key.as_deref();
        key.is_some_and(|key| tombstones.hold_key(key))
    };
    let (dropped, kept): (Vec<_>, Vec<_>) = take(&mut batch.letters).into_iter().partition(is_of_erased);
    batch.letters = kept;
    for letter in dropped {
        erased.documents += 1;
        if !letter.is_stored {
            erased.letters.push(letter.id());
        }
        positions.extend(letter.position);
    }
    for position in &positions {
        batch.mark(position, Kind::Erased);
    }
    erased
}

/// Deletes letters that were stored before their person was found to be erased.
pub(super) async fn delete(letters: &Collection<RawDocumentBuf>, ids: &[String]) -> Result<(), LoaderError> {
    if ids.is_empty() {
        return Ok(());
    }
    let deleted = letters.delete_many(doc! { "_id": { "$in": ids } }).await;
    deleted
        .map(drop)
        .map_err(LoaderError::mongo("deleting letters of the erased"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulseline_schemas::Stream;
    use pulseline_tombstones::Key;
    use uuid::Uuid;

    use super::*;
    use crate::account::Account;
    use crate::map::{ReadingsUpload, Refusal, Source};

    fn push(batch: &mut Batch, device: u128, offset: i64, is_dead: bool) {
        let position = Position {
            topic: "fitbit.steps".into(),
            generation: 0,
            partition: 0,
            offset,
        };
        let device_id = Uuid::from_u128(device);
        let origin = Origin {
            source: Source::Stream(Stream::Steps),
            id: offset.to_string(),
            position: Some(position.clone()),
            key: Some(device_id.to_string().into_bytes()),
            document: None,
        };
        if is_dead {
            batch.accounts.push(Account::one(&position, Kind::Dead));
            let refusal = Refusal::unmappable("because");
            batch.letters.push(Letter::about(&origin, -1, &refusal, None, 0));
            return;
        }
        batch.accounts.push(Account::one(&position, Kind::Loaded));
        batch.readings.push(ReadingsUpload {
            device_id,
            event_id: Uuid::nil(),
            synced_at: 0,
            utc_offset_minutes: 0,
            readings: Vec::new(),
            origin: Arc::new(origin),
        });
    }

    proptest! {
        #[test]
        fn e_1_nothing_of_the_erased_is_written_and_each_of_their_offsets_is_erased(
            uploads in prop::collection::vec((0..4_u128, any::<bool>()), 0..12),
            erased in prop::collection::hash_set(0..4_u128, 0..3)
        ) {
            let key = Key::random();
            let hashes = erased.iter().map(|id| key.hash(Uuid::from_u128(*id))).collect();
            let mut batch = Batch::default();
            for (offset, (device, is_dead)) in (0..).zip(&uploads) {
                push(&mut batch, *device, offset, *is_dead);
            }
            let found = erase(&mut batch, &Tombstones::new(key, hashes));
            let gone = uploads.iter().filter(|(device, _)| erased.contains(device)).count();
            prop_assert_eq!(found.documents, gone);
            prop_assert_eq!(batch.readings.len() + batch.letters.len(), uploads.len() - gone);
            for (account, (device, is_dead)) in batch.accounts.iter().zip(&uploads) {
                let kind = match (erased.contains(device), is_dead) {
                    (true, _) => Kind::Erased,
                    (false, true) => Kind::Dead,
                    (false, false) => Kind::Loaded,
                };
                prop_assert_eq!(account.kind, kind);
            }
        }
    }
}
