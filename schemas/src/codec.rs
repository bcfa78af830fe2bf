//! Codecs of records: Avro, Confluent's framing, the canonical form.

mod any;
mod canonical;
mod declare;
mod decode;
mod encode;
mod field;
mod framing;
mod record;

pub(crate) use any::hexadecimal;
pub(crate) use canonical::{Fields, Unknown, digest};
pub(crate) use declare::record;
pub(crate) use decode::read;
pub use decode::{ALLOCATION_BYTES_MAX, DecodeError, SchemaError, WriterSchema};
pub(crate) use encode::{DatumWriter, write};
pub use field::Extra;
pub(crate) use field::{Field, required};
pub use framing::{FRAME_BYTES, FrameError, frame, unframe};
pub(crate) use record::Record;
