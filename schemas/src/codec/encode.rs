//! Encodes records to Avro.

use apache_avro::writer::datum::GenericDatumWriter;

use super::field::Whole;
use super::record::Record;

/// Writes datums of one schema.
pub(crate) type DatumWriter = GenericDatumWriter<'static>;

/// Appends a record to a datum; an error means that the schema does not fit it.
pub(crate) fn write<R: Record>(writer: &DatumWriter, record: &R, datum: &mut Vec<u8>) -> Result<(), String> {
    let written = writer.write_ser(datum, &Whole(record));
    written.map(drop).map_err(|error| error.to_string())
}
