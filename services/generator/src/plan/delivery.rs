//! One delivery of the plan: content, time and kind.

use pulseline_schemas::{Event, Stream, UtcMillis};
use uuid::Uuid;

/// Why an upload is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeliveryKind {
    /// Within minutes of its window's end.
    OnTime,
    /// Hours to 7 days after its window.
    Late,
    /// The same event again.
    Duplicate,
    /// The same window again, with other values.
    Correction,
    /// A day or a night that is not over yet; the whole follows.
    Partial,
    /// Broken: it cannot be loaded as it is.
    Broken(Breakage),
}

impl DeliveryKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::OnTime,
        Self::Late,
        Self::Duplicate,
        Self::Correction,
        Self::Partial,
        Self::Broken(Breakage::Garbage),
        Self::Broken(Breakage::Truncated),
        Self::Broken(Breakage::UnknownSchema),
        Self::Broken(Breakage::Unmappable),
    ];

    /// Name in metrics and summaries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OnTime => "on_time",
            Self::Late => "late",
            Self::Duplicate => "duplicate",
            Self::Correction => "correction",
            Self::Partial => "partial",
            Self::Broken(Breakage::Garbage) => "garbage",
            Self::Broken(Breakage::Truncated) => "truncated",
            Self::Broken(Breakage::UnknownSchema) => "unknown_schema",
            Self::Broken(Breakage::Unmappable) => "unmappable",
        }
    }

    /// Position in [`DeliveryKind::ALL`].
    pub(crate) const fn index(self) -> usize {
        match self {
            Self::OnTime => 0,
            Self::Late => 1,
            Self::Duplicate => 2,
            Self::Correction => 3,
            Self::Partial => 4,
            Self::Broken(Breakage::Garbage) => 5,
            Self::Broken(Breakage::Truncated) => 6,
            Self::Broken(Breakage::UnknownSchema) => 7,
            Self::Broken(Breakage::Unmappable) => 8,
        }
    }
}

/// How an upload is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Breakage {
    /// Bytes in no known format.
    Garbage,
    /// A datum that ends too early.
    Truncated,
    /// An unregistered schema id.
    UnknownSchema,
    /// Valid Avro with one impossible reading: 400 beats per minute, or a time in 2099.
    Unmappable,
}

/// The content of a message.
#[allow(clippy::large_enum_variant, reason = "nearly all of them are events")]
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// An event, encoded and framed.
    Event(Event),
    /// A datum that is framed with the stream's schema as if it were whole.
    Datum(Vec<u8>),
    /// Raw bytes.
    Bytes(Vec<u8>),
}

/// One message of the plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// When it is sent: not before its `synced_at`. A duplicate or a delayed original is sent after it.
    pub delivered_at: UtcMillis,
    /// When the device sent it first. The later of two uploads wins.
    pub synced_at: UtcMillis,
    /// The target topic's stream.
    pub stream: Stream,
    /// The device, or the user of a profile.
    pub key: Uuid,
    /// Why it is sent.
    pub kind: DeliveryKind,
    /// The content.
    pub payload: Payload,
}
