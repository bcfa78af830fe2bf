//! MongoDB change streams to TimescaleDB's raw layer, exactly once.
//!
//! ```text
//!  collection ──▶ tail ──▶ map ──▶ drain ──▶ resolve ──▶ write: ONE transaction
//!  (or snapshot)   raw      pure    batches    who wins    rows, accounting, dirty days, letters, position
//! ```
//!
//! A backfill reads a range of documents once more and merges it, beside the loader and without a position.
//!
//! Each collection has its own task, connection and checkpoint, so that one stalls no other. The position of a
//! change stream is stored in the transaction that holds its rows, under the epoch of the lease (D-2): whatever
//! happens, the next opening goes on from exactly what is committed.

mod account;
pub mod backfill;
mod batch;
mod checkpoint;
mod collection;
pub mod config;
mod copy;
mod drain;
mod error;
mod event;
mod frontier;
mod letter;
mod map;
pub mod mend;
mod metrics;
mod owner;
mod readiness;
mod resolve;
pub mod revive;
mod service;
mod snapshot;
mod tail;
mod write;

pub use config::{DeadToken, LoaderConfig};
pub use error::LoaderError;
pub use service::{Connections, run};
