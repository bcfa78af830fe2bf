//! Days whose figures are to be computed anew.

use pulseline_sql::periods::DayNumber;
use uuid::Uuid;

/// A row of `ops.dirty_days`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dirty {
    pub(crate) id: i64,
    pub(crate) stream: String,
    pub(crate) device: Option<Uuid>,
    pub(crate) day: DayNumber,
    /// The server may not know that the day is wrong: only a patch helps.
    pub(crate) is_forced: bool,
}

/// A row of `ops.waiting_days`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Waiting {
    pub(crate) stream: String,
    pub(crate) day: DayNumber,
}
