//! `{"dateTime": …, "value": {"bpm": 54, "confidence": 3}}`

use std::fmt;

use pulseline_schemas::HeartRate;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::dated::{Dated, keep};
use super::{Context, Out, Reading, Sample, Unknown, parse};
use crate::value::{Number, Refusal};

#[derive(Debug, Default)]
struct Beat {
    bpm: Number,
    confidence: Number,
    unknown: Option<Box<Unknown>>,
}

pub(super) fn read(context: &mut Context<'_>, bytes: &[u8], out: &mut Out) -> Result<(), Refusal> {
    let mut record: Dated<Beat> = parse(bytes)?;
    let stamp = record.at()?;
    let beat = record.take_value()?;
    let bpm = beat.bpm.count("bpm")?.ok_or_else(|| Refusal::missing("bpm"))?;
    let confidence = beat.confidence.count("confidence")?;
    let mut unknown = record.unknown;
    if let Some(more) = beat.unknown {
        unknown.get_or_insert_default().extend(*more);
    }
    let at = context.clock()?.reading(stamp);
    let sample = Sample::HeartRate(HeartRate {
        ts: at.local,
        bpm,
        confidence,
    });
    context.push(out, Reading::Sample { at, sample, unknown })
}

impl<'de> Deserialize<'de> for Beat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BeatVisitor)
    }
}

enum Key {
    Bpm,
    Confidence,
    Unknown(String),
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;

        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Key, E> {
                Ok(match name {
                    "bpm" => Key::Bpm,
                    "confidence" => Key::Confidence,
                    _ => Key::Unknown(name.to_owned()),
                })
            }
        }

        deserializer.deserialize_identifier(KeyVisitor)
    }
}

struct BeatVisitor;

impl<'de> Visitor<'de> for BeatVisitor {
    type Value = Beat;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bpm and confidence")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Beat, A::Error> {
        let mut beat = Beat::default();
        while let Some(key) = map.next_key()? {
            match key {
                Key::Bpm => beat.bpm = map.next_value()?,
                Key::Confidence => beat.confidence = map.next_value()?,
                Key::Unknown(name) => keep(&mut map, &mut beat.unknown, name)?,
            }
        }
        Ok(beat)
    }

    fn visit_unit<E: Error>(self) -> Result<Beat, E> {
        Ok(Beat::default())
    }

    fn visit_u64<E: Error>(self, bpm: u64) -> Result<Beat, E> {
        self.visit_str(&bpm.to_string())
    }

    fn visit_str<E: Error>(self, bpm: &str) -> Result<Beat, E> {
        Ok(Beat {
            bpm: Number::from_text(bpm),
            ..Beat::default()
        })
    }
}
