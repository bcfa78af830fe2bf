//! The order of documents, and the indexes that hold it.

use bson::{Document, doc};

use crate::stream::{Owner, Stream};

/// The field that holds the start of an upload's window, on the wearer's clock.
pub const WINDOW_START: &str = "created_at";
/// The field that holds the device.
const DEVICE: &str = "device_id";

/// The order in which the documents of a collection are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By the start of the window, then by `_id`.
    Window,
    /// By `_id`: what has no window.
    Id,
}

impl Order {
    /// The order of a stream's documents.
    #[must_use]
    pub const fn of(stream: Stream) -> Self {
        match stream.owner() {
            Owner::Device => Self::Window,
            Owner::User => Self::Id,
        }
    }

    /// The keys of the index that holds documents in this order; every collection has the one by `_id`.
    #[must_use]
    pub fn keys(self) -> Document {
        match self {
            Self::Window => doc! { WINDOW_START: 1, "_id": 1 },
            Self::Id => doc! { "_id": 1 },
        }
    }

    /// The indexes that a collection of this order needs: all of it in order, and one device's part.
    #[must_use]
    pub fn indexes(self) -> Vec<Document> {
        match self {
            Self::Window => vec![self.keys(), doc! { DEVICE: 1, WINDOW_START: 1, "_id": 1 }],
            Self::Id => Vec::new(),
        }
    }
}
