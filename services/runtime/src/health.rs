//! Health of a service: whether it can work, and whether its loops make progress.
//!
//! Ready (`/readyz`): it works or is a standby, and waits for no server, so a rolling update can continue.
//! Alive (`/livez`): each of its loops made progress recently. Waiting for an outage to end counts as progress.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;

use crate::metrics;
use crate::waits::{Waiting, Waits};

/// How often an idle loop should beat.
pub const BEAT: Duration = Duration::from_secs(5);
/// Silence after which a loop counts as stalled when one step takes seconds.
pub const STALLED_AFTER: Duration = Duration::from_secs(120);

/// Health of a service. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Health {
    state: Arc<Mutex<State>>,
    waits: Waits,
}

#[derive(Debug, Default)]
struct State {
    stage: Stage,
    loops: Vec<Loop>,
    /// Names of all loops so far: the metrics of an ended loop are reset.
    known: Vec<&'static str>,
}

/// State of a service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// It cannot work (yet).
    #[default]
    NotReady,
    Works,
    /// Standby: another instance works.
    StandsBy,
}

#[derive(Debug)]
struct Loop {
    id: u64,
    name: &'static str,
    /// Longest normal silence.
    patience: Duration,
    moved: Instant,
}

/// A loop and the seconds since its last progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Silence {
    name: &'static str,
    lasts: Duration,
    is_stalled: bool,
}

impl Health {
    /// Not ready, with waits of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Not ready; `waits` holds the servers that the service waits for.
    #[must_use]
    pub fn watching(waits: &Waits) -> Self {
        Self {
            waits: waits.clone(),
            ..Self::default()
        }
    }

    /// Sets whether the service works.
    pub fn set_ready(&self, ready: bool) {
        self.state().stage = if ready { Stage::Works } else { Stage::NotReady };
    }

    /// Marks the service as a standby.
    pub fn standing_by(&self) {
        self.state().stage = Stage::StandsBy;
    }

