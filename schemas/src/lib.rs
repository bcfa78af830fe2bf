//! The data contract of Pulseline: Avro schemas, Rust types, framing, document shapes.
//!
//! An event is one **upload**: the data of one device sync. The same types travel from the generator
//! through Kafka (Avro) into MongoDB (documents) and out again; nothing here talks to a server.

pub mod codec;
pub mod datum;
pub mod dead_letter;
pub mod document;
pub mod event;
pub mod ownership;
pub mod pages;
pub mod stream;
pub mod streams;
pub mod time;

pub use codec::{DecodeError, Extra, FrameError, SchemaError, WriterSchema, frame, unframe};
pub use datum::{Decoded, EncodeError, content_hash, decode, encode};
pub use dead_letter::{DeadLetter, Origin};
pub use document::{Position, ReceiptDocument, collections, to_document};
pub use event::Event;
pub use stream::{DEAD_LETTER_TOPIC, Kind, Owner, Readings, Sessions, Stream};
pub use streams::{
    ActivityMinute, ActivityMinutes, Calorie, Calories, Distance, Distances, Exercise, ExerciseLevel,
    ExerciseZone, HeartRate, HeartRateZones, HeartRates, RestingHeartRate, RestingHeartRates, Sleep,
    SleepLevel, SleepScore, Step, Steps, Upload, User, ZoneMinutes,
};
pub use time::{LocalDay, LocalMillis, UtcMillis};
