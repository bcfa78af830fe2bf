//! Positions in the one change stream that all collections share, and their order.
//!
//! A resume token tells its server where to continue, but not which of two tokens comes first. The time of an event
//! does, with its number among the events of that time, counted from the position where a stream was opened.

use bson::Timestamp;
use pulseline_clients::mongo::ResumeToken;
use serde::{Deserialize, Serialize};

/// A position in a stream: greater after every event, and equal for every reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct StreamPosition {
    at: Timestamp,
    /// Number among the events of that time, from 1; the events of a transaction share one. 0 is before all of them.
    index: u32,
}

/// Earliest time accepted from a token (2004): other servers' tokens may begin as mongod's do.
const FIRST_SECONDS: u32 = 1 << 30;

impl StreamPosition {
    /// Before every event.
    pub(crate) const START: Self = Self {
        at: Timestamp {
            time: 0,
            increment: 0,
        },
        index: 0,
    };

    /// The position of the next event. If a server's clock steps back, the stream's order counts.
    pub(crate) fn next(self, at: Timestamp) -> Self {
        if at > self.at {
            Self { at, index: 1 }
        } else {
            Self {
                at: self.at,
                index: self.index.saturating_add(1),
            }
        }
    }

    /// The server's time at this position, in UTC milliseconds; none before the first event.
    pub(crate) fn millis(self) -> Option<i64> {
        (self != Self::START).then(|| i64::from(self.at.time) * 1_000)
    }

    /// The position inside a token, where the server encodes it as mongod does: hexadecimal text of a
    /// timestamp's type, seconds and increment. An idle stream gives no other sign of the server's time.
    pub(crate) fn in_token(token: &ResumeToken) -> Option<Self> {
        let raw = bson::serialize_to_raw_document_buf(token).ok()?;
        let text = raw.get_str("_data").ok()?.strip_prefix("82")?;
        let number = |digits: &str| u32::from_str_radix(digits, 16).ok();
        let at = Timestamp {
            time: number(text.get(..8)?).filter(|seconds| *seconds >= FIRST_SECONDS)?,
            increment: number(text.get(8..16)?)?,
        };
        // This may be the token of an event, too: that event is read twice rather than missed.
        Some(Self { at, index: 0 })
    }
}

/// Where to continue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ResumePoint {
    pub(crate) token: ResumeToken,
    /// Stored as `place`.
    #[serde(rename = "place")]
    pub(crate) stream_position: StreamPosition,
}

/// A position as stored: a BSON document, because a token may be any BSON value.
#[derive(Serialize, Deserialize)]
struct Stored {
    token: ResumeToken,
    /// Earlier versions stored no place.
    #[serde(default, rename = "place")]
    stream_position: Option<StreamPosition>,
}

impl ResumePoint {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, String> {
        let stored = Stored {
            token: self.token.clone(),
            stream_position: Some(self.stream_position),
        };
        bson::serialize_to_vec(&stored).map_err(|error| format!("resume token: {error}"))
    }

    /// None for a token of an earlier version whose position cannot be read: its place is unknown.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Option<Self>, String> {
        let Stored {
            token,
            stream_position,
        } = bson::deserialize_from_slice(bytes)
            .map_err(|error| format!("the stored resume token cannot be read: {error}"))?;
        let stream_position = stream_position.or_else(|| StreamPosition::in_token(&token));
        Ok(stream_position.map(|stream_position| Self {
            token,
            stream_position,
        }))
    }
}

#[cfg(test)]
mod tests {
    use bson::rawdoc;
    use proptest::prelude::*;

    use super::*;

    fn token(data: &str) -> ResumeToken {
        bson::deserialize_from_slice(rawdoc! { "_data": data }.as_bytes()).unwrap()
    }

    fn at(time: u32, increment: u32) -> Timestamp {
        Timestamp { time, increment }
    }

    #[test]
    fn a_token_of_mongod_tells_its_position() {
        let time = at(0x63F0_A1B2, 1);
        let stream_position = StreamPosition::in_token(&token("8263F0A1B2000000012B0429296E1404")).unwrap();
        assert_eq!(stream_position.millis(), Some(0x63F0_A1B2 * 1_000));
        // An event of that time comes after it, and has the same position for a reader that has not seen the token.
        assert!(stream_position.next(time) > stream_position);
        assert_eq!(stream_position.next(time), StreamPosition::START.next(time));
        assert_eq!(
            StreamPosition::in_token(&token("8200000012730001000000000000001174")),
            None
        );
        assert_eq!(StreamPosition::in_token(&token("something else")), None);
        assert_eq!(StreamPosition::START.millis(), None);
    }

    #[test]
    fn a_position_is_read_as_it_was_stored_and_one_of_an_earlier_version_where_its_token_tells_it() {
        let position = ResumePoint {
            token: token("opaque"),
            stream_position: StreamPosition::START.next(at(7, 2)).next(at(7, 2)),
        };
        let stored = position.encode().unwrap();
        assert_eq!(ResumePoint::decode(&stored), Ok(Some(position)));
        let earlier =
            |data: &str| bson::serialize_to_vec(&bson::doc! { "token": { "_data": data } }).unwrap();
        let read = ResumePoint::decode(&earlier("8263F0A1B200000001"))
            .unwrap()
            .unwrap();
        assert!(read.stream_position < StreamPosition::START.next(at(0x63F0_A1B2, 1)));
        assert_eq!(ResumePoint::decode(&earlier("opaque")), Ok(None));
        assert!(ResumePoint::decode(b"\x01").is_err());
    }

    proptest! {
        /// Collections at different positions continue together from the earliest one: each takes what comes after
        /// its own position, whatever the times of events.
        #[test]
        fn d_2_no_event_is_skipped_or_read_twice_when_collections_are_at_different_positions(
            steps in prop::collection::vec((0_u32..3, 0_u32..2), 1..60),
            far in prop::collection::vec(0_usize..61, 1..5),
        ) {
            let mut time = at(100, 0);
            let times: Vec<Timestamp> = steps.iter().map(|(seconds, increments)| {
                time = at(time.time + seconds, if *seconds > 0 { 0 } else { time.increment + increments });
                time
            }).collect();
            let walk = |from: StreamPosition, times: &[Timestamp]| -> Vec<StreamPosition> {
                times.iter().scan(from, |stream_position, at| { *stream_position = stream_position.next(*at); Some(*stream_position) }).collect()
            };
            let stream_positions = walk(StreamPosition::START, &times);
            let position_after = |events: usize| events.checked_sub(1).map_or(StreamPosition::START, |last| stream_positions[last]);
            let far: Vec<usize> = far.iter().map(|events| *events.min(&times.len())).collect();
            let least = far.iter().copied().min_by_key(|events| position_after(*events)).unwrap();
            let again = walk(position_after(least), &times[least..]);
            for events in far {
                let taken: Vec<usize> = (least..times.len())
                    .filter(|event| again[event - least] > position_after(events)).collect();
                prop_assert_eq!(taken, (events..times.len()).collect::<Vec<_>>());
            }
        }
    }
}
