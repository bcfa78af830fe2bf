//! Fitabase's tables: many people by a column `Id`, without confidence or sessions.

use pulseline_schemas::time::MINUTE_MS;
use pulseline_schemas::{ActivityMinute, HeartRate, LocalMillis, Step};

use super::day::{day_of, push_day};
use super::table::TableRow;
use super::{Context, Out, Reading, Sample};
use crate::value::Refusal;

const LEVELS: [(&str, &str); 4] = [
    ("SedentaryMinutes", "sedentary"),
    ("LightlyActiveMinutes", "lightly_active"),
    ("FairlyActiveMinutes", "moderately_active"),
    ("VeryActiveMinutes", "very_active"),
];

pub(super) fn heart_rate(context: &mut Context<'_>, bytes: &[u8], out: &mut Out) -> Result<(), Refusal> {
    of_its_person(context, bytes, |context, mut row| {
        let stamp = row.stamp("Time").required("Time")?;
        let bpm = row.number("Value").count("Value")?;
        let bpm = bpm.ok_or_else(|| Refusal::missing("Value"))?;
        let at = context.clock()?.reading(stamp);
        let sample = Sample::HeartRate(HeartRate {
            ts: at.local,
            bpm,
            confidence: None,
        });
        let unknown = Some(row.unknown()).filter(|unknown| !unknown.is_empty());
        let unknown = unknown.map(Box::new);
        context.push(out, Reading::Sample { at, sample, unknown })
    })
}

/// A row is an hour with sixty columns of a minute; an empty cell was not counted.
pub(super) fn steps(context: &mut Context<'_>, bytes: &[u8], out: &mut Out) -> Result<(), Refusal> {
    of_its_person(context, bytes, |context, mut row| {
        let hour = row.stamp("ActivityHour").required("ActivityHour")?;
        for minute in 0..60_u8 {
            let column = format!("Steps{minute:02}");
            let steps = match row.number(&column).count(&column) {
                Ok(Some(steps)) => steps,
                Ok(None) => continue,
                Err(refusal) => {
                    out.refusals.push((i32::from(minute), refusal));
                    continue;
                }
            };
            let stamp = LocalMillis(hour.0 + i64::from(minute) * MINUTE_MS);
            let at = context.clock()?.reading(stamp);
            let sample = Sample::Step(Step { ts: at.local, steps });
            let unknown = None;
            context.push(out, Reading::Sample { at, sample, unknown })?;
        }
        Ok(())
    })
}

/// Ignores the daily sums of steps, distance and energy: the minutes are finer.
pub(super) fn activity(context: &mut Context<'_>, bytes: &[u8], out: &mut Out) -> Result<(), Refusal> {
    of_its_person(context, bytes, |context, mut row| {
        let day = day_of(row.stamp("ActivityDate").required("ActivityDate")?)?;
        for (index, (column, level)) in (0..).zip(LEVELS) {
            match row.number(column).count(column) {
                Ok(Some(minutes)) => {
                    let sample = Sample::ActivityMinute(ActivityMinute {
                        local_date: day,
                        level: level.to_owned(),
                        minutes,
                    });
                    push_day(context, out, day, sample, None)?;
                }
                Ok(None) => {}
                Err(refusal) => out.refusals.push((index, refusal)),
            }
        }
        Ok(())
    })
}

/// Reads a row for its person.
fn of_its_person(
    context: &mut Context<'_>,
    bytes: &[u8],
    read: impl FnOnce(&mut Context<'_>, TableRow<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    context.progress.owner = None;
    context.with_row(bytes, |context, mut row| {
        let id = row.text("Id");
        if id.is_empty() {
            return Err(Refusal::missing("Id"));
        }
        context.progress.owner = Some(context.people.named(id));
        read(context, row)
    })
}
