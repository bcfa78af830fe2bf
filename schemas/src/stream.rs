//! The streams: one topic, one subject, one collection and one raw table each.

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// Beats per minute, every few seconds while worn.
    HeartRates,
    /// Steps per minute; sparse.
    Steps,
    /// Sleep sessions with their levels.
    Sleeps,
    /// Versions of a person's profile.
    Users,
}

/// Topic for events that the generator itself cannot map; its messages are [`Stream`]-less.
pub const DEAD_LETTER_TOPIC: &str = "fitbit.dead_letters";

impl Stream {
    /// Every stream, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::HeartRates, Self::Steps, Self::Sleeps, Self::Users];

    /// Short name, as in metrics and in `ops`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HeartRates => "heart_rates",
            Self::Steps => "steps",
            Self::Sleeps => "sleeps",
            Self::Users => "users",
        }
    }

    /// Kafka topic.
    #[must_use]
    pub const fn topic(self) -> &'static str {
        match self {
            Self::HeartRates => "fitbit.heart_rates",
            Self::Steps => "fitbit.steps",
            Self::Sleeps => "fitbit.sleeps",
            Self::Users => "fitbit.users",
        }
    }

    /// Subject in the schema registry (TopicNameStrategy).
    #[must_use]
    pub fn subject(self) -> String {
        format!("{}-value", self.topic())
    }

    /// MongoDB collection.
    #[must_use]
    pub const fn collection(self) -> &'static str {
        self.name()
    }

    /// Table of the raw layer.
    #[must_use]
    pub const fn raw_table(self) -> &'static str {
        match self {
            Self::HeartRates => "raw.heart_rates",
            Self::Steps => "raw.steps",
            Self::Sleeps => "raw.sleeps",
            Self::Users => "raw.users",
        }
    }

    /// Name of its Avro record, without the namespace.
    #[must_use]
    pub const fn record(self) -> &'static str {
        match self {
            Self::HeartRates => "HeartRates",
            Self::Steps => "Steps",
            Self::Sleeps => "Sleep",
            Self::Users => "User",
        }
    }

    /// The Avro schema that this version writes.
    #[must_use]
    pub const fn schema_json(self) -> &'static str {
        match self {
            Self::HeartRates => include_str!("../avro/heart_rates.avsc"),
            Self::Steps => include_str!("../avro/steps.avsc"),
            Self::Sleeps => include_str!("../avro/sleeps.avsc"),
            Self::Users => include_str!("../avro/users.avsc"),
        }
    }

    /// The stream with this short name (or collection).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.name() == name)
    }

    /// The stream with this topic.
    #[must_use]
    pub fn from_topic(topic: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stream| stream.topic() == topic)
    }
}

impl std::fmt::Display for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_topics_lead_back_to_their_stream() {
        for stream in Stream::ALL {
            assert_eq!(Stream::from_name(stream.name()), Some(stream));
            assert_eq!(Stream::from_topic(stream.topic()), Some(stream));
            assert_eq!(stream.subject(), format!("fitbit.{stream}-value"));
            assert_eq!(stream.raw_table(), format!("raw.{stream}"));
        }
        assert_eq!(Stream::from_topic(DEAD_LETTER_TOPIC), None);
    }
}
