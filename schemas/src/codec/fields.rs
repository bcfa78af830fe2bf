//! The known fields of every record, and how each is read.

use serde::de::{Error, MapAccess};
use uuid::Uuid;

use super::any::Any;
use super::record::{Extra, ListSeed, Record, required};
use crate::event::{HeartRate, HeartRates, Sleep, SleepLevel, Step, Steps, Upload, User};
use crate::time::{LocalMillis, UtcMillis};

/// Names of the envelope's fields, in front of each upload's own.
macro_rules! enveloped {
    ($($own:literal),* $(,)?) => {
        &["event_id", "device_id", "synced_at", "utc_offset_minutes", "window_start", "window_end", $($own),*]
    };
}

/// How many of the fields are the envelope's.
const ENVELOPE: usize = 6;

#[derive(Default)]
struct Envelope {
    event_id: Option<Uuid>,
    device_id: Option<Uuid>,
    synced_at: Option<i64>,
    utc_offset_minutes: Option<i32>,
    window_start: Option<i64>,
    window_end: Option<i64>,
}

impl Envelope {
    fn read<'de, A: MapAccess<'de>>(&mut self, index: usize, fields: &mut A) -> Result<(), A::Error> {
        let value: Any = fields.next_value()?;
        match index {
            0 => self.event_id = Some(value.uuid()?),
            1 => self.device_id = Some(value.uuid()?),
            2 => self.synced_at = Some(value.long()?),
            3 => self.utc_offset_minutes = Some(value.int()?),
            4 => self.window_start = Some(value.long()?),
            _ => self.window_end = Some(value.long()?),
        }
        Ok(())
    }

    fn make<E: Error>(self) -> Result<Upload, E> {
        Ok(Upload {
            event_id: required(self.event_id, "event_id")?,
            device_id: required(self.device_id, "device_id")?,
            synced_at: UtcMillis(required(self.synced_at, "synced_at")?),
            utc_offset_minutes: required(self.utc_offset_minutes, "utc_offset_minutes")?,
            window_start: LocalMillis(required(self.window_start, "window_start")?),
            window_end: LocalMillis(required(self.window_end, "window_end")?),
        })
    }
}

#[derive(Default)]
pub(super) struct HeartRatesFields {
    envelope: Envelope,
    samples: Option<Vec<HeartRate>>,
}

impl Record for HeartRatesFields {
    type Made = HeartRates;
    const FIELDS: &'static [&'static str] = enveloped!("samples");

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        index: usize,
        fields: &mut A,
        extra: &mut Extra,
    ) -> Result<(), A::Error> {
        if index < ENVELOPE {
            return self.envelope.read(index, fields);
        }
        self.samples = Some(fields.next_value_seed(ListSeed::<HeartRateFields>::new("samples", extra))?);
        Ok(())
    }

    fn make<E: Error>(self) -> Result<HeartRates, E> {
        Ok(HeartRates {
            upload: self.envelope.make()?,
            samples: required(self.samples, "samples")?,
        })
    }
}

#[derive(Default)]
struct HeartRateFields {
    ts: Option<i64>,
    bpm: Option<i32>,
    confidence: Option<i32>,
}

impl Record for HeartRateFields {
    type Made = HeartRate;
    const FIELDS: &'static [&'static str] = &["ts", "bpm", "confidence"];

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        index: usize,
        fields: &mut A,
        _: &mut Extra,
    ) -> Result<(), A::Error> {
        let value: Any = fields.next_value()?;
        match index {
            0 => self.ts = Some(value.long()?),
            1 => self.bpm = Some(value.int()?),
            _ => self.confidence = Some(value.int()?),
        }
        Ok(())
    }

    fn make<E: Error>(self) -> Result<HeartRate, E> {
        Ok(HeartRate {
            ts: LocalMillis(required(self.ts, "ts")?),
            bpm: required(self.bpm, "bpm")?,
            confidence: required(self.confidence, "confidence")?,
        })
    }
}

