//! Keeps stage and agg right: refreshes exactly the dirty days, parents first, and folds the accounting.
//!
//! ```text
//!  ops.dirty_days ──▶ plan (pure) ──▶ refresh: CALL by CALL ──▶ delete exactly the ids that were read
//!                        │ periods that are still open ──▶ ops.waiting_periods ──▶ plan, once they have closed
//!  ops.accounted_log ──▶ fold ──▶ ops.accounted
//! ```

mod books;
mod config;
mod cycle;
mod error;
mod metrics;
mod plan;
mod service;

pub use config::CompactorConfig;
pub use cycle::CycleReport;
pub use error::CompactorError;
pub use service::{run, run_once};
