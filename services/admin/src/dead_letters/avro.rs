//! Decodes the message of a dead letter with the schema its writer used.

use futures_util::future::BoxFuture;
use pulseline_clients::registry::Registry;
use pulseline_schemas::{Position, Stream, UtcMillis, decode, to_document, unframe};

use crate::dead_letters::find::DeadLetter;

/// The message as one line of JSON, or why it cannot be decoded; none when it is not a framed message of a stream.
pub fn read<'a>(
    registry: &'a Registry,
    dead_letter: &'a DeadLetter,
    payload: &'a [u8],
) -> BoxFuture<'a, Option<String>> {
    Box::pin(async move {
        let stream = dead_letter.topic.as_deref().and_then(Stream::from_topic)?;
        let (id, datum) = unframe(payload).ok()?;
        let schema = match registry.schema(id).await {
            Ok(schema) => schema,
            Err(error) => return Some(format!("avro       schema not available: {error}\n")),
        };
        let decoded = match decode(stream, &schema, datum) {
            Ok(decoded) => decoded,
            Err(error) => {
                return Some(format!(
                    "avro       cannot be decoded with schema {id}: {error}\n"
                ));
            }
        };
        let nowhere = Position {
            topic: stream.topic().to_owned(),
            incarnation: 0,
            partition: 0,
            offset: 0,
        };
        let mut document =
            bson::Document::try_from(&*to_document(&decoded, &nowhere, id, UtcMillis(0))).ok()?;
        for made_by_the_sink in ["_id", "kafka", "stored_at", "schema_id"] {
            document.remove(made_by_the_sink);
        }
        let json = serde_json::to_string(&bson::Bson::Document(document).into_relaxed_extjson()).ok()?;
        Some(format!("avro       {json}\n"))
    })
}
