//! How far the reading of a collection has come whose changes are not followed yet, as its checkpoint stores it.

use pulseline_schemas::pages::PagePosition;
use serde::{Deserialize, Serialize};

use crate::resume::ResumePoint;

/// A snapshot and its progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// Where the change stream continues once all is read.
    pub(crate) begins: ResumePoint,
    /// The document after which reading continues; none at the beginning.
    pub(crate) after: Option<PagePosition>,
}

/// A snapshot as stored: usable only while no other version has moved the checkpoint.
#[derive(Serialize, Deserialize)]
struct Stored {
    seq: i64,
    snapshot: Snapshot,
}

impl Snapshot {
    pub(crate) fn new(begins: ResumePoint) -> Self {
        Self { begins, after: None }
    }

    /// The snapshot stored in a checkpoint, whose number is then `seq`.
    pub(crate) fn encode(&self, seq: i64) -> Result<Vec<u8>, String> {
        let snapshot = self.clone();
        bson::serialize_to_vec(&Stored { seq, snapshot }).map_err(|error| format!("snapshot: {error}"))
    }

    /// None when a version without snapshots moved the checkpoint.
    pub(crate) fn decode(bytes: &[u8], seq: i64) -> Option<Self> {
        let stored: Stored = bson::deserialize_from_slice(bytes).ok()?;
        (stored.seq == seq).then_some(stored.snapshot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resume;

    #[test]
    fn d_2_a_snapshot_is_read_as_it_was_stored_unless_the_checkpoint_was_moved_since() {
        let token = bson::deserialize_from_slice(bson::rawdoc! { "_data": "82" }.as_bytes()).unwrap();
        let snapshot = Snapshot {
            begins: ResumePoint {
                token,
                stream_position: resume::StreamPosition::START,
            },
            after: Some(PagePosition::Window {
                at: 5,
                id: "a".into(),
            }),
        };
        let stored = snapshot.encode(7).unwrap();
        assert_eq!(Snapshot::decode(&stored, 7), Some(snapshot));
        assert_eq!(Snapshot::decode(&stored, 8), None);
        assert_eq!(Snapshot::decode(b"\x01", 7), None);
    }
}
