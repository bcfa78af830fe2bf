//! Decides what follows a failed transaction. Pure.

use pulseline_sql::write_guard::WriteGuard;

use super::purpose::Purpose;
use crate::error::LoaderError;

/// What a failed transaction shows, as far as the next step depends on it. The server has rolled it back, or the outcome is
/// unknown (`Other`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// A deadlock or a serialisation failure.
    Conflict,
    /// A row that was copied directly has a key that exists: another session loaded it meanwhile.
    KeyExists,
    /// The floor or the list of erased people changed after the batch was filtered.
    GuardChanged(WriteGuard),
    /// A write into packed chunks would decompress more than the server allows at once.
    UnpackingLimit,
    /// A value is at fault.
    Value,
    /// Anything else: an outage, a position that another owner moved, an unknown error.
    Other,
}

impl Failure {
    pub(super) fn of(error: &LoaderError) -> Self {
        match error {
            LoaderError::Moved { guard } => Self::GuardChanged(*guard),
            error => error.sqlstate().map_or(Self::Other, Self::of_state),
        }
    }

    fn of_state(sqlstate: &str) -> Self {
        match (sqlstate, sqlstate.get(..2)) {
            ("40P01" | "40001", _) => Self::Conflict,
            ("23505", _) => Self::KeyExists,
            ("53400", _) => Self::UnpackingLimit,
            // A data exception, a constraint other than a key, or a server limit: a key or a document that is too long
            // or too deep.
            (_, Some("22" | "23" | "54")) => Self::Value,
            _ => Self::Other,
        }
    }
}

/// How a batch is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// Rows after the newest loaded one are copied directly; otherwise every row is merged.
    pub(super) copies: bool,
    /// Packed rows are decompressed without a limit: slow, but better than never.
    pub(super) unpacks: bool,
}

impl Attempt {
    /// How a batch is tried at first.
    pub(super) fn first(purpose: &Purpose) -> Self {
        Self {
            copies: match purpose {
                Purpose::Follow(_) | Purpose::Backfill(_) => true,
                Purpose::ReplayDeadLetter | Purpose::LoadOffsets => false,
            },
            unpacks: false,
        }
    }
}

/// What follows a failed transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The same batch again, in the same way.
    Retry,
    /// Again, merging every row: the high watermarks proved wrong.
    Merge,
    /// Again, decompressing without a limit.
    Unpack,
    /// Again, without what must not be written any more.
    Refilter(WriteGuard),
    /// Again, without the rows that the server refuses: they become dead letters. If it refuses none, the error stands.
    FindRefused,
    /// The error stands: what is durable shows where the next writer continues.
    GiveUp,
}

/// The next step after a failure.
pub(super) const fn next_step(failure: Failure, attempt: Attempt) -> Step {
    match failure {
        Failure::Conflict => Step::Retry,
        Failure::KeyExists if attempt.copies => Step::Merge,
        Failure::GuardChanged(guard) => Step::Refilter(guard),
        Failure::UnpackingLimit if !attempt.unpacks => Step::Unpack,
        Failure::Value => Step::FindRefused,
        Failure::KeyExists | Failure::UnpackingLimit | Failure::Other => Step::GiveUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d_3_each_failure_has_one_next_step() {
        let attempt = |copies, unpacks| Attempt { copies, unpacks };
        let guard = WriteGuard {
            erasure_revision: 3,
            ..WriteGuard::default()
        };
        let always = [
            (Failure::Conflict, Step::Retry),
            (Failure::GuardChanged(guard), Step::Refilter(guard)),
            (Failure::Value, Step::FindRefused),
            (Failure::Other, Step::GiveUp),
        ];
        for (copies, unpacks) in [(true, false), (true, true), (false, false), (false, true)] {
            for (failure, step) in always {
                assert_eq!(next_step(failure, attempt(copies, unpacks)), step, "{failure:?}");
            }
            let met = if copies { Step::Merge } else { Step::GiveUp };
            assert_eq!(next_step(Failure::KeyExists, attempt(copies, unpacks)), met);
            let packed = if unpacks { Step::GiveUp } else { Step::Unpack };
            assert_eq!(
                next_step(Failure::UnpackingLimit, attempt(copies, unpacks)),
                packed
            );
        }
    }

    #[test]
    fn d_3_errors_of_values_are_distinguished_from_key_conflicts_and_outages() {
        for refused in ["22003", "22021", "22P05", "23514", "54000"] {
            assert_eq!(Failure::of_state(refused), Failure::Value, "{refused}");
        }
        for other in ["55P03", "57P01", "5", ""] {
            assert_eq!(Failure::of_state(other), Failure::Other, "{other}");
        }
        for (state, failure) in [
            ("40P01", Failure::Conflict),
            ("40001", Failure::Conflict),
            ("23505", Failure::KeyExists),
            ("53400", Failure::UnpackingLimit),
        ] {
            assert_eq!(Failure::of_state(state), failure, "{state}");
        }
        assert_eq!(Failure::of(&LoaderError::Abandoned), Failure::Other);
    }
}
