//! Shared by all services: configuration, shutdown, retry, batches, HTTP, telemetry. No driver types.

pub mod batch;
pub mod clock;
pub mod config;
pub mod health;
pub mod http;
mod metrics;
pub mod retry;
pub mod shutdown;
pub mod telemetry;
pub mod waits;

/// Version of this program, written into dead letters and logs.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
