//! Devices that upload to Kafka: simulated ones, and those whose files people have.
//!
//! Of simulation, two halves. [`plan`] is pure: a seeded cohort as an iterator of deliveries in the order of time, the same to the
//! byte for the same configuration; [`Oracle`] says what must be in the warehouse once they have arrived.
//! [`simulate`] sends them: Avro, idempotent producer, every delivery report counted. [`write_pmdata`] writes what
//! they come to as files; [`replay`] sends what files hold.

mod cohort;
mod config;
mod counts;
mod error;
mod files;
mod metrics;
mod oracle;
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
pub use oracle::{
    CaloriesRow, DayKey, DayRow, Dead, DistanceRow, HeartRateRow, Oracle, ReadingKey, StepsRow, Version,
};
pub use plan::{Breakage, DeliveryKind, Payload, Plan, Planned, plan};
pub use produce::topics::ensure_topics;
pub use quirks::{Quirk, Quirks};
pub use replay::{ReplayConfig, SurveyedArchive, replay};
pub use simulate::{GeneratorConnections, simulate};
