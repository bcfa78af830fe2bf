//! Prepared statements: a connection that repeats a text saves the round trip that parses it.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pulseline_clients::postgres::needs_new_session;
use tokio_postgres::{Error, GenericClient, Statement};

/// Most statements that a connection keeps: far more texts than a service repeats.
const KEPT: usize = 128;
/// Texts that were sent once and are remembered.
const SENT_ONCE: usize = 1_024;

/// What one connection has prepared. A text is kept from the second time on: one with a date in it is never sent again.
/// The server replans a kept statement when its relations have changed, for example at the swap of two warehouses.
#[derive(Debug, Default)]
pub struct Prepared {
    texts: Mutex<Texts>,
    is_spent: AtomicBool,
}

#[derive(Debug, Default)]
struct Texts {
    hasher: RandomState,
    sent_once: HashSet<u64>,
    kept: HashMap<String, Statement>,
}

impl Texts {
    /// True when a text comes again, and there is room for it.
    fn is_worth_keeping(&mut self, text: &str) -> bool {
        if self.sent_once.len() >= SENT_ONCE {
            self.sent_once.clear();
        }
        !self.sent_once.insert(self.hasher.hash_one(text)) && self.kept.len() < KEPT
    }
}

impl Prepared {
    /// Prepares a statement, or finds it prepared.
    pub(crate) async fn statement(
        &self,
        client: &(impl GenericClient + Sync),
        text: &str,
    ) -> Result<Statement, Error> {
        if let Some(statement) = self.texts().kept.get(text) {
            return Ok(statement.clone());
        }
        let statement = self.heed(client.prepare(text).await)?;
        let mut texts = self.texts();
        if texts.is_worth_keeping(text) {
            texts.kept.insert(text.to_owned(), statement.clone());
        }
        Ok(statement)
    }

    /// Looks at what the server said: after some of it the session is of no use any more.
    pub(crate) fn heed<T>(&self, said: Result<T, Error>) -> Result<T, Error> {
        if said.as_ref().is_err_and(needs_new_session) {
            self.is_spent.store(true, Ordering::Relaxed);
        }
        said
    }

    /// True when the session would say the same again: its server was demoted, or a pooler gave it another one.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_spent.load(Ordering::Relaxed)
    }

    fn texts(&self) -> MutexGuard<'_, Texts> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_from_its_second_use_on_and_one_used_once_takes_no_room() {
        let mut texts = Texts::default();
        assert!(!texts.is_worth_keeping("select 1"));
        assert!(texts.is_worth_keeping("select 1"));
        for day in 0..10 * SENT_ONCE {
            assert!(!texts.is_worth_keeping(&format!("select date '1970-01-01' + {day}")));
        }
        assert!(texts.sent_once.len() <= SENT_ONCE);
    }
}
