//! The sink's input: topics, partitions, and raw messages.

use pulseline_schemas::{DEAD_LETTER_TOPIC, Position, Stream};

/// A topic that the sink reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum SourceTopic {
    /// Events of a stream.
    Stream(Stream),
    /// Records that the generator could not turn into events.
    DeadLetters,
}

impl SourceTopic {
    /// Every topic.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        Stream::ALL
            .into_iter()
            .map(Self::Stream)
            .chain([Self::DeadLetters])
    }

    pub(crate) const fn topic(self) -> &'static str {
        match self {
            Self::Stream(stream) => stream.topic(),
            Self::DeadLetters => DEAD_LETTER_TOPIC,
        }
    }

    /// Short name, as a label of metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stream(stream) => stream.name(),
            Self::DeadLetters => "dead_letters",
        }
    }

    pub(crate) fn from_topic(topic: &str) -> Option<Self> {
        Self::all().find(|source| source.topic() == topic)
    }

    pub(crate) fn topics() -> Vec<&'static str> {
        Self::all().map(Self::topic).collect()
    }
}

/// A partition of a topic that the sink reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Partition {
    pub(crate) source: SourceTopic,
    pub(crate) number: i32,
}

impl Partition {
    /// The position of an offset in this partition.
    pub(crate) fn position(self, incarnation: i32, offset: i64) -> Position {
        Position {
            topic: self.source.topic().to_owned(),
            incarnation,
            partition: self.number,
            offset,
        }
    }
}

impl std::fmt::Display for Partition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.source.topic(), self.number)
    }
}

/// A message as received.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) partition: Partition,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) payload: Option<Vec<u8>>,
    /// Filled for the dead-letter topic only: headers carry reason, detail and stream.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_leads_back_to_its_source() {
        for source in SourceTopic::all() {
            assert_eq!(SourceTopic::from_topic(source.topic()), Some(source));
        }
        assert_eq!(SourceTopic::from_topic("fitbit.other"), None);
    }
}
