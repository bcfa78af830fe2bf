//! Reads the content of a collection before its changes are followed.
//!
//! The position is taken first and stored last. Documents that arrive in between are read twice, which changes nothing.
//! Progress is stored in the transaction that holds the rows (D-2): a restart continues there, after the same position.

use std::time::Duration;

use mongodb::Database;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::pages::{Order, PagePosition, Pages};
use serde::{Deserialize, Serialize};

use crate::batch::Progress;
use crate::config::LoaderConfig;
use crate::document::SourceCollection;
use crate::error::LoaderError;
use crate::metrics;
use crate::order_index;
use crate::reading::Reading;
use crate::resume::ResumePoint;
use crate::write::Writer;

/// How often the reader looks for an index that another program creates.
const INDEX_POLL: Duration = Duration::from_secs(5);

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

    /// Reads the collection, or the rest of it, and stores its position; none when told to stop before the end.
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
