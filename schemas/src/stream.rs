//! The table of streams; each has a topic, a subject, a collection and a raw table.

use crate::codec::{DecodeError, Decoded, EncodeError, WriterSchema, read_event, write_event};
use crate::event::Event;
use crate::streams;

/// Topic of records that the generator cannot map; its messages have no [`Stream`].
pub const DEAD_LETTER_TOPIC: &str = "fitbit.dead_letters";

/// The key of a stream's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// A device.
    Device,
    /// A person.
    User,
}

/// Declares every stream once. The name is that of the topic (with the prefix `fitbit.`), the collection, the raw table,
/// the Avro file and the Rust file; the type is one upload.
macro_rules! streams {
    ($($(#[$about:meta])* $stream:ident($event:ident) = $name:literal, of $owner:ident;)*) => {
        /// A kind of event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Stream {
            $($(#[$about])* $stream,)*
        }

        impl Stream {
            /// Every stream, in the order in which they are shown.
            pub const ALL: [Self; Self::COUNT] = [$(Self::$stream),*];

            /// How many streams there are.
            pub const COUNT: usize = [$($name),*].len();

            /// Short name, as in metrics and in `ops`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$stream => $name,)*
                }
            }

            /// Kafka topic.
            #[must_use]
            pub const fn topic(self) -> &'static str {
                match self {
                    $(Self::$stream => concat!("fitbit.", $name),)*
                }
            }

            /// Table of the raw layer.
            #[must_use]
            pub const fn raw_table(self) -> &'static str {
                match self {
                    $(Self::$stream => concat!("raw.", $name),)*
                }
            }

            /// The Avro schema that this version writes.
            #[must_use]
            pub const fn schema_json(self) -> &'static str {
                match self {
                    $(Self::$stream => include_str!(concat!("../avro/", $name, ".avsc")),)*
                }
            }

            /// Name of its Avro record, without the namespace.
            #[must_use]
            pub const fn record(self) -> &'static str {
                match self {
                    $(Self::$stream => <streams::$event as crate::codec::Record>::NAME,)*
                }
            }

            /// The owner of its messages.
            #[must_use]
            pub const fn owner(self) -> Owner {
                match self {
                    $(Self::$stream => Owner::$owner,)*
                }
            }

            pub(crate) fn read(self, writer: &WriterSchema, datum: &[u8]) -> Result<Decoded, DecodeError> {
                match self {
                    $(Self::$stream => read_event(writer, datum, Event::$stream),)*
                }
            }
        }

        impl Event {
            /// The stream it belongs to.
            #[must_use]
            pub const fn stream(&self) -> Stream {
                match self {
                    $(Self::$stream(_) => Stream::$stream,)*
                }
            }

            pub(crate) fn write(&self, datum: &mut Vec<u8>) -> Result<(), EncodeError> {
                match self {
                    $(Self::$stream(event) => write_event(Stream::$stream, event, datum),)*
                }
            }

            pub(crate) fn list<'a>(&'a self, fields: &mut crate::codec::Fields<'a>) {
                match self {
                    $(Self::$stream(event) => crate::codec::Record::list(event, fields),)*
                }
            }

            pub(crate) fn store(&self, document: &mut bson::RawDocumentBuf) {
                match self {
                    $(Self::$stream(event) => crate::codec::Record::store(event, document),)*
                }
            }

            /// Extra fields of the source.
            #[must_use]
            pub const fn extra(&self) -> &streams::Extra {
                match self {
                    $(Self::$stream(event) => &event.extra,)*
                }
            }
        }
    };
}

streams! {
    /// Beats per minute, every few seconds while worn.
    HeartRates(HeartRates) = "heart_rates", of Device;
    /// Steps per minute; sparse.
    Steps(Steps) = "steps", of Device;
    /// Distance per minute.
    Distances(Distances) = "distances", of Device;
    /// Energy per minute.
    Calories(Calories) = "calories", of Device;
    /// Minutes of a day by how active they were.
    ActivityMinutes(ActivityMinutes) = "activity_minutes", of Device;
    /// Minutes of a day by heart-rate zone.
    HeartRateZones(HeartRateZones) = "heart_rate_zones", of Device;
    /// The resting heart rate of a day.
    RestingHeartRates(RestingHeartRates) = "resting_heart_rates", of Device;
    /// Sleep sessions with their levels.
    Sleeps(Sleep) = "sleeps", of Device;
    /// Scores of sleeps.
    SleepScores(SleepScore) = "sleep_scores", of Device;
    /// Exercises.
    Exercises(Exercise) = "exercises", of Device;
    /// Versions of a person's profile.
    Users(User) = "users", of User;
}

impl Stream {
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
