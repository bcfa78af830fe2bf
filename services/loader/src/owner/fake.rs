//! Leases in memory for tests, by the paused clock: contenders, a thief, outages and a server that does not answer.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::{Lease, Leases};
use crate::error::LoaderError;
use crate::write::fake::failed;

pub(crate) const TTL: Duration = Duration::from_secs(9);

/// The lease's row.
#[derive(Clone, Default)]
pub(crate) struct Row(Arc<Mutex<State>>);

#[derive(Default)]
pub(crate) struct State {
    owner: u32,
    pub(crate) epoch: i64,
    expires_at: Option<Instant>,
    /// The server does not answer until then.
    pub(crate) silent_until: Option<Instant>,
    /// The server refuses connections until then.
    pub(crate) away_until: Option<Instant>,
}

impl State {
    fn is_taken(&self) -> bool {
        self.expires_at.is_some_and(|at| Instant::now() < at)
    }
}

impl Row {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(crate) fn contender(&self, owner: u32) -> Contender {
        let row = self.clone();
        Contender { row, owner, epoch: 0 }
    }

    async fn answer<T>(&self, answer: impl FnOnce(&mut State) -> T) -> Result<T, LoaderError> {
        let silent = self.state().silent_until;
        let away = self.state().away_until;
        if let Some(silent) = silent {
            tokio::time::sleep_until(silent).await;
        }
        if away.is_some_and(|away| Instant::now() < away) {
            return Err(failed(None).await);
        }
        Ok(answer(&mut self.state()))
    }
}

#[derive(Clone)]
pub(crate) struct Contender {
    row: Row,
    owner: u32,
    epoch: i64,
}

impl Leases for Contender {
    fn acquire(&self) -> BoxFuture<'_, Result<Option<Box<dyn Lease>>, LoaderError>> {
        let mut won = self.clone();
        Box::pin(self.row.answer(move |state| {
            if state.owner != won.owner && state.is_taken() {
                return None;
            }
            state.epoch += i64::from(state.owner != won.owner);
            (state.owner, state.expires_at) = (won.owner, Some(Instant::now() + TTL));
            won.epoch = state.epoch;
            let lease: Box<dyn Lease> = Box::new(won);
            Some(lease)
        }))
    }
}

impl Lease for Contender {
    fn epoch(&self) -> i64 {
        self.epoch
    }

    fn renew(&mut self) -> BoxFuture<'_, Result<bool, LoaderError>> {
        let own = (self.owner, self.epoch);
        Box::pin(self.row.answer(move |state| {
            let is_ours = (state.owner, state.epoch) == own;
            if is_ours {
                state.expires_at = Some(Instant::now() + TTL);
            }
            is_ours
        }))
    }

    fn release(&mut self) -> BoxFuture<'_, Result<(), LoaderError>> {
        let own = (self.owner, self.epoch);
        Box::pin(self.row.answer(move |state| {
            if (state.owner, state.epoch) == own {
                state.expires_at = None;
            }
        }))
    }
}
