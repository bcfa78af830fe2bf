//! The one place that makes a client of Kafka, the registry, MongoDB or PostgreSQL, and that knows what their errors mean (P19).
//! Nobody else names a driver's constructor.

mod handshake;
mod hop;
pub mod kafka;
pub mod mongo;
pub mod postgres;
pub mod registry;
mod tls;

pub use hop::HopReport;
