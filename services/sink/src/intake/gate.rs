//! When partitions are paused: a closed intake must not stop the polling that keeps us in the group.

use std::time::Duration;

use tokio::time::Instant;

/// How long the consumer may go unpolled. Shorter waits are not worth a pause, which throws away what was fetched.
const UNPOLLED_MAX: Duration = Duration::from_secs(1);

/// Whether messages may come in.
#[derive(Debug, Default)]
pub(super) struct Gate {
    closed_at: Option<Instant>,
    is_paused: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Stay,
    /// Closed for long: pause the partitions, then go on polling.
    Pause,
    /// Open again after a pause.
    Resume {
        stood: Duration,
    },
    /// Open again before it came to a pause.
    Open {
        stood: Duration,
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

    /// Tells whether intake is closed, and what that asks for.
    pub(super) fn turn(&mut self, is_closed: bool, now: Instant) -> Turn {
        if is_closed {
            let since = *self.closed_at.get_or_insert(now);
            if self.is_paused || now < since + UNPOLLED_MAX {
                return Turn::Stay;
            }
            self.is_paused = true;
            return Turn::Pause;
        }
        let Some(since) = self.closed_at.take() else {
            return Turn::Stay;
        };
        let stood = now - since;
        if std::mem::take(&mut self.is_paused) {
            Turn::Resume { stood }
        } else {
            Turn::Open { stood }
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
        assert_eq!(gate.turn(false, start), Turn::Stay);
        assert_eq!(gate.turn(true, start), Turn::Stay);
        assert_eq!(
            gate.turn(false, after(300)),
            Turn::Open {
                stood: Duration::from_millis(300)
            }
        );
        assert_eq!(gate.turn(true, after(400)), Turn::Stay);
        assert_eq!(gate.due_at(), Some(after(1_400)));
        assert_eq!(gate.turn(true, after(1_400)), Turn::Pause);
        assert_eq!(gate.turn(true, after(9_000)), Turn::Stay);
        assert!(gate.is_paused() && gate.due_at().is_none());
        assert_eq!(
            gate.turn(false, after(9_400)),
            Turn::Resume {
                stood: Duration::from_secs(9)
            }
        );
        assert!(!gate.is_paused());
    }
}