    /// True when the service works or is a standby, and waits for no server.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.state().stage != Stage::NotReady && self.waits.now().is_empty()
    }

    /// Watches a loop until the returned guard is dropped. A loop that is silent for longer than `patience` has stalled,
    /// unless the process is retrying during an outage.
    #[must_use]
    pub fn watch(&self, name: &'static str, patience: Duration) -> Heart {
        let mut state = self.state();
        let id = state.loops.iter().map(|watched| watched.id).max().unwrap_or(0) + 1;
        state.loops.push(Loop {
            id,
            name,
            patience,
            moved: Instant::now(),
        });
        if !state.known.contains(&name) {
            state.known.push(name);
        }
        drop(state);
        Heart {
            health: self.clone(),
            id,
        }
    }

    /// What the service waits for.
    #[must_use]
    pub fn waiting(&self) -> Vec<Waiting> {
        self.waits.now()
    }

    /// Every watched loop.
    fn silences(&self, now: Instant) -> Vec<Silence> {
        let tried_ago = self.waits.tried_ago(now);
        let silence = |watched: &Loop| {
            let lasts = now.saturating_duration_since(watched.moved);
            let moves = tried_ago.is_some_and(|ago| ago <= watched.patience);
            Silence {
                name: watched.name,
                lasts,
                is_stalled: lasts > watched.patience && !moves,
            }
        };
        self.state().loops.iter().map(silence).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Heartbeat of one loop; dropping it ends the watch.
#[derive(Debug)]
pub struct Heart {
    health: Health,
    id: u64,
}

impl Heart {
    /// Records progress.
    pub fn beat(&self) {
        self.beat_at(Instant::now());
    }

    fn beat_at(&self, now: Instant) {
        let mut state = self.health.state();
        if let Some(watched) = state.loops.iter_mut().find(|watched| watched.id == self.id) {
            watched.moved = now;
        }
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.health.state().loops.retain(|watched| watched.id != self.id);
    }
}

/// `/livez` and `/readyz`.
pub(crate) fn routes(health: &Health) -> Router {
    let (alive, ready) = (health.clone(), health.clone());
    Router::new()
        .route(
            "/livez",
            get(move || std::future::ready(liveness(&alive, Instant::now()))),
        )
        .route("/readyz", get(move || std::future::ready(readiness(&ready))))
}

/// Records how long the process waits and how long each loop is silent.
pub(crate) fn record(health: &Health) {
    metrics::record_waiting(&health.waiting());
    let known = health.state().known.clone();
    let mut longest_silences: BTreeMap<&str, (Duration, bool)> =
        known.into_iter().map(|name| (name, Default::default())).collect();
    for silence in health.silences(Instant::now()) {
        let longest = longest_silences.entry(silence.name).or_default();
        *longest = (longest.0.max(silence.lasts), longest.1 || silence.is_stalled);
    }
    for (name, (lasts, is_stalled)) in longest_silences {
        metrics::record_silence(name, lasts, is_stalled);
    }
}

/// The first line is the state; one line per wait follows.
fn readiness(health: &Health) -> (StatusCode, String) {
    let stage = health.state().stage;
    let waiting = health.waiting();
    let state = match stage {
        Stage::NotReady => "not ready",
        Stage::Works | Stage::StandsBy if !waiting.is_empty() => "not ready",
        Stage::Works => "ready",
        Stage::StandsBy => "ready: standing by",
    };
    let status = if health.is_ready() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let waiting = waiting.iter().map(ToString::to_string);
    let lines: Vec<String> = std::iter::once(state.to_owned()).chain(waiting).collect();
    (status, lines.join("\n") + "\n")
}

fn liveness(health: &Health, now: Instant) -> (StatusCode, String) {
    let silences = health.silences(now);
    let stalled = silences.iter().filter(|silence| silence.is_stalled);
    let lines: Vec<String> = stalled
        .map(|silence| {
            let (name, seconds) = (silence.name, silence.lasts.as_secs());
            format!("stalled: the loop {name} has not moved for {seconds} s\n")
        })
        .collect();
    if lines.is_empty() {
        (StatusCode::OK, "alive\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, lines.concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waits::Hop;

    #[test]
    fn ready_works_or_stands_by_and_waits_for_nothing() {
        let waits = Waits::new();
        let health = Health::watching(&waits);
        let answer = || readiness(&health);
        assert_eq!(
            answer(),
            (StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned())
        );
        health.set_ready(true);
        assert_eq!(answer(), (StatusCode::OK, "ready\n".to_owned()));
        health.standing_by();
        assert_eq!(answer(), (StatusCode::OK, "ready: standing by\n".to_owned()));
        let mut wait = waits.prepare("acquiring the lease");
        wait.failed(Hop::Timescale, &"refused");
        let (status, body) = answer();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(
            body,
            "not ready\nwaiting for timescale for 0 s: acquiring the lease\n"
        );
        wait.over();
        assert!(health.is_ready());
        health.set_ready(false);
        assert!(!health.is_ready());
    }

    #[test]
    fn alive_is_whose_loops_moved_lately() {
        let (health, start) = (Health::new(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let answer = |seconds| liveness(&health, after(seconds));
        assert_eq!(answer(0).0, StatusCode::OK);
        let heart = health.watch("intake", Duration::from_secs(100));
        let other = health.watch("cycle", Duration::from_secs(900));
        assert_eq!(answer(99), (StatusCode::OK, "alive\n".to_owned()));
        heart.beat_at(after(99));
        let said = "stalled: the loop intake has not moved for 101 s\n".to_owned();
        assert_eq!(answer(200), (StatusCode::SERVICE_UNAVAILABLE, said));
        heart.beat_at(after(200));
        assert_eq!(answer(200).0, StatusCode::OK);
        drop(heart);
        assert_eq!(answer(800).0, StatusCode::OK);
        assert!(answer(1_000).1.contains("cycle"));
        // It ended by itself.
        drop(other);
        assert_eq!(answer(1_000).0, StatusCode::OK);
    }

    #[test]
    fn who_waits_and_tries_again_is_alive_and_who_hangs_in_an_attempt_is_not() {
        let (waits, start) = (Waits::new(), Instant::now());
        let health = Health::watching(&waits);
        let _heart = health.watch("cycle", Duration::from_secs(100));
        let mut wait = waits.prepare("connecting");
        let after = |seconds| start + Duration::from_secs(seconds);
        for seconds in (0..600).step_by(10) {
            wait.failed_at(after(seconds), Hop::Timescale, &"refused");
            assert_eq!(liveness(&health, after(seconds + 10)).0, StatusCode::OK);
        }
        assert_eq!(liveness(&health, after(695)).0, StatusCode::SERVICE_UNAVAILABLE);
    }
}
