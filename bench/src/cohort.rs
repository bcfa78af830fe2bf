//! The sent data: a cohort's messages as prepared bytes, on time or with faults, from its own devices or shared by
//! more.

use anyhow::Result;
use pulseline_clients::registry::Registry;
use pulseline_generator::{DeliveryKind, Payload, Plan, Planned, SimulateConfig, plan};
use pulseline_schemas::{Event, Stream, UtcMillis, encode, frame};
use pulseline_tests::World;
use uuid::Uuid;

use crate::case::Case;

/// Readings of a person per day, approximately.
const READINGS_A_DAY: u64 = 18_000;
/// Share of uploads with each kind of fault, in a cohort with faults.
const FAULTY: f64 = 0.1;
/// Seed of other people than those without faults, so that both fit in one warehouse.
const FAULTY_SEED: u64 = 2;

/// A message with prepared bytes.
pub(crate) struct Ready {
    pub(crate) stream: Stream,
    pub(crate) key: String,
    pub(crate) payload: Vec<u8>,
}

/// The senders.
#[derive(Clone, Debug)]
pub(crate) struct Cohort {
    pub(crate) config: SimulateConfig,
    /// Devices that share the uploads; none: the people's own devices.
    pub(crate) devices: Option<u32>,
}

impl Cohort {
    /// A cohort without late, repeated or broken uploads, long enough for about this many readings.
    pub(crate) fn punctual(case: &Case) -> Self {
        let days = (case.readings / (READINGS_A_DAY * u64::from(case.participants))).max(1);
        let config = SimulateConfig {
            participants: case.participants,
            days: u32::try_from(days).unwrap_or(u32::MAX),
            late: 0.0,
            duplicate: 0.0,
            correct: 0.0,
            broken: 0.0,
            ..SimulateConfig::default()
        };
        Self {
            config,
            devices: case.devices,
        }
    }

    /// A cohort of the same size: a tenth of its uploads are late, a tenth are repeated, and a tenth are corrected.
    pub(crate) fn faulty(case: &Case) -> Self {
        let mut cohort = Self::punctual(case);
        cohort.config.late = FAULTY;
        cohort.config.duplicate = FAULTY;
        cohort.config.correct = FAULTY;
        cohort.config.seed = FAULTY_SEED;
        cohort
    }

    /// The events in order of delivery, without repetitions.
    pub(crate) fn events(&self) -> Result<impl Iterator<Item = Event>> {
        let plan = self.planned()?;
        let slots = self.slots(&plan);
        let once = plan.filter(|planned| planned.kind != DeliveryKind::Duplicate);
        Ok(once.filter_map(move |planned| event(planned, slots)))
    }

    /// All messages, encoded, and their number of readings.
    pub(crate) async fn ready(&self, world: &World) -> Result<(Vec<Ready>, u64)> {
        let registry = Registry::new(&world.registry())?;
        let mut ids = [0; Stream::COUNT];
        for stream in Stream::ALL {
            ids[stream as usize] = registry.register(stream).await?;
        }
        let (mut messages, mut readings) = (Vec::new(), 0_u64);
        let plan = self.planned()?;
        let slots = self.slots(&plan);
        for event in plan.filter_map(|planned| event(planned, slots)) {
            readings += event.readings() as u64;
            messages.push(Ready {
                stream: event.stream(),
                key: event.key().to_string(),
                payload: frame(ids[event.stream() as usize], &encode(&event)?),
            });
        }
        Ok((messages, readings))
    }

    fn planned(&self) -> Result<Plan> {
        plan(&self.config, UtcMillis(0)).map_err(anyhow::Error::msg)
    }

    /// Number of devices that replace one of the people's.
    fn slots(&self, plan: &Plan) -> Option<u64> {
        let devices = u64::from(self.devices?);
        Some(devices.div_ceil(plan.devices() as u64))
    }
}

fn event(planned: Planned, slots: Option<u64>) -> Option<Event> {
    let Payload::Event(mut event) = planned.payload else {
        return None;
    };
    if let Some(slots) = slots {
        deal_out(&mut event, slots);
    }
    Some(event)
}

/// Gives an upload to one of the devices that replace its own; the streams of a window stay together. Only the
/// number of devices changes.
fn deal_out(event: &mut Event, slots: u64) {
    let Some(upload) = event.upload_mut() else { return };
    let window = Uuid::new_v5(&upload.device_id, &upload.window_start.0.to_be_bytes());
    let slot = window.as_u64_pair().0 % slots;
    upload.device_id = Uuid::new_v5(&upload.device_id, &slot.to_be_bytes());
}

/// The device with this number.
pub(crate) fn device(number: u64) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes())
}
