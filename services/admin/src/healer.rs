//! Repairs holes in the accounting from what MongoDB and Kafka still have (A-3). As a service, it also removes documents of
//! readings that are older than configured (P12).
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
mod config;
mod error;
mod metrics;
mod repair;
mod retention;
mod service;

pub use config::HealerConfig;
pub use error::HealerError;
pub use repair::{HealReport, Healed, Healer};
pub use service::{ROUND_OFFSETS, Rounds, run};
