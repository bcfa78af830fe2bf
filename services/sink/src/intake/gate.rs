//! Decides when partitions are paused: a closed intake must not stop the polling that keeps the sink in its group.

use std::time::Duration;

use tokio::time::Instant;

/// How long the consumer may go unpolled. A pause discards fetched messages, so shorter waits are not worth one.
const UNPOLLED_MAX: Duration = Duration::from_secs(1);

/// Whether messages may come in.
#[derive(Debug, Default)]
pub(super) struct Gate {
    closed_at: Option<Instant>,
    is_paused: bool,
}

/// What to do about the pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PauseAction {
    Stay,
    /// Closed for long: pause the partitions, then continue polling.
    Pause,
    /// Open again after a pause.
    Resume {
        blocked_for: Duration,
    },
    /// Open again before a pause was due.
    Open {
        blocked_for: Duration,
    },
}

impl Gate {
    pub(super) fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// When a pause is due.
    pub(super) fn due_at(&self) -> Option<Instant> {
        self.closed_at
            .filter(|_| !self.is_paused)
            .map(|at| at + UNPOLLED_MAX)
    }

    /// Records whether intake is closed, and returns what that requires.
    pub(super) fn pause_action(&mut self, is_closed: bool, now: Instant) -> PauseAction {
        if is_closed {
            let since = *self.closed_at.get_or_insert(now);
            if self.is_paused || now < since + UNPOLLED_MAX {
                return PauseAction::Stay;
            }
            self.is_paused = true;
            return PauseAction::Pause;
        }
        let Some(since) = self.closed_at.take() else {
            return PauseAction::Stay;
        };
        let blocked_for = now - since;
        if std::mem::take(&mut self.is_paused) {
            PauseAction::Resume { blocked_for }
        } else {
            PauseAction::Open { blocked_for }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_wait_does_not_pause_and_a_long_one_does_once() {
        let (mut gate, start) = (Gate::default(), Instant::now());
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(gate.pause_action(false, start), PauseAction::Stay);
        assert_eq!(gate.pause_action(true, start), PauseAction::Stay);
        assert_eq!(
            gate.pause_action(false, after(300)),
            PauseAction::Open {
                blocked_for: Duration::from_millis(300)
            }
        );
        assert_eq!(gate.pause_action(true, after(400)), PauseAction::Stay);
        assert_eq!(gate.due_at(), Some(after(1_400)));
        assert_eq!(gate.pause_action(true, after(1_400)), PauseAction::Pause);
        assert_eq!(gate.pause_action(true, after(9_000)), PauseAction::Stay);
        assert!(gate.is_paused() && gate.due_at().is_none());
        assert_eq!(
            gate.pause_action(false, after(9_400)),
            PauseAction::Resume {
                blocked_for: Duration::from_secs(9)
            }
        );
        assert!(!gate.is_paused());
    }
}
