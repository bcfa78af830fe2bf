//! The loader's own dead letters return to it through the change stream of their collection. Their rows are written with
//! their batch; writing them again would be wasted work.
//!
//! If that batch is not committed, its documents are read again and produce their dead letters again. So one that is
//! skipped here is never missing; one that is not recognised is written twice, which changes nothing.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::dead_letter::{DeadLetter, Stage};

/// How many dead letters are remembered: about 40 bytes each.
const MOST: usize = 200_000;

/// Ids of dead letters that will return. Clones share one memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected(Arc<Mutex<HashSet<Uuid>>>);

impl Expected {
    /// Remembers dead letters that are about to be stored.
    pub(super) fn add(&self, ids: impl Iterator<Item = String>) {
        let mut expected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that never returned existed before.
        if expected.len() >= MOST {
            expected.clear();
        }
        expected.extend(ids.map(|id| key(&id)));
    }

    /// Removes dead letters that have returned.
    pub(super) fn leave_out(&self, dead_letters: &mut Vec<DeadLetter>) {
        if dead_letters.is_empty() {
            return;
        }
        let mut expected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        dead_letters.retain(|dead_letter| {
            dead_letter.stage != Stage::Given || !expected.remove(&key(&dead_letter.id()))
        });
    }
}

fn key(id: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Origin, Refusal, SourceCollection};

    fn dead_letter(item: i32, stage: Stage) -> DeadLetter {
        let origin = Origin {
            source: SourceCollection::Receipts,
            id: "x".into(),
            position: None,
            key: None,
            document: None,
        };
        DeadLetter {
            stage,
            ..DeadLetter::about(&origin, item, &Refusal::unmappable("because"), None, 0)
        }
    }

    #[test]
    fn p_9_an_own_dead_letter_that_comes_back_is_passed_over_once_and_nothing_else_is() {
        let expected = Expected::default();
        let own = [dead_letter(0, Stage::New), dead_letter(1, Stage::New)];
        expected.add(own.iter().map(DeadLetter::id));
        let mut back = vec![
            dead_letter(0, Stage::Given),
            dead_letter(2, Stage::Given),
            dead_letter(1, Stage::New),
        ];
        expected.leave_out(&mut back);
        assert_eq!(back, [dead_letter(2, Stage::Given), dead_letter(1, Stage::New)]);
        let mut again = vec![dead_letter(0, Stage::Given)];
        expected.leave_out(&mut again);
        assert_eq!(again.len(), 1);
    }
}
