//! Reading what is in a collection before its part of the change stream is followed.
//!
//! The position is taken first and stored last. What arrives in between is read twice, which changes nothing. How far reading
//! is, is stored in the transaction that holds the rows (D-2): a restart goes on there, after the same position.

use std::time::Duration;

use mongodb::Database;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::pages::{Order, PagePosition, Pages};
use serde::{Deserialize, Serialize};

use crate::batch::Progress;
use crate::config::LoaderConfig;
use crate::error::LoaderError;
use crate::map::SourceCollection;
use crate::metrics;
use crate::order_index;
use crate::reading::Reading;
use crate::resume::ResumePoint;
use crate::write::Writer;

/// How often an index is looked for that another has to make.
const INDEX_POLL: Duration = Duration::from_secs(5);

/// A snapshot and how far it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// Where the change stream goes on once all is read.
    pub(crate) begins: ResumePoint,
    /// After which document reading goes on; none at the beginning.
    pub(crate) after: Option<PagePosition>,
}

/// A snapshot as it is stored: of use as long as nobody else has moved the checkpoint.
#[derive(Serialize, Deserialize)]
struct Stored {
    seq: i64,
    snapshot: Snapshot,
}

impl Snapshot {
    pub(crate) fn new(begins: ResumePoint) -> Self {
        Self { begins, after: None }
    }

    /// As it stands in the checkpoint whose number is then `seq`.
    pub(crate) fn encode(&self, seq: i64) -> Result<Vec<u8>, String> {
        let snapshot = self.clone();
        bson::serialize_to_vec(&Stored { seq, snapshot }).map_err(|error| format!("snapshot: {error}"))
    }

    /// None when the checkpoint was moved by a version that knows nothing of snapshots.
    pub(crate) fn decode(bytes: &[u8], seq: i64) -> Option<Self> {
        let stored: Stored = bson::deserialize_from_slice(bytes).ok()?;
        (stored.seq == seq).then_some(stored.snapshot)
    }

    /// Reads the whole collection, or the rest of it, and stores its position; none when told to stop before the end.
    pub(crate) async fn take(
        self,
        writer: &mut Writer,
        database: &Database,
        (config, shutdown): (&LoaderConfig, &Shutdown),
        committed: impl Fn(),
    ) -> Result<Option<ResumePoint>, LoaderError> {
        let collection = database.collection(writer.source().name());
        let order = order_of(writer.source());
        metrics::record_snapshot(writer.source(), true);
        if !order_index::await_it(&collection, order, INDEX_POLL, shutdown).await? {
            return Ok(None);
        }
        writer.begin_snapshot(self.begins.clone());
        let reading = Reading {
            collection,
            pages: Pages::new(order, config.page_documents).after(self.after),
        };
        if !reading.load(writer, config, shutdown, |_| committed()).await? {
            return Ok(None);
        }
        let position = Some(self.begins.clone());
        writer
            .save(&Progress {
                position,
                ..Progress::default()
            })
            .await?;
        metrics::record_snapshot(writer.source(), false);
        Ok(Some(self.begins))
    }
}

/// The order in which a collection is read.
fn order_of(source: SourceCollection) -> Order {
    match source {
        SourceCollection::Stream(stream) => Order::of(stream),
        SourceCollection::Receipts | SourceCollection::DeadLetters => Order::Id,
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
