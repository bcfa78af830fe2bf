//! Simulated devices that upload to Kafka.
//!
//! Two halves. [`plan`] is pure: a seeded cohort as an iterator of deliveries in the order of time, the same to the
//! byte for the same configuration; [`Oracle`] says what must be in the warehouse once they have arrived.
//! [`simulate`] sends them: Avro, idempotent producer, every delivery report counted.

mod cohort;
mod config;
mod counts;
mod error;
mod metrics;
mod oracle;
mod pace;
mod plan;
mod produce;
mod random;
mod simulate;

pub use config::{SimulateConfig, Speed, Start};
pub use counts::{Counts, Snapshot, Summary, TopicCounts};
pub use error::GeneratorError;
pub use metrics::describe as describe_metrics;
pub use oracle::{Dead, HeartRateRow, Oracle, ReadingKey, StepsRow, Version};
pub use plan::{Breakage, Kind, Payload, Plan, Planned, plan};
pub use produce::topics::ensure_topics;
pub use simulate::{Connections, simulate};
