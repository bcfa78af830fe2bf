//! Deterministic ids from names and content: the same files give the same ids.

use pulseline_schemas::{Event, Stream, UtcMillis, content_hash};
use serde_json::Map;
use uuid::Uuid;

/// Namespace of these ids. It never changes.
const NAMESPACE: Uuid = Uuid::from_u128(0x8f2b_6a1c_54d7_4e0b_9c3e_71a5_d20f_63b8);

/// The id of the person of this name.
#[must_use]
pub fn user_id(name: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("user/{name}").as_bytes())
}

/// The id of the device of the person of this name.
#[must_use]
pub fn device_id(name: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("device/{name}").as_bytes())
}

/// Parses a UUID with or without hyphens; any other text is hashed to an id.
pub(crate) fn given_id(text: &str) -> Uuid {
    let text = text.trim();
    Uuid::try_parse(text).unwrap_or_else(|_| Uuid::new_v5(&NAMESPACE, format!("given/{text}").as_bytes()))
}

/// Derives an event's id from its stream, owner, window, time of sending and content.
pub(crate) fn identify(event: &mut Event) {
    event.set_event_id(Uuid::nil());
    let (start, offset) = event.upload().map_or((0, 0), |upload| {
        (upload.window_start.0, upload.utc_offset_minutes)
    });
    let UtcMillis(synced_at) = event.synced_at();
    let stream: Stream = event.stream();
    let mut name = Vec::with_capacity(96);
    name.extend_from_slice(b"event/");
    name.extend_from_slice(stream.name().as_bytes());
    name.extend_from_slice(event.key().as_bytes());
    name.extend_from_slice(&start.to_be_bytes());
    name.extend_from_slice(&offset.to_be_bytes());
    name.extend_from_slice(&synced_at.to_be_bytes());
    name.extend_from_slice(&content_hash(event, &Map::new()));
    event.set_event_id(Uuid::new_v5(&NAMESPACE, &name));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_make_ids_that_never_change() {
        assert_eq!(user_id("p01"), user_id("p01"));
        assert_ne!(user_id("p01"), device_id("p01"));
        assert_ne!(user_id("p01"), user_id("p02"));
        let hex = "0123456789abcdef0123456789abcdef";
        assert_eq!(given_id(hex).simple().to_string(), hex);
        assert_eq!(given_id("5f0c1"), given_id(" 5f0c1 "));
    }
}
