//! The parts of a batch: one entry per message, or per range of offsets without messages.

use std::collections::HashMap;
use std::sync::Arc;

use bson::RawDocumentBuf;
use pulseline_schemas::{Position, Stream};
use uuid::Uuid;

use crate::dead_letters::DeadLetter;
use crate::gaps::Gap;
use crate::source::Partition;

/// An event that is ready to be stored.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) stream: Stream,
    pub(crate) position: Position,
    pub(crate) event_id: Uuid,
    pub(crate) document: RawDocumentBuf,
    /// The message itself: if the event contradicts a stored one, the dead letter carries it.
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Vec<u8>,
}

/// One thing to store.
#[derive(Debug)]
pub(crate) enum BatchEntry {
    Event(Box<Pending>),
    DeadLetter(Box<DeadLetter>),
    Gap {
        partition: Partition,
        incarnation: i32,
        gap: Gap,
        /// True when a second read has already shown that the range is empty.
        is_proven: bool,
    },
}

impl BatchEntry {
    /// Bytes that this entry holds in memory, approximately.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Event(pending) => pending.document.as_bytes().len() + pending.payload.len(),
            Self::DeadLetter(dead_letter) => dead_letter.bytes(),
            Self::Gap { .. } => size_of::<Self>(),
        }
    }
}

/// The topic's id and incarnation, beyond its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicIncarnation {
    pub(crate) topic_id: Arc<str>,
    pub(crate) number: i32,
}

/// The end of a batch in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The assignment under which the messages were read.
    pub(crate) epoch: u64,
    pub(crate) identity: TopicIncarnation,
    /// The offset after the last one.
    pub(crate) next: i64,
}

/// What is written together.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) entries: Vec<BatchEntry>,
    pub(crate) ends: HashMap<Partition, End>,
    pub(crate) bytes: usize,
}
