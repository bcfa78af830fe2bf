//! Events to bytes and back: Avro datum, Confluent's framing, and a hash that sees content only.

mod any;
mod canonical;
mod decode;
mod encode;
mod fields;
mod framing;
mod record;

pub(crate) use any::hexadecimal;
pub use canonical::content_hash;
pub use decode::{ALLOCATION_BYTES_MAX, DecodeError, Decoded, SchemaError, WriterSchema, decode};
pub use encode::{EncodeError, encode};
pub use framing::{FRAME_BYTES, FrameError, frame, unframe};
