//! What happens to calls of a scripted server, and how a test waits for it.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use crate::error::SinkError;

/// How long a test waits for an event. It passes at once when nothing else happens: the clock is paused.
const PATIENCE: Duration = Duration::from_secs(3_600);

/// Waits for an event; a test fails where it waits in vain.
#[track_caller]
pub(crate) fn within<F: Future>(what: &str, event: F) -> impl Future<Output = F::Output> + use<F> {
    let (at, what) = (Location::caller(), what.to_owned());
    async move {
        match tokio::time::timeout(PATIENCE, event).await {
            Ok(value) => value,
            Err(_) => panic!("{at}: waited in vain for {what}"),
        }
    }
}

/// What happens to one call.
enum Step {
    /// Nothing happens, and the call fails.
    Reject(SinkError),
    /// It happens, and the call fails: its reply is lost.
    LoseReply,
    /// It happens once the test releases it, unless the server is away by then.
    Wait(Hold),
}

/// A call that waits for its test.
#[derive(Clone)]
pub(crate) struct Hold {
    arrived: Arc<Semaphore>,
    released: Arc<Semaphore>,
}

impl Hold {
    /// Waits until the call was made.
    #[track_caller]
    pub(crate) fn arrived(&self) -> impl Future<Output = ()> + use<> {
        let arrived = Arc::clone(&self.arrived);
        within("a call", async move {
            arrived.acquire().await.unwrap().forget();
        })
    }

    pub(crate) fn release(&self) {
        self.released.add_permits(1);
    }
}

/// What happens to the next calls of each kind; without a step a call succeeds.
pub(crate) struct Script<C> {
    steps: Mutex<HashMap<C, VecDeque<Step>>>,
    is_away: AtomicBool,
    /// Calls that an absent server did not answer.
    rejected: watch::Sender<usize>,
    outage: fn() -> SinkError,
}

impl<C: Eq + Hash> Script<C> {
    pub(super) fn new(outage: fn() -> SinkError) -> Self {
        Self {
            steps: Mutex::default(),
            is_away: AtomicBool::new(false),
            rejected: watch::Sender::new(0),
            outage,
        }
    }

    fn push(&self, call: C, step: Step) {
        self.steps
            .lock()
            .unwrap()
            .entry(call)
            .or_default()
            .push_back(step);
    }

    /// An outage meets the next call of this kind.
    pub(crate) fn reject(&self, call: C) {
        self.push(call, Step::Reject((self.outage)()));
    }

    /// The next call of this kind fails for this reason.
    pub(crate) fn fail(&self, call: C, error: SinkError) {
        self.push(call, Step::Reject(error));
    }

    /// The next call of this kind is carried out, and its caller does not learn it.
    pub(crate) fn lose_reply(&self, call: C) {
        self.push(call, Step::LoseReply);
    }

    /// The next call of this kind waits.
    pub(crate) fn hold(&self, call: C) -> Hold {
        let hold = Hold {
            arrived: Arc::new(Semaphore::new(0)),
            released: Arc::new(Semaphore::new(0)),
        };
        self.push(call, Step::Wait(hold.clone()));
        hold
    }

    /// While the server is away, every call is rejected.
    pub(crate) fn set_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Release);
    }

    fn reject_now(&self) -> SinkError {
        self.rejected.send_modify(|count| *count += 1);
        (self.outage)()
    }

    /// Waits until so many more calls were made in vain while the server is away.
    #[track_caller]
    pub(crate) fn until_rejected(&self, more: usize) -> impl Future<Output = ()> + use<C> {
        let mut rejected = self.rejected.subscribe();
        let wanted = *rejected.borrow() + more;
        within("calls to an absent server", async move {
            rejected
                .wait_for(|count| *count >= wanted)
                .await
                .map(drop)
                .unwrap();
        })
    }

    /// True when every step was played.
    pub(crate) fn is_played(&self) -> bool {
        self.steps.lock().unwrap().values().all(VecDeque::is_empty)
    }

    /// Carries out a call as its next step says.
    pub(super) async fn play<T>(&self, call: C, act: impl FnOnce() -> T) -> Result<T, SinkError> {
        if self.is_away.load(Ordering::Acquire) {
            return Err(self.reject_now());
        }
        let step = self
            .steps
            .lock()
            .unwrap()
            .get_mut(&call)
            .and_then(VecDeque::pop_front);
        match step {
            None => Ok(act()),
            Some(Step::Reject(error)) => Err(error),
            Some(Step::LoseReply) => {
                act();
                Err((self.outage)())
            }
            Some(Step::Wait(hold)) => {
                hold.arrived.add_permits(1);
                hold.released.acquire().await.unwrap().forget();
                if self.is_away.load(Ordering::Acquire) {
                    return Err(self.reject_now());
                }
                Ok(act())
            }
        }
    }
}
