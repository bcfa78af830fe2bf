//! The loader's own letters come back to it through the change stream of their collection. Their rows are written with
//! the batch that they are of: written once more they would only cost.
//!
//! Should that batch not be committed, its documents are read again, and give their letters again. So one that is passed over here
//! is never missing; one that is not recognised is written twice, which changes nothing.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use uuid::Uuid;

use crate::letter::{Letter, Stage};

/// Letters that are remembered: about 40 bytes each.
const MOST: usize = 200_000;

/// Ids of letters that will come back. Clones share one memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected(Arc<Mutex<HashSet<Uuid>>>);

impl Expected {
    /// Remembers letters that are about to be stored.
    pub(super) fn add(&self, ids: impl Iterator<Item = String>) {
        let mut expected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // What never came back was there before.
        if expected.len() >= MOST {
            expected.clear();
        }
        expected.extend(ids.map(|id| key(&id)));
    }

    /// Takes letters out that have come back.
    pub(super) fn leave_out(&self, letters: &mut Vec<Letter>) {
        if letters.is_empty() {
            return;
        }
        let mut expected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        letters.retain(|letter| letter.stage != Stage::Given || !expected.remove(&key(&letter.id())));
    }
}

fn key(id: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, id.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::map::{Origin, Refusal, Source};

    fn letter(item: i32, stage: Stage) -> Letter {
        let origin = Origin {
            source: Source::Receipts,
            id: "x".into(),
            position: None,
            key: None,
            document: None,
        };
        Letter {
            stage,
            ..Letter::about(&origin, item, &Refusal::unmappable("because"), None, 0)
        }
    }

    #[test]
    fn p_9_an_own_letter_that_comes_back_is_passed_over_once_and_nothing_else_is() {
        let expected = Expected::default();
        let own = [letter(0, Stage::New), letter(1, Stage::New)];
        expected.add(own.iter().map(Letter::id));
        let mut back = vec![
            letter(0, Stage::Given),
            letter(2, Stage::Given),
            letter(1, Stage::New),
        ];
        expected.leave_out(&mut back);
        assert_eq!(back, [letter(2, Stage::Given), letter(1, Stage::New)]);
        let mut again = vec![letter(0, Stage::Given)];
        expected.leave_out(&mut again);
        assert_eq!(again.len(), 1);
    }
}
