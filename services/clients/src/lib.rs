//! Creates the clients of Kafka, the registry, MongoDB and PostgreSQL, and classifies their errors (P19).
//! No other crate calls a driver's constructor.

mod handshake;
mod hop;
pub mod kafka;
pub mod mongo;
pub mod postgres;
pub mod registry;
mod tls;

pub use hop::HopReport;
