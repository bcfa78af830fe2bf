//! The id of an event.

use pulseline_schemas::{Event, content_hash};
use uuid::Uuid;

use crate::cohort::NAMESPACE;

/// The id of an event, from stream, key, window, instant and content. The same upload has the same id in every
/// plan.
pub(super) fn id_of(event: &Event) -> Uuid {
    // The content has no id yet.
    let content = content_hash(event, &serde_json::Map::new());
    let window = event
        .upload()
        .map_or((0, 0), |upload| (upload.window_start.0, upload.window_end.0));
    let mut name = Vec::with_capacity(96);
    name.extend_from_slice(event.stream().name().as_bytes());
    name.extend_from_slice(event.key().as_bytes());
    for part in [window.0, window.1, event.synced_at().0] {
        name.extend_from_slice(&part.to_be_bytes());
    }
    name.extend_from_slice(&content);
    Uuid::new_v5(&NAMESPACE, &name)
}
