//! MongoDB change streams to TimescaleDB's raw layer, exactly once.
//!
//! ```text
//!  change stream ──▶ byte-bounded channel ──▶ drain ──▶ resolve ──▶ write: ONE transaction
//!  (or snapshot)     map                      batches   who wins    rows, accounting, dirty days, dead letters, position
//! ```
//!
//! A backfill reloads a range of documents and merges it, beside the loader and without a position.
//!
//! One change stream serves all collections; each has its own writer, connection and checkpoint. The position of a
//! collection is stored in the transaction that holds its rows, under the epoch of the lease (D-2): after any failure
//! the loader continues from exactly what is committed, for each collection.

mod account;
pub mod backfill;
mod batch;
mod byte_bounded;
mod checkpoint;
pub mod config;
mod context;
mod copy;
mod dead_letter;
mod document;
mod drain;
mod error;
mod event;
mod high_watermarks;
mod lease;
mod map;
mod memory;
mod metrics;
pub mod offset_loader;
mod order_index;
mod owner;
mod reading;
pub mod replay_dead_letters;
mod resolve;
mod resume;
mod service;
mod session;
mod snapshot;
mod stream;
mod take_snapshot;
mod tasks;
mod waits;
mod write;

pub use config::{DeadToken, LoaderConfig};
pub use error::LoaderError;
pub use service::{LoaderConnections, run};
