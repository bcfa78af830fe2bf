//! Parses records into readings: one module per shape of record.

mod dated;
mod day;
mod dispatch;
mod exercise;
mod fitabase;
mod heart_rate;
mod minute;
mod other;
mod score;
mod sleep;
mod store;
mod table;
mod user;

use std::collections::HashMap;

use pulseline_schemas::time::DAY_MS;
use pulseline_schemas::{
    ActivityMinute, Calorie, Distance, Event, HeartRate, LocalDay, RestingHeartRate, Step, Upload, UtcMillis,
    ZoneMinutes,
};
use serde::de::{Deserialize, IgnoredAny};
use uuid::Uuid;

use crate::Clock;
use crate::family::Family;
use crate::moment::{FileClock, Moment};
use crate::people::{People, Who};
use crate::value::Refusal;

pub(crate) use other::{Unknown, extra_of};
pub(crate) use table::Columns;
pub(crate) use user::devices_of;

use table::TableRow;

/// Longest plausible session in days; a longer one is a broken number.
const SESSION_DAYS_MAX: i64 = 31;

/// One sample of any sampled stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Sample {
    HeartRate(HeartRate),
    Step(Step),
    Distance(Distance),
    Calorie(Calorie),
    ActivityMinute(ActivityMinute),
    ZoneMinutes(ZoneMinutes),
    RestingHeartRate(RestingHeartRate),
}

/// One reading of a person.
#[derive(Debug)]
pub(crate) enum Reading {
    /// A sample, to be grouped.
    Sample {
        at: Moment,
        sample: Sample,
        unknown: Option<Box<Unknown>>,
    },
    /// A separate upload, without id and time of sending.
    Session {
        day: LocalDay,
        end: Moment,
        event: Box<Event>,
    },
    /// A profile, without id and time of sending.
    Profile(Box<Event>),
}

/// A reading, its person and device.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) who: Who,
    pub(crate) device: Uuid,
    pub(crate) reading: Reading,
}

/// The readings of one record.
#[derive(Debug, Default)]
pub(crate) struct Out {
    pub(crate) rows: Vec<Row>,
    /// Refused readings by index; -1 is the whole record.
    pub(crate) refusals: Vec<(i32, Refusal)>,
    /// Rows without an estimate.
    pub(crate) sentinels: u64,
}

/// Properties of the file being read.
pub(crate) struct Context<'a> {
    pub(crate) family: Family,
    pub(crate) clock: Clock,
    pub(crate) people: &'a mut People,
    pub(crate) progress: &'a mut Progress,
}

/// Mutable state while reading a file.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The record's person.
    pub(crate) owner: Option<(Who, Uuid)>,
    pub(crate) clocks: HashMap<Who, FileClock>,
    /// A table's columns, after its header.
    pub(crate) columns: Option<Box<Columns>>,
}

impl Context<'_> {
    /// The person of the file or record.
    fn owner(&self) -> Result<(Who, Uuid), Refusal> {
        self.progress.owner.ok_or_else(|| Refusal::missing("the person"))
    }

    /// The person's clock in this file.
    fn clock(&mut self) -> Result<&mut FileClock, Refusal> {
        let (who, _) = self.owner()?;
        let (clock, people) = (self.clock, &self.people);
        Ok(self
            .progress
            .clocks
            .entry(who)
            .or_insert_with(|| FileClock::new(clock, people.get(who).zone.clone())))
    }

    fn push(&self, out: &mut Out, reading: Reading) -> Result<(), Refusal> {
        let (who, device) = self.owner()?;
        out.rows.push(Row { who, device, reading });
        Ok(())
    }

    /// Reads a row of a table; borrows only the columns, not the context.
    fn with_row(
        &mut self,
        bytes: &[u8],
        read: impl FnOnce(&mut Self, TableRow<'_>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let Some(mut columns) = self.progress.columns.take() else {
            return Err(Refusal::new("csv", "the table has no header"));
        };
        let result = TableRow::new(&mut columns, bytes).and_then(|row| read(self, row));
        self.progress.columns = Some(columns);
        result
    }

    /// The envelope of a session, without id and time of sending.
    fn upload(&self, start: Moment, end: Moment) -> Result<Upload, Refusal> {
        let (_, device_id) = self.owner()?;
        let length_ms = end.instant().0.saturating_sub(start.instant().0);
        if length_ms < 0 {
            return Err(Refusal::new("order", "it ends before it starts"));
        }
        if length_ms > SESSION_DAYS_MAX * DAY_MS {
            let detail = format!("it lasts {} days", length_ms / DAY_MS);
            return Err(Refusal::new("range", detail));
        }
        Ok(Upload {
            event_id: Uuid::nil(),
            device_id,
            synced_at: UtcMillis::default(),
            utc_offset_minutes: start.utc_offset_minutes,
            window_start: start.local,
            window_end: end.local,
        })
    }
}

/// Parses JSON into a type.
fn parse<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| {
        let is_json = error.is_data() && serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
        Refusal::new(if is_json { "shape" } else { "json" }, error.to_string())
    })
}

#[cfg(test)]
mod tests;
