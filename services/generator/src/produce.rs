//! Sends messages to Kafka.

pub(crate) mod deliver;
pub(crate) mod message;
pub(crate) mod sender;
pub(crate) mod topics;
