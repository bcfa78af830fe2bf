//! Sleep scores: their `Z` does not mean UTC but local time at the sleep's end.

use pulseline_schemas::{Event, SleepScore};

use super::day::day_of;
use super::other::Others;
use super::table::TableRow;
use super::{Context, Out, Reading};
use crate::value::Refusal;

pub(super) fn read(context: &mut Context<'_>, bytes: &[u8], out: &mut Out) -> Result<(), Refusal> {
    context.with_row(bytes, |context, row| carry(context, row, out))
}

fn carry(context: &mut Context<'_>, mut row: TableRow<'_>, out: &mut Out) -> Result<(), Refusal> {
    let end = context
        .clock()?
        .session(row.stamp("timestamp").required("timestamp")?);
    let log_id = row.number("sleep_log_entry_id").whole("sleep_log_entry_id")?;
    let mut score = SleepScore {
        upload: context.upload(end, end)?,
        log_id: log_id.ok_or_else(|| Refusal::missing("sleep_log_entry_id"))?,
        overall_score: row.number("overall_score").count("overall_score")?,
        composition_score: row.number("composition_score").count("composition_score")?,
        revitalization_score: row.number("revitalization_score").count("revitalization_score")?,
        duration_score: row.number("duration_score").count("duration_score")?,
        deep_sleep_minutes: row
            .number("deep_sleep_in_minutes")
            .count("deep_sleep_in_minutes")?,
        resting_heart_rate: row.number("resting_heart_rate").decimal("resting_heart_rate")?,
        restlessness: row.number("restlessness").decimal("restlessness")?,
        extra: pulseline_schemas::Extra::default(),
    };
    score.extra = Others::of(row.unknown()).into_extra();
    let day = day_of(end.local)?;
    let event = Box::new(Event::SleepScores(score));
    context.push(out, Reading::Session { day, end, event })
}