#[derive(Default)]
pub(super) struct StepsFields {
    envelope: Envelope,
    samples: Option<Vec<Step>>,
}

impl Record for StepsFields {
    type Made = Steps;
    const FIELDS: &'static [&'static str] = enveloped!("samples");

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        index: usize,
        fields: &mut A,
        extra: &mut Extra,
    ) -> Result<(), A::Error> {
        if index < ENVELOPE {
            return self.envelope.read(index, fields);
        }
        self.samples = Some(fields.next_value_seed(ListSeed::<StepFields>::new("samples", extra))?);
        Ok(())
    }

    fn make<E: Error>(self) -> Result<Steps, E> {
        Ok(Steps {
            upload: self.envelope.make()?,
            samples: required(self.samples, "samples")?,
        })
    }
}

#[derive(Default)]
struct StepFields {
    ts: Option<i64>,
    steps: Option<i32>,
}

impl Record for StepFields {
    type Made = Step;
    const FIELDS: &'static [&'static str] = &["ts", "steps"];

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        index: usize,
        fields: &mut A,
        _: &mut Extra,
    ) -> Result<(), A::Error> {
        let value: Any = fields.next_value()?;
        match index {
            0 => self.ts = Some(value.long()?),
            _ => self.steps = Some(value.int()?),
        }
        Ok(())
    }

    fn make<E: Error>(self) -> Result<Step, E> {
        Ok(Step {
            ts: LocalMillis(required(self.ts, "ts")?),
            steps: required(self.steps, "steps")?,
        })
    }
}

#[derive(Default)]
struct SleepLevelFields {
    ts: Option<i64>,
    level: Option<String>,
    seconds: Option<i32>,
}

impl Record for SleepLevelFields {
    type Made = SleepLevel;
    const FIELDS: &'static [&'static str] = &["ts", "level", "seconds"];

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        index: usize,
        fields: &mut A,
        _: &mut Extra,
    ) -> Result<(), A::Error> {
        let value: Any = fields.next_value()?;
        match index {
            0 => self.ts = Some(value.long()?),
            1 => self.level = Some(value.text()?),
            _ => self.seconds = Some(value.int()?),
        }
        Ok(())
    }

    fn make<E: Error>(self) -> Result<SleepLevel, E> {
        Ok(SleepLevel {
            ts: LocalMillis(required(self.ts, "ts")?),
            level: required(self.level, "level")?,
            seconds: required(self.seconds, "seconds")?,
        })
    }
}

#[derive(Default)]
pub(super) struct SleepFields {
    envelope: Envelope,
    /// From `end_utc_offset_minutes` to `efficiency`, in the order of the names.
    numbers: [Option<i64>; 10],
    kind: Option<String>,
    info_code: Option<i32>,
    main_sleep: Option<bool>,
    levels: Option<Vec<SleepLevel>>,
    short_levels: Option<Vec<SleepLevel>>,
}

