//! A mapped document: its rows, the fate of its offset, and the dead letters about it.

use crate::account::{Account, AccountKind};
use crate::dead_letter::DeadLetter;
use crate::document::{Origin, Rows};

/// A mapped document.
#[derive(Debug, PartialEq)]
pub(crate) struct Mapped {
    pub(crate) rows: Rows,
    pub(crate) account: Option<Account>,
    pub(crate) dead_letters: Vec<DeadLetter>,
}

impl Mapped {
    pub(super) fn loaded(rows: Rows, origin: &Origin) -> Self {
        Self {
            rows,
            account: origin.account(AccountKind::Loaded),
            dead_letters: Vec::new(),
        }
    }
}
