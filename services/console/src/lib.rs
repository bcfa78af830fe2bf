//! The web console: one page that shows the flow and whether anything is wrong.
//!
//! ```text
//!  browser ──▶ guard (host, credentials, origin, token) ──▶ routes ──▶ watcher ──▶ auditor: status and every partition's ranges
//!                                                                  └─▶ answers ──▶ dead letters, compactor, agg and stage
//! ```
//! All viewers share one poll and one answer per query; each is valid for two seconds.

mod answers;
mod bars;
mod cache;
mod config;
mod error;
mod guard;
mod headline;
mod metrics;
mod overview;
mod page;
mod people;
mod question;
mod rates;
mod replay;
mod routes;
mod service;
mod warehouse;
mod watcher;

pub use config::ConsoleConfig;
pub use error::ConsoleError;
pub use service::{ConsoleConnections, run};
