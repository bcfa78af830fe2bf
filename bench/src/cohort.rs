//! What is sent: a cohort without late, repeated or broken uploads, and its messages as ready bytes.

use anyhow::Result;
use pulseline_generator::{Payload, SimulateConfig, plan};
use pulseline_schemas::{Registry, Stream, UtcMillis, encode, frame};
use pulseline_tests::World;

/// Readings of a person a day, about.
const READINGS_A_DAY: u64 = 18_000;

/// A message whose bytes are ready.
pub(crate) struct Ready {
    pub(crate) key: String,
    pub(crate) payload: Vec<u8>,
}

/// So many days that there are about so many readings.
pub(crate) fn config(readings: u64, participants: u32) -> SimulateConfig {
    let days = (readings / (READINGS_A_DAY * u64::from(participants))).max(1);
    SimulateConfig {
        participants,
        days: u32::try_from(days).unwrap_or(u32::MAX),
        late: 0.0,
        duplicate: 0.0,
        correct: 0.0,
        broken: 0.0,
        ..SimulateConfig::default()
    }
}

/// The cohort's messages, encoded; and how many readings are in them.
pub(crate) async fn ready(config: &SimulateConfig, world: &World) -> Result<(Vec<Ready>, u64)> {
    let registry = Registry::new(&world.endpoints.registry_url)?;
    let mut ids = [0; Stream::COUNT];
    for stream in Stream::ALL {
        ids[stream as usize] = registry.register(stream).await?;
    }
    let (mut messages, mut readings) = (Vec::new(), 0_u64);
    for planned in plan(config, UtcMillis(0)).map_err(anyhow::Error::msg)? {
        let Payload::Event(event) = planned.payload else {
            continue;
        };
        readings += event.readings() as u64;
        messages.push(Ready {
            key: event.key().to_string(),
            payload: frame(ids[event.stream() as usize], &encode(&event)?),
        });
    }
    Ok((messages, readings))
}
