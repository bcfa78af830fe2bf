//! The cohort: people, their devices and their days. Everything is a function of the seed.

pub(crate) mod activity;
pub(crate) mod bout;
pub(crate) mod daily;
pub(crate) mod day;
pub(crate) mod movement;
pub(crate) mod night;
pub(crate) mod oddities;
pub(crate) mod score;
pub(crate) mod vitals;
pub(crate) mod zone;

use pulseline_schemas::time::DAY_MS;
use pulseline_schemas::{Extra, LocalDay, User, UtcMillis};
use uuid::Uuid;

use crate::config::SimulateConfig;
use crate::quirks::{Quirk, Quirks};
use crate::random::{Draw, Purpose};
use zone::Zone;

/// Namespace of the generator's ids.
pub(crate) const NAMESPACE: Uuid = Uuid::from_u128(0x7d0b_3a52_90c4_5b1e_9f4e_2f60_41c7_a1d3);

/// Home zones, assigned in turn. Most are where the imitated data set comes from. The others have clock changes in
/// early November, an offset of 5:45 hours, and the earliest midnight.
const ZONES: [&str; 8] = [
    "Europe/Oslo",
    "America/New_York",
    "Europe/Oslo",
    "Asia/Kathmandu",
    "Europe/Oslo",
    "Pacific/Auckland",
    "Europe/Oslo",
    "Europe/Oslo",
];

/// Zones with the same offsets and no clock changes.
const ZONES_WITHOUT_CHANGES: [&str; 8] = [
    "Africa/Lagos",
    "America/Panama",
    "Africa/Lagos",
    "Asia/Kathmandu",
    "Africa/Lagos",
    "Pacific/Tarawa",
    "Africa/Lagos",
    "Africa/Lagos",
];
/// The person whose device reports no confidence.
const WITHOUT_CONFIDENCE: u32 = 2;

/// 2019-11-01: accounts were created and ages stated on that day.
const DATA_SET_BEGAN: i32 = 18_201;

/// One person.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) index: u32,
    pub(crate) user_id: Uuid,
    pub(crate) zone: Zone,
    pub(crate) resting_bpm: i32,
    pub(crate) max_bpm: i32,
    /// Minutes by which this person's rhythm is later than the average.
    pub(crate) chronotype_minutes: i64,
    /// Millimetres of a walked step.
    pub(crate) step_mm: i32,
    /// Energy of a minute at rest, in thousandths of a kilocalorie.
    pub(crate) basal_millikcal: i32,
    age: i32,
    height_cm: i32,
    knows_max_heart_rate: bool,
}

/// One device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Device {
    /// Position among all devices of the cohort.
    pub(crate) index: u32,
    pub(crate) device_id: Uuid,
    /// Index of its owner.
    pub(crate) owner: usize,
    /// A second device is worn for some hours of some days, never at night.
    pub(crate) secondary: bool,
}

/// All people and devices.
#[derive(Debug)]
pub(crate) struct Cohort {
    pub(crate) seed: u64,
    pub(crate) quirks: Quirks,
    /// Seconds between two heart rates.
    pub(crate) heart_rate_secs: u32,
    pub(crate) people: Vec<Person>,
    pub(crate) devices: Vec<Device>,
}

impl Cohort {
    /// The cohort of these settings.
    ///
    /// # Errors
    /// When the time-zone database lacks one of the zones.
    pub(crate) fn new(config: &SimulateConfig) -> Result<Self, String> {
        let &SimulateConfig {
            seed,
            participants,
            quirks,
            heart_rate_secs,
            ..
        } = config;
        let people = (0..participants)
            .map(|index| person(seed, index, quirks))
            .collect::<Result<Vec<_>, _>>()?;
        let mut devices = Vec::new();
        for (owner, person) in people.iter().enumerate() {
            for number in 0..devices_of(person.index) {
                let name = format!("{seed}/device/{}/{number}", person.index);
                let device_id = Uuid::new_v5(&NAMESPACE, name.as_bytes());
                let index = u32::try_from(devices.len()).map_err(|_| "too many devices".to_owned())?;
                devices.push(Device {
                    index,
                    device_id,
                    owner,
                    secondary: number > 0,
                });
            }
        }
        Ok(Self {
            seed,
            quirks,
            heart_rate_secs,
            people,
            devices,
        })
    }

