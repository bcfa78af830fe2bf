//! Sends device uploads to Kafka, from a simulation or from exported files.
//!
//! [`plan`] is pure: it yields a seeded cohort's deliveries in order of time, the same bytes for the same
//! configuration. [`simulate`] sends them with Avro and an idempotent producer, and counts every delivery report.
//! [`write_pmdata`] writes their final state as files; [`replay`] sends the content of files.

mod cohort;
mod config;
mod counts;
mod error;
mod files;
mod metrics;
mod pace;
mod plan;
mod produce;
mod quirks;
mod random;
mod replay;
mod simulate;

pub use config::{SimulateConfig, Speed, Start};
pub use counts::{Counts, Snapshot, Summary, TopicCounts};
pub use error::GeneratorError;
pub use files::{Written, WrittenFile, WrittenFolder, write_pmdata};
pub use metrics::describe as describe_metrics;
pub use plan::{Breakage, DeliveryKind, Payload, Plan, Planned, plan};
pub use produce::topics::ensure_topics;
pub use quirks::{Quirk, Quirks};
pub use replay::{ReplayConfig, SurveyedArchive, replay};
pub use simulate::{GeneratorConnections, simulate};
