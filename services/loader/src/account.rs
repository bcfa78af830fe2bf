//! Accounting: the offsets that a batch has dealt with, in as few ranges as possible (D-4, P1).

use pulseline_schemas::Position;

/// What became of an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum AccountKind {
    /// The event's rows are in raw.
    Loaded,
    /// The same event is stored at another offset.
    Duplicate,
    /// The offset holds no message.
    Void,
    /// The whole upload is a dead letter.
    Dead,
    /// The document was erased.
    Erased,
    /// It was a dead letter, and its rows are in raw now.
    Revived,
}

impl AccountKind {
    /// As written in `ops.accounted_log`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Duplicate => "duplicate",
            Self::Void => "void",
            Self::Dead => "dead",
            Self::Erased => "erased",
            Self::Revived => "revived",
        }
    }
}

/// A range of offsets with one fate. Ordered by position, then by kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Account {
    pub(crate) topic: String,
    pub(crate) incarnation: i32,
    pub(crate) partition: i32,
    pub(crate) kind: AccountKind,
    pub(crate) from: i64,
    /// Exclusive.
    pub(crate) to: i64,
}

impl Account {
    /// The single offset of an event.
    pub(crate) fn one(position: &Position, kind: AccountKind) -> Self {
        Self {
            topic: position.topic.clone(),
            incarnation: position.incarnation,
            partition: position.partition,
            kind,
            from: position.offset,
            to: position.offset.saturating_add(1),
        }
    }

    /// True when the range covers only this offset.
    pub(crate) fn is_of(&self, position: &Position) -> bool {
        self.from == position.offset
            && self.to == position.offset.saturating_add(1)
            && self.partition == position.partition
            && self.incarnation == position.incarnation
            && self.topic == position.topic
    }

    /// Marks the range as revived, if its rows are loaded.
    pub(crate) fn revived(mut self) -> Self {
        if self.kind == AccountKind::Loaded {
            self.kind = AccountKind::Revived;
        }
        self
    }

    fn continues(&self, before: &Self) -> bool {
        self.from <= before.to
            && self.kind == before.kind
            && self.partition == before.partition
            && self.incarnation == before.incarnation
            && self.topic == before.topic
    }
}

/// Merges offsets into as few ranges as possible.
pub(crate) fn merge(mut accounts: Vec<Account>) -> Vec<Account> {
    accounts.sort_unstable();
    let mut merged: Vec<Account> = Vec::new();
    for account in accounts {
        match merged.last_mut() {
            Some(last) if account.continues(last) => last.to = last.to.max(account.to),
            _ => merged.push(account),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn account(partition: i32, kind: AccountKind, from: i64, to: i64) -> Account {
        Account {
            topic: "t".into(),
            incarnation: 0,
            partition,
            kind,
            from,
            to,
        }
    }

    fn offsets(accounts: &[Account]) -> BTreeSet<(i32, AccountKind, i64)> {
        accounts
            .iter()
            .flat_map(|a| (a.from..a.to).map(|o| (a.partition, a.kind, o)))
            .collect()
    }

    #[test]
    fn d_4_neighbours_become_one_range_and_kinds_stay_apart() {
        let got = merge(vec![
            account(0, AccountKind::Loaded, 2, 3),
            account(0, AccountKind::Loaded, 0, 2),
            account(0, AccountKind::Dead, 3, 4),
            account(0, AccountKind::Loaded, 4, 5),
            account(1, AccountKind::Loaded, 5, 6),
        ]);
        let want = [
            account(0, AccountKind::Loaded, 0, 3),
            account(0, AccountKind::Loaded, 4, 5),
            account(0, AccountKind::Dead, 3, 4),
            account(1, AccountKind::Loaded, 5, 6),
        ];
        assert_eq!(got, want);
    }

    proptest! {
        #[test]
        fn d_4_merging_neither_loses_nor_invents_an_offset(
            given in prop::collection::vec((0..2_i32, prop::bool::ANY, 0..40_i64, 1..5_i64), 0..60)
        ) {
            let given: Vec<Account> = given
                .into_iter()
                .map(|(partition, dead, from, length)| {
                    account(partition, if dead { AccountKind::Dead } else { AccountKind::Loaded }, from, from + length)
                })
                .collect();
            let merged = merge(given.clone());
            prop_assert_eq!(offsets(&merged), offsets(&given));
            // Minimal: no two ranges of one kind touch.
            for pair in merged.windows(2) {
                prop_assert!(!pair[1].continues(&pair[0]));
            }
        }
    }
}
