//! The data contract of Pulseline: Avro schemas, Rust types, framing, document shapes.
//!
//! An event is one **upload**: the data of one device sync. The same types travel from the generator
//! through Kafka (Avro) into MongoDB (documents) and out again; nothing here talks to a server.

pub mod codec;
pub mod document;
pub mod event;
pub mod pages;
pub mod stream;
pub mod streams;
pub mod time;

pub use codec::{
    DecodeError, Decoded, EncodeError, FrameError, SchemaError, WriterSchema, content_hash, decode, encode,
    frame, unframe,
};
pub use document::{Position, ReceiptDocument, collections, to_document};
pub use event::Event;
pub use stream::{DEAD_LETTER_TOPIC, Owner, Stream};
pub use streams::{
    ActivityMinute, ActivityMinutes, Calorie, Calories, Distance, Distances, Exercise, ExerciseLevel,
    ExerciseZone, Extra, HeartRate, HeartRateZones, HeartRates, RestingHeartRate, RestingHeartRates, Sleep,
    SleepLevel, SleepScore, Step, Steps, Upload, User, ZoneMinutes,
};
pub use time::{LocalDay, LocalMillis, UtcMillis};
