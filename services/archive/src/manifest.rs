//! What a folder says of itself: `pulseline.json`, which names the zones of its people.

use std::collections::BTreeMap;
use std::io::Read;

use serde::Deserialize;

use crate::ArchiveError;
use crate::tree::{Consumed, Tree};

/// Its place: the root.
pub(crate) const MANIFEST: &str = "pulseline.json";
/// More is no manifest.
const BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Default, Deserialize)]
struct Manifest {
    people: BTreeMap<String, Person>,
}

#[derive(Debug, Deserialize)]
struct Person {
    zone: String,
}

/// IANA names of zones by person; empty where there is no manifest.
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
