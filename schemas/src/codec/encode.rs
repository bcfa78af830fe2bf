//! Events to Avro, with the schemas that this version ships.

use std::sync::LazyLock;

use apache_avro::Schema;
use apache_avro::writer::datum::GenericDatumWriter;
use serde::ser::{Serialize, SerializeStruct, Serializer};
use uuid::Uuid;

use crate::event::{Event, HeartRate, HeartRates, Sleep, SleepLevel, Step, Steps, Upload, User};
use crate::stream::Stream;

/// An event that its schema cannot hold.
#[derive(Debug, thiserror::Error)]
#[error("{stream} cannot be written as Avro: {reason}")]
pub struct EncodeError {
    /// The stream.
    pub stream: Stream,
    /// What the encoder said.
    pub reason: String,
}

type Shipped = Result<Schema, String>;
type Writer = Result<GenericDatumWriter<'static>, String>;

static SCHEMAS: LazyLock<[Shipped; 4]> = LazyLock::new(|| {
    Stream::ALL.map(|stream| Schema::parse_str(stream.schema_json()).map_err(|error| error.to_string()))
});

/// Resolving names costs more than writing an upload, so it is done once.
static WRITERS: LazyLock<[Writer; 4]> = LazyLock::new(|| {
    SCHEMAS.each_ref().map(|schema| {
        let schema = schema.as_ref().map_err(Clone::clone)?;
        GenericDatumWriter::builder(schema)
            .human_readable(false)
            .build()
            .map_err(|error| error.to_string())
    })
});

/// The bare datum of an event, written with the current schema of its stream.
///
/// # Errors
/// When the shipped schema does not fit the event; a fault of this program, not of the data.
pub fn encode(event: &Event) -> Result<Vec<u8>, EncodeError> {
    let stream = event.stream();
    let failed = |reason: String| EncodeError { stream, reason };
    let writer = WRITERS[stream as usize]
        .as_ref()
        .map_err(|reason| failed(reason.clone()))?;
    // 14 bytes hold a heart rate, 200 an envelope: one allocation for nearly every upload.
    let mut datum = Vec::with_capacity(200 + 14 * event.readings());
    let written = match event {
        Event::HeartRates(event) => writer.write_ser(&mut datum, &Datum(event)),
        Event::Steps(event) => writer.write_ser(&mut datum, &Datum(event)),
        Event::Sleep(event) => writer.write_ser(&mut datum, &Datum(event)),
        Event::User(event) => writer.write_ser(&mut datum, &Datum(event)),
    };
    written.map_err(|error| failed(error.to_string()))?;
    Ok(datum)
}

/// A value in the shape of its Avro type: flat envelope, UUIDs as text, fields in the schema's order.
struct Datum<'a, T: ?Sized>(&'a T);

impl Serialize for Datum<'_, Uuid> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
    }
}

impl<T> Serialize for Datum<'_, [T]>
where
    for<'b> Datum<'b, T>: Serialize,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(Datum))
    }
}

fn envelope<R: SerializeStruct>(record: &mut R, upload: &Upload) -> Result<(), R::Error> {
    record.serialize_field("event_id", &Datum(&upload.event_id))?;
    record.serialize_field("device_id", &Datum(&upload.device_id))?;
    record.serialize_field("synced_at", &upload.synced_at.0)?;
    record.serialize_field("utc_offset_minutes", &upload.utc_offset_minutes)?;
    record.serialize_field("window_start", &upload.window_start.0)?;
    record.serialize_field("window_end", &upload.window_end.0)
}

impl Serialize for Datum<'_, HeartRates> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("HeartRates", 7)?;
        envelope(&mut record, &self.0.upload)?;
        record.serialize_field("samples", &Datum(self.0.samples.as_slice()))?;
        record.end()
    }
}

impl Serialize for Datum<'_, HeartRate> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("HeartRate", 3)?;
        record.serialize_field("ts", &self.0.ts.0)?;
        record.serialize_field("bpm", &self.0.bpm)?;
        record.serialize_field("confidence", &self.0.confidence)?;
        record.end()
    }
}

impl Serialize for Datum<'_, Steps> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("Steps", 7)?;
        envelope(&mut record, &self.0.upload)?;
        record.serialize_field("samples", &Datum(self.0.samples.as_slice()))?;
        record.end()
    }
}

impl Serialize for Datum<'_, Step> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("Step", 2)?;
        record.serialize_field("ts", &self.0.ts.0)?;
        record.serialize_field("steps", &self.0.steps)?;
        record.end()
    }
}

impl Serialize for Datum<'_, Sleep> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let sleep = self.0;
        let mut record = serializer.serialize_struct("Sleep", 21)?;
        envelope(&mut record, &sleep.upload)?;
        record.serialize_field("end_utc_offset_minutes", &sleep.end_utc_offset_minutes)?;
        record.serialize_field("log_id", &sleep.log_id)?;
        record.serialize_field("date_of_sleep", &sleep.date_of_sleep)?;
        record.serialize_field("duration_ms", &sleep.duration_ms)?;
        record.serialize_field("minutes_to_fall_asleep", &sleep.minutes_to_fall_asleep)?;
        record.serialize_field("minutes_asleep", &sleep.minutes_asleep)?;
        record.serialize_field("minutes_awake", &sleep.minutes_awake)?;
        record.serialize_field("minutes_after_wakeup", &sleep.minutes_after_wakeup)?;
        record.serialize_field("time_in_bed", &sleep.time_in_bed)?;
        record.serialize_field("efficiency", &sleep.efficiency)?;
        record.serialize_field("type", &sleep.kind)?;
        record.serialize_field("info_code", &sleep.info_code)?;
        record.serialize_field("main_sleep", &sleep.main_sleep)?;
        record.serialize_field("levels", &Datum(sleep.levels.as_slice()))?;
        record.serialize_field("short_levels", &Datum(sleep.short_levels.as_slice()))?;
        record.end()
    }
}

impl Serialize for Datum<'_, SleepLevel> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut record = serializer.serialize_struct("SleepLevel", 3)?;
        record.serialize_field("ts", &self.0.ts.0)?;
        record.serialize_field("level", &self.0.level)?;
        record.serialize_field("seconds", &self.0.seconds)?;
        record.end()
    }
}

impl Serialize for Datum<'_, User> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let user = self.0;
        let mut record = serializer.serialize_struct("User", 11)?;
        record.serialize_field("event_id", &Datum(&user.event_id))?;
        record.serialize_field("user_id", &Datum(&user.user_id))?;
        record.serialize_field("synced_at", &user.synced_at.0)?;
        record.serialize_field("created_at", &user.created_at.0)?;
        record.serialize_field("email", &user.email)?;
        record.serialize_field("date_of_birth", &user.date_of_birth)?;
        record.serialize_field("gender", &user.gender)?;
        record.serialize_field("height_cm", &user.height_cm)?;
        record.serialize_field("max_heart_rate", &user.max_heart_rate)?;
        record.serialize_field("zone", &user.zone)?;
        record.serialize_field("devices", &Datum(user.devices.as_slice()))?;
        record.end()
    }
}
