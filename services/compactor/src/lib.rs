//! Keeps stage and agg correct: refreshes exactly the dirty days, parents first, recomputes the heart rate of affected
//! sleeps, packs old and quiet chunks, and folds the accounting.
//!
//! ```text
//!  ops.dirty_days ──▶ plan (pure) ──▶ patch, where few devices changed ──▶ sleeps ──▶ delete exactly the ids that were read
//!                        │      └─────▶ refresh: CALL by CALL ───────────────┘
//!                        │ days that are still open ──▶ ops.waiting_days ──▶ plan, once they have closed
//!  ops.chunks ──▶ old and quiet ──▶ columnstore
//!  ops.floors, once retention is set ──▶ old readings are deleted
//!  ops.accounted_log ──▶ fold ──▶ ops.accounted ──▶ ops.accounted_pages
//! ```

mod close;
mod config;
mod connection;
mod cycle;
mod dirty;
mod error;
mod facts;
mod journal;
mod locks;
mod metrics;
mod ops_tables;
mod pack;
mod patch;
mod plan;
mod preview;
mod refresh;
mod report;
mod retain;
mod rhythm;
mod service;
mod unsettled;
mod user_days;

pub use config::CompactorConfig;
pub use error::CompactorError;
pub use journal::{JournalEntry, journal};
pub use preview::{preview, preview_with};
pub use report::CycleReport;
pub use service::{run, run_once};
