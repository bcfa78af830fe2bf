//! Encodes and decodes events: Avro, Confluent's framing, and a content hash.

mod any;
mod canonical;
mod declare;
mod decode;
mod encode;
mod field;
mod framing;
mod record;

pub(crate) use any::hexadecimal;
pub(crate) use canonical::{Fields, Unknown};
pub(crate) use declare::record;
pub(crate) use decode::read_event;
pub use decode::{
    ALLOCATION_BYTES_MAX, DecodeError, Decoded, SchemaError, WriterSchema, content_hash, decode,
};
pub(crate) use encode::write_event;
pub use encode::{EncodeError, encode};
pub(crate) use field::{Field, required};
pub use framing::{FRAME_BYTES, FrameError, frame, unframe};
pub(crate) use record::Record;