    pub(crate) fn owner(&self, device: &Device) -> &Person {
        &self.people[device.owner]
    }

    pub(crate) const fn has(&self, quirk: Quirk) -> bool {
        self.quirks.has(quirk)
    }

    /// True when this device's heart rates have a confidence.
    pub(crate) fn knows_confidence(&self, device: &Device) -> bool {
        !(self.has(Quirk::NoConfidence) && self.owner(device).index == WITHOUT_CONFIDENCE)
    }

    pub(crate) fn draw(&self, who: u32, when: i64, what: Purpose) -> Draw {
        Draw::new(self.seed, who.into(), when, what)
    }

    /// A version of a person's profile; version 1 corrects version 0.
    pub(crate) fn profile(&self, person: &Person, version: i32, synced_at: UtcMillis) -> User {
        // The data set's participants stated their age, not their birthday.
        let date_of_birth = DATA_SET_BEGAN - person.age * 365 - person.index.cast_signed() * 11;
        let devices = self
            .devices
            .iter()
            .filter(|device| self.owner(device).index == person.index);
        User {
            event_id: Uuid::nil(),
            user_id: person.user_id,
            synced_at,
            created_at: UtcMillis(i64::from(DATA_SET_BEGAN) * DAY_MS),
            email: Some(format!("p{:02}@example.org", person.index + 1)),
            date_of_birth: Some(LocalDay(date_of_birth)),
            gender: Some(if is_female(person.index) { "female" } else { "male" }.to_owned()),
            height_cm: Some(person.height_cm + version),
            max_heart_rate: person.knows_max_heart_rate.then_some(person.max_bpm),
            zone: Some(person.zone.name().to_owned()),
            devices: devices.map(|device| device.device_id).collect(),
            extra: Extra::default(),
        }
    }
}

fn devices_of(person: u32) -> u32 {
    if person % 4 == 1 { 2 } else { 1 }
}

const fn is_female(person: u32) -> bool {
    person % 3 == 1
}

fn person(seed: u64, index: u32, quirks: Quirks) -> Result<Person, String> {
    let mut draw = Draw::new(seed, index.into(), 0, Purpose::Person);
    let age = draw.int(23, 60);
    let (resting_bpm, chronotype_minutes) = (draw.int(48, 66), draw.between(-45, 45));
    let height_cm = draw.int(158, 196);
    let zones = if quirks.has(Quirk::ClockChanges) {
        ZONES
    } else {
        ZONES_WITHOUT_CHANGES
    };
    let weight_kg = height_cm - 100 + Draw::new(seed, index.into(), 0, Purpose::Body).int(-12, 16);
    Ok(Person {
        index,
        user_id: Uuid::new_v5(&NAMESPACE, format!("{seed}/user/{index}").as_bytes()),
        zone: Zone::new(zones[index as usize % zones.len()])?,
        resting_bpm,
        max_bpm: 220 - age,
        chronotype_minutes,
        step_mm: height_cm * 415 / 100,
        basal_millikcal: basal_millikcal(weight_kg, height_cm, age, is_female(index)),
        age,
        height_cm,
        knows_max_heart_rate: !draw.chance(0.19),
    })
}

/// The estimate of Mifflin and St Jeor: a day's kilocalories, spread over its minutes.
const fn basal_millikcal(weight_kg: i32, height_cm: i32, age: i32, female: bool) -> i32 {
    let sex = if female { -161 } else { 5 };
    (10 * weight_kg + 25 * height_cm / 4 - 5 * age + sex) * 1_000 / 1_440
}
