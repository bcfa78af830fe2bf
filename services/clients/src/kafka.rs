//! Kafka clients: one set of properties, one context, one table of errors.

mod admin;
mod check;
mod class;
mod error;
mod guard;
mod metadata;
mod oauth;
mod properties;
mod refusal;
mod settings;

pub use check::check;
pub use class::{class_of, code_of};
pub use error::KafkaFailure;
pub use guard::Guard;
pub use metadata::metadata;
pub use settings::Settings;
