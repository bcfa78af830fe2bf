//! A hole: lost offsets.

use std::fmt;
use std::ops::Range;

use serde::{Serialize, Serializer};

/// Offsets of a partition that sink and loader have passed without accounting for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// Kafka topic.
    pub topic: String,
    /// Which incarnation of the topic.
    pub incarnation: i32,
    /// Kafka partition.
    pub partition: i32,
    /// The offsets.
    pub offsets: Range<i64>,
}

impl fmt::Display for Hole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Range { start, end } = self.offsets;
        write!(f, "{}/{} [{start}, {end})", self.topic, self.partition)
    }
}

impl Serialize for Hole {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
