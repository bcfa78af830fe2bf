//! The manifest `pulseline.json`, which names the time zones of a folder's people.

use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;

use crate::ArchiveError;
use crate::tree::{Consumed, Tree};

/// Its path, in the root.
pub(crate) const MANIFEST: &str = "pulseline.json";
/// Largest manifest.
const BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Default, Deserialize)]
struct Manifest {
    people: BTreeMap<String, Person>,
}

#[derive(Debug, Deserialize)]
struct Person {
    zone: String,
}

/// IANA time zones by person; empty without a manifest.
pub(crate) fn zones(tree: &Tree) -> Result<BTreeMap<String, String>, ArchiveError> {
    let Some(entry) = tree.entries.iter().find(|entry| entry.path == MANIFEST) else {
        return Ok(BTreeMap::new());
    };
    let read = |source| ArchiveError::read(MANIFEST, source);
    let mut text = Vec::new();
    let source = tree.read(entry, &Consumed::default())?;
    source.take(BYTES_MAX).read_to_end(&mut text).map_err(read)?;
    let manifest: Manifest =
        serde_json::from_slice(&text).map_err(|source| ArchiveError::Manifest { source })?;
    let people = manifest.people.into_iter();
    Ok(people.map(|(name, person)| (name, person.zone)).collect())
}
