//! Kafka to MongoDB: stores every message once, or keeps it as a dead letter.
//!
//! ```text
//!  topics ──▶ intake ──▶ decode ──▶ filling batch ──▶ flush: gaps, insert_many, duplicates, dead letters, receipts
//!  (group)    polls all   writer's    rows, bytes,       majority, unordered; one at a time
//!     ▲       the time    schema      age                                          │
//!     └───────────────────────────── store offsets ◀── only what is durable (D-1) ─┘
//! ```
//!
//! One batch is flushed while the next one fills. Every offset that was read ends as exactly one of: the event's document,
//! a receipt (a duplicate, or a range without messages), or a dead letter; or it is reported as lost.
//! After a crash the sink reads uncommitted messages again and finds their documents by `_id` and position.
//!
//! What it asks of the servers are traits, in `broker`, `event_store` and `context`. `kafka` and `mongo_store` are the
//! servers themselves; in tests, `scripted` fails, loses replies and holds calls up.

mod assignment;
mod broker;
pub mod config;
mod context;
mod dead_letters;
mod decode;
mod duplicates;
mod entry;
mod erasures;
mod error;
mod event_store;
mod flush;
mod gaps;
mod incarnations;
mod intake;
mod kafka;
mod metrics;
mod mongo_store;
mod outage;
mod reading_indexes;
mod receipts;
pub mod restore;
#[cfg(test)]
mod scripted;
mod service;
mod source;
mod statistics;
#[cfg(test)]
mod tests;
mod trailing_gaps;
mod unreadable;

pub use config::{GroupProtocol, SinkConfig};
pub use error::SinkError;
pub use metrics::describe as describe_metrics;
pub use service::{SinkConnections, run};
