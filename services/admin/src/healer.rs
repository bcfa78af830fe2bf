//! Repairs holes in the accounting from what MongoDB and Kafka still have (A-3).
//!
//! ```text
//!  Kafka's ends, the ops tables ──▶ holes that outlive the wait ──▶ MongoDB by position ──▶ loader: rows and ops tables
//!                                                                  │ nothing there             ▲
//!                                                                  ▼                           │
//!                                                     Kafka, while it keeps the offset ──▶ sink: MongoDB
//!                                                                  │ nothing there
//!                                                                  ▼ stays a hole, and is reported
//! ```

mod agenda;
mod error;
mod metrics;
mod repair;
mod service;

pub use error::HealerError;
pub use repair::{HealReport, Healed, Healer};
pub use service::{ROUND_OFFSETS, Rounds, run};
