//! Keeps data of erased people out: it is not loaded, and its offsets are accounted for as erased (E-1).

use std::mem::take;
use std::sync::Arc;

use pulseline_schemas::Position;
use pulseline_tombstones::Tombstones;

use crate::account::AccountKind;
use crate::batch::Batch;
use crate::dead_letter::{DeadLetter, Stage};
use crate::document::Origin;

/// What was removed from a batch.
#[derive(Debug, Default)]
pub(crate) struct Erased {
    /// Uploads and dead letters.
    pub(super) documents: usize,
    /// Ids of dead letters that MongoDB has, or may have.
    pub(super) dead_letters: Vec<String>,
    /// Offsets at which only one of these dead letters is stored.
    pub(super) offsets: Vec<Position>,
}

/// Removes all data of erased people from a batch.
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
    // The rows of one document share an origin, and are adjacent.
    gone.dedup_by(|a, b| Arc::ptr_eq(a, b));
    erased.documents = gone.len();
    let mut positions: Vec<Position> = gone.iter().filter_map(|origin| origin.position.clone()).collect();
    let is_of_erased = |dead_letter: &DeadLetter| is_of(dead_letter, tombstones);
    let (dropped, kept): (Vec<_>, Vec<_>) = take(&mut batch.dead_letters).into_iter().partition(is_of_erased);
    batch.dead_letters = kept;
    for dead_letter in dropped {
        erased.documents += 1;
        erased.dead_letters.push(dead_letter.id());
        if dead_letter.holds_offset() {
            erased.offsets.extend(dead_letter.position.clone());
        }
        positions.extend(dead_letter.position);
    }
    for position in &positions {
        batch.mark(position, AccountKind::Erased);
    }
    erased
}

/// A dead letter's key names its person. Where another program wrote it, or it has no key, its bytes are searched too,
/// as the eraser does.
fn is_of(dead_letter: &DeadLetter, tombstones: &Tombstones) -> bool {
    let key = dead_letter.message_key.as_deref();
    if key.is_some_and(|key| tombstones.hold_key(key)) {
        return true;
    }
    let is_foreign = dead_letter.stage == Stage::Given || key.is_none();
    let bytes = [key, dead_letter.payload.as_deref()];
    is_foreign
        && bytes
            .into_iter()
            .flatten()
            .any(|bytes| tombstones.are_named_in(bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulseline_schemas::Stream;
    use pulseline_tombstones::Key;
    use uuid::Uuid;

    use super::*;
    use crate::account::Account;
    use crate::document::{ReadingsUpload, Refusal, SourceCollection};

    fn push(batch: &mut Batch, device: u128, offset: i64, is_dead: bool) {
        let position = Position {
            topic: "fitbit.steps".into(),
            incarnation: 0,
            partition: 0,
            offset,
        };
        let device_id = Uuid::from_u128(device);
        let origin = Origin {
            source: SourceCollection::Stream(Stream::Steps),
            id: offset.to_string(),
            position: Some(position.clone()),
            key: Some(device_id.to_string().into_bytes()),
            document: None,
        };
        if is_dead {
            batch.accounts.push(Account::one(&position, AccountKind::Dead));
            let refusal = Refusal::unmappable("because");
            batch
                .dead_letters
                .push(DeadLetter::about(&origin, -1, &refusal, None, 0));
            return;
        }
        batch.accounts.push(Account::one(&position, AccountKind::Loaded));
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
            prop_assert_eq!(batch.readings.len() + batch.dead_letters.len(), uploads.len() - gone);
            for (account, (device, is_dead)) in batch.accounts.iter().zip(&uploads) {
                let kind = match (erased.contains(device), is_dead) {
                    (true, _) => AccountKind::Erased,
                    (false, true) => AccountKind::Dead,
                    (false, false) => AccountKind::Loaded,
                };
                prop_assert_eq!(account.kind, kind);
            }
        }
    }

    #[test]
    fn e_1_a_dead_letter_with_a_foreign_key_is_recognised_by_its_bytes_and_leaves_a_receipt() {
        let (key, device) = (Key::random(), Uuid::from_u128(7));
        let tombstones = Tombstones::new(key.clone(), [key.hash(device)].into());
        let position = Position {
            topic: "fitbit.steps".into(),
            incarnation: 0,
            partition: 0,
            offset: 5,
        };
        let dead_letter = |origin: &str, payload: String| {
            let about = Origin {
                source: SourceCollection::DeadLetters,
                id: String::new(),
                position: Some(position.clone()),
                key: Some(b"some gateway".to_vec()),
                document: None,
            };
            let refusal = Refusal::unmappable("because");
            DeadLetter {
                origin: origin.into(),
                stage: Stage::Given,
                ..DeadLetter::about(&about, -1, &refusal, Some(payload.into_bytes()), 0)
            }
        };
        let conflicting = dead_letter("kafka:fitbit.steps/0/0/5", format!("\0\u{1}H{device}\u{2}"));
        let others = dead_letter("kafka:fitbit.steps/0/0/6", Uuid::from_u128(8).to_string());
        let mut batch = Batch::default();
        batch.accounts.push(Account::one(&position, AccountKind::Dead));
        batch.dead_letters.extend([conflicting.clone(), others.clone()]);
        let erased = erase(&mut batch, &tombstones);
        assert_eq!(erased.dead_letters, [conflicting.id()]);
        assert_eq!(erased.offsets, [position]);
        assert_eq!(batch.dead_letters, [others]);
        assert_eq!(batch.accounts[0].kind, AccountKind::Erased);
    }
}
