//! The data contract of Pulseline: Avro schemas, Rust types, framing, document shapes.
//!
//! An event is one **upload**: what a device sends when it syncs. The same types travel from the generator
//! through Kafka (Avro) into MongoDB (documents) and out again; nothing here talks to a server but [`Registry`].

pub mod codec;
pub mod document;
pub mod event;
pub mod registry;
pub mod stream;
pub mod time;

pub use codec::{
    DecodeError, Decoded, EncodeError, FrameError, SchemaError, WriterSchema, content_hash, decode, encode,
    frame, unframe,
};
pub use document::{Position, collections, to_document};
pub use event::{Event, HeartRate, HeartRates, Sleep, SleepLevel, Step, Steps, Upload, User};
pub use registry::{Registry, RegistryError};
pub use stream::{DEAD_LETTER_TOPIC, Stream};
pub use time::{LocalMillis, UtcMillis};
