//! How dead letters are named, and whose their documents are.

use bson::RawDocument;
use pulseline_schemas::{Owner, Stream};
use uuid::Uuid;

/// The relation under which `verify` lists what it finds about dead letters.
pub(crate) const RELATION: &str = "ops.dead_letters";
/// After so many differences of one kind nothing more is looked for: each may have cost a wait or a search.
pub(super) const ENOUGH: usize = 5;
/// Longest origin that the loader stores as it is: it is part of a key.
const ORIGIN_BYTES: usize = 1_000;

/// True when the loader stores an origin unchanged. Longer ones, and those with a NUL, get another key.
pub(super) fn is_stored_as_written(origin: &str) -> bool {
    origin.len() <= ORIGIN_BYTES && !origin.contains('\0')
}

/// The device or person that a document belongs to, where it is readable.
pub(super) fn owner_of(stream: Stream, document: &RawDocument) -> Option<Uuid> {
    let field = match stream.owner() {
        Owner::Device => "device_id",
        Owner::User => "user_id",
    };
    let id = document.get_str(field).ok();
    id.and_then(|id| Uuid::parse_str(id).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_9_only_an_origin_that_the_loader_keeps_is_a_key() {
        assert!(is_stored_as_written("mongo:steps/a") && is_stored_as_written(&"x".repeat(1_000)));
        assert!(!is_stored_as_written(&"x".repeat(1_001)) && !is_stored_as_written("a\0b"));
    }
}
