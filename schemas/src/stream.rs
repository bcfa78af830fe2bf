//! The table of streams, and what each is called and stored as; each has a topic, a subject, a collection and a raw table.

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

/// What the uploads of a stream hold, and so what happens to its rows in every service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Many samples of one number each, by `local_ts`.
    Readings(Readings),
    /// Samples of one figure of a day each, by `local_date`.
    Days,
    /// One session with its figures: an upload is a row.
    Sessions(Sessions),
    /// A version of a person's profile.
    Profiles,
}

/// A stream of readings. Its raw table is a hypertable with two continuous aggregates, one over the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readings {
    /// Name of the number, in documents and in the raw table.
    pub value: &'static str,
    /// Column of `stage.quarters` that counts them.
    pub counted: &'static str,
    /// Most of them that a device takes a day.
    pub a_day: usize,
    /// The continuous aggregate of 15 minutes.
    pub quarters: &'static str,
    /// The continuous aggregate of days, computed from it.
    pub days: &'static str,
}

/// A stream of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// Column of the wall clock that gives a session its day.
    pub at: &'static str,
    /// The same wall clock in documents.
    pub at_field: &'static str,
    /// Raw tables of rows that belong to a session and are replaced with it.
    pub children: &'static [&'static str],
}

impl Kind {
    /// Column of the raw table that gives a row its day, by the wearer's clock: it belongs to who owns the device on that day
    /// (P17).
    #[must_use]
    pub const fn day_column(self) -> Option<&'static str> {
        match self {
            Self::Readings(_) => Some("local_ts"),
            Self::Days => Some("local_date"),
            Self::Sessions(sessions) => Some(sessions.at),
            Self::Profiles => None,
        }
    }
}

/// The only list of all streams. Each row: variant, type of an upload, name, kind. The name is that of the topic (with
/// the prefix `fitbit.`), the collection, the raw table, the Avro file and the Rust file.
macro_rules! streams {
    ($declare:ident) => {
        $declare! {
            /// Beats per minute, every few seconds while worn.
            HeartRates(HeartRates) = "heart_rates", Readings { value: "bpm", counted: "heart_readings", a_day: 17_280 };
            /// Steps per minute; sparse.
            Steps(Steps) = "steps", Readings { value: "steps", counted: "steps_readings", a_day: 1_440 };
            /// Distance per minute.
            Distances(Distances) = "distances",
                Readings { value: "distance_mm", counted: "distance_readings", a_day: 1_440 };
            /// Energy per minute.
            Calories(Calories) = "calories",
                Readings { value: "millikcal", counted: "energy_readings", a_day: 1_440 };
            /// Minutes of a day by how active they were.
            ActivityMinutes(ActivityMinutes) = "activity_minutes", Days {};
            /// Minutes of a day by heart-rate zone.
            HeartRateZones(HeartRateZones) = "heart_rate_zones", Days {};
            /// The resting heart rate of a day.
            RestingHeartRates(RestingHeartRates) = "resting_heart_rates", Days {};
            /// Sleep sessions with their levels.
            Sleeps(Sleep) = "sleeps",
                Sessions { at: "end_local", at_field: "ended_at", children: &["raw.sleep_levels"] };
            /// Scores of sleeps.
            SleepScores(SleepScore) = "sleep_scores",
                Sessions { at: "end_local", at_field: "ended_at", children: &[] };
            /// Exercises.
            Exercises(Exercise) = "exercises",
                Sessions { at: "start_local", at_field: "created_at", children: &[] };
            /// Versions of a person's profile.
            Users(User) = "users", Profiles {};
        }
    };
}
pub(crate) use streams;

/// The kind of a stream from its row.
macro_rules! kind_of {
    ($name:literal Readings $($fact:ident: $value:literal),+) => {
        Kind::Readings(Readings {
            $($fact: $value,)+
            quarters: concat!("stage.", $name, "_15m"),
            days: concat!("agg.", $name, "_1d"),
        })
    };
    ($name:literal Sessions $($fact:ident: $value:expr),+) => {
        Kind::Sessions(Sessions { $($fact: $value),+ })
    };
    ($name:literal $kind:ident) => {
        Kind::$kind
    };
}

macro_rules! declare_streams {
    ($($(#[$about:meta])* $stream:ident($record:ident) = $name:literal, $kind:ident { $($facts:tt)* };)*) => {
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

            /// What its uploads hold.
            #[must_use]
            pub const fn kind(self) -> Kind {
                match self {
                    $(Self::$stream => kind_of!($name $kind $($facts)*),)*
                }
            }

            /// The Avro schema that this version writes.
            #[must_use]
            pub const fn schema_json(self) -> &'static str {
                match self {
                    $(Self::$stream => include_str!(concat!("../avro/", $name, ".avsc")),)*
                }
            }
        }
    };
}
streams!(declare_streams);

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

    /// The owner of its messages.
    #[must_use]
    pub const fn owner(self) -> Owner {
        match self.kind() {
            Kind::Readings(_) | Kind::Days | Kind::Sessions(_) => Owner::Device,
            Kind::Profiles => Owner::User,
        }
    }

    /// The streams of readings, in the order of [`Stream::ALL`].
    pub fn readings() -> impl Iterator<Item = (Self, Readings)> {
        Self::ALL.into_iter().filter_map(|stream| match stream.kind() {
            Kind::Readings(readings) => Some((stream, readings)),
            Kind::Days | Kind::Sessions(_) | Kind::Profiles => None,
        })
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

    #[test]
    fn readings_name_their_aggregates() {
        for (stream, readings) in Stream::readings() {
            assert_eq!(readings.quarters, format!("stage.{stream}_15m"));
            assert_eq!(readings.days, format!("agg.{stream}_1d"));
        }
        assert_eq!(Stream::readings().count(), 4);
    }
}