impl Record for SleepFields {
    type Made = Sleep;
    const FIELDS: &'static [&'static str] = enveloped!(
        "end_utc_offset_minutes",
        "log_id",
        "date_of_sleep",
        "duration_ms",
        "minutes_to_fall_asleep",
        "minutes_asleep",
        "minutes_awake",
        "minutes_after_wakeup",
        "time_in_bed",
        "efficiency",
        "type",
        "info_code",
        "main_sleep",
        "levels",
        "short_levels",
    );

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        index: usize,
        fields: &mut A,
        extra: &mut Extra,
    ) -> Result<(), A::Error> {
        if index < ENVELOPE {
            return self.envelope.read(index, fields);
        }
        match index - ENVELOPE {
            number @ 0..=9 => self.numbers[number] = Some(fields.next_value::<Any>()?.long()?),
            10 => self.kind = Some(fields.next_value::<Any>()?.text()?),
            11 => self.info_code = fields.next_value::<Any>()?.maybe(Any::int)?,
            12 => self.main_sleep = Some(fields.next_value::<Any>()?.bool()?),
            13 => {
                self.levels =
                    Some(fields.next_value_seed(ListSeed::<SleepLevelFields>::new("levels", extra))?)
            }
            _ => {
                self.short_levels =
                    Some(fields.next_value_seed(ListSeed::<SleepLevelFields>::new("short_levels", extra))?)
            }
        }
        Ok(())
    }

    fn make<E: Error>(self) -> Result<Sleep, E> {
        let long = |index: usize| required(self.numbers[index], Self::FIELDS[ENVELOPE + index]);
        let int = |index: usize| Any::Int(long(index)?).int();
        Ok(Sleep {
            end_utc_offset_minutes: int(0)?,
            log_id: long(1)?,
            date_of_sleep: int(2)?,
            duration_ms: long(3)?,
            minutes_to_fall_asleep: int(4)?,
            minutes_asleep: int(5)?,
            minutes_awake: int(6)?,
            minutes_after_wakeup: int(7)?,
            time_in_bed: int(8)?,
            efficiency: int(9)?,
            upload: self.envelope.make()?,
            kind: required(self.kind, "type")?,
            info_code: self.info_code,
            main_sleep: required(self.main_sleep, "main_sleep")?,
            levels: required(self.levels, "levels")?,
            // Logs without short wakes are normal.
            short_levels: self.short_levels.unwrap_or_default(),
        })
    }
}

#[derive(Default)]
pub(super) struct UserFields {
    event_id: Option<Uuid>,
    user_id: Option<Uuid>,
    synced_at: Option<i64>,
    created_at: Option<i64>,
    email: Option<String>,
    date_of_birth: Option<i32>,
    gender: Option<String>,
    height_cm: Option<i32>,
    max_heart_rate: Option<i32>,
    zone: Option<String>,
    devices: Vec<Uuid>,
}

impl Record for UserFields {
    type Made = User;
    const FIELDS: &'static [&'static str] = &[
        "event_id",
        "user_id",
        "synced_at",
        "created_at",
        "email",
        "date_of_birth",
        "gender",
        "height_cm",
        "max_heart_rate",
        "zone",
        "devices",
    ];

    fn read<'de, A: MapAccess<'de>>(
        &mut self,
        index: usize,
        fields: &mut A,
        _: &mut Extra,
    ) -> Result<(), A::Error> {
        let value: Any = fields.next_value()?;
        match index {
            0 => self.event_id = Some(value.uuid()?),
            1 => self.user_id = Some(value.uuid()?),
            2 => self.synced_at = Some(value.long()?),
            3 => self.created_at = Some(value.long()?),
            4 => self.email = value.maybe(Any::text)?,
            5 => self.date_of_birth = value.maybe(Any::int)?,
            6 => self.gender = value.maybe(Any::text)?,
            7 => self.height_cm = value.maybe(Any::int)?,
            8 => self.max_heart_rate = value.maybe(Any::int)?,
            9 => self.zone = value.maybe(Any::text)?,
            _ => {
                self.devices = value
                    .list()?
                    .into_iter()
                    .map(Any::uuid)
                    .collect::<Result<_, _>>()?
            }
        }
        Ok(())
    }

    fn make<E: Error>(self) -> Result<User, E> {
        Ok(User {
            event_id: required(self.event_id, "event_id")?,
            user_id: required(self.user_id, "user_id")?,
            synced_at: UtcMillis(required(self.synced_at, "synced_at")?),
            created_at: UtcMillis(required(self.created_at, "created_at")?),
            email: self.email,
            date_of_birth: self.date_of_birth,
            gender: self.gender,
            height_cm: self.height_cm,
            max_heart_rate: self.max_heart_rate,
            zone: self.zone,
            devices: self.devices,
        })
    }
}
