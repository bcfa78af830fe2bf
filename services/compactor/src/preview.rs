//! `--dry-run`: prints the plan of the next cycle as sentences.

use std::fmt::Write as _;
use std::ops::Range;

use futures_util::future::BoxFuture;
use pulseline_runtime::clock::Clock;
use pulseline_runtime::config::TimescaleConfig;
use pulseline_sql::Client;
use pulseline_sql::periods::{DayNumber, date_of};

use crate::config::CompactorConfig;
use crate::connection::connect;
use crate::cycle::{Work, find_work};
use crate::error::CompactorError;
use crate::pack::{self, Chunk};
use crate::retain::{self, Overdue};
use crate::{unsettled, user_days};

/// Describes the next cycle, a sentence per line. Changes nothing and takes no lease.
///
/// # Errors
/// A wrong setting, an unreachable server, a missing migration.
pub fn preview<'a>(
    config: &'a CompactorConfig,
    timescale: &'a TimescaleConfig,
    clock: &'a Clock,
) -> BoxFuture<'a, Result<Vec<String>, CompactorError>> {
    Box::pin(async move {
        config.validate().map_err(CompactorError::Config)?;
        let client = connect(timescale).await?;
        preview_with(config, &client, clock).await
    })
}

/// [`preview`] over an open connection.
///
/// # Errors
/// Errors of the server.
pub fn preview_with<'a>(
    config: &'a CompactorConfig,
    client: &'a Client,
    clock: &'a Clock,
) -> BoxFuture<'a, Result<Vec<String>, CompactorError>> {
    Box::pin(async move {
        let work = find_work(client, config, clock).await?;
        let overdue = retain::overdue(client, config, clock.now_utc_millis()).await?;
        let chunks = pack::due(client, config, clock.now_utc_millis()).await?;
        let user_days = user_days::marked(client).await?;
        let (_, rested) = unsettled::rested(client, config, work.plan.is_quiet()).await?;
        let mut lines = sentences(&work, user_days, &overdue, &chunks);
        if let Some((stream, day)) = rested {
            lines.push(format!(
                "refresh {} of {stream} for everybody, if there is time: devices were patched",
                date_of(day)
            ));
        }
        if lines.is_empty() {
            lines.push("nothing to do".to_owned());
        }
        Ok(lines)
    })
}

fn sentences(work: &Work, user_days: usize, overdue: &Overdue, chunks: &[Chunk]) -> Vec<String> {
    let mut lines = Vec::new();
    for patch in &work.plan.patches {
        lines.push(format!(
            "patch {} and {} of {} for {}",
            patch.relations[0],
            patch.relations[1],
            span(&patch.days),
            counted(patch.devices.len(), "device")
        ));
    }
    for window in &work.plan.refreshes {
        let changes = work
            .dirty
            .iter()
            .filter(|row| row.stream == window.stream && window.days.contains(&row.day));
        lines.push(format!(
            "refresh {} of {}: {}",
            window.relation,
            span(&window.days),
            counted(changes.count(), "change")
        ));
    }
    if !work.sleeps.is_empty() {
        lines.push(format!(
            "recompute the heart rate of {}",
            counted(work.sleeps.len(), "sleep")
        ));
    }
    if user_days > 0 {
        lines.push(format!(
            "compute {} of people that are marked already, and those that the changes have a part in",
            counted(user_days, "day")
        ));
    }
    if let Some(floor) = overdue.raise_to {
        let day = date_of(floor);
        lines.push(format!(
            "raise the floor to {day}: readings of earlier days are deleted, and no longer loaded"
        ));
    }
    for chunk in &overdue.chunks {
        lines.push(format!(
            "delete readings of {}, {}",
            chunk.stream,
            span(&chunk.days)
        ));
    }
    for chunk in chunks {
        let again = if chunk.is_packed { " again" } else { "" };
        lines.push(format!("pack {} of {}{again}", chunk.stream, span(&chunk.days)));
    }
    for wait in &work.plan.wait {
        let day = date_of(wait.day);
        lines.push(format!(
            "leave {day} of {} for later: the day has not ended everywhere on Earth",
            wait.stream
        ));
    }
    if work.plan.more {
        lines.push("more work is left for later cycles".to_owned());
    }
    lines
}

fn span(days: &Range<DayNumber>) -> String {
    let mut text = date_of(days.start).to_string();
    if days.len() > 1 {
        let _infallible = write!(text, " to {}", date_of(days.end - 1));
    }
    text
}

fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_said_by_its_first_and_last_day() {
        assert_eq!(span(&(18_206..18_207)), "2019-11-06");
        assert_eq!(span(&(18_206..18_208)), "2019-11-06 to 2019-11-07");
        assert_eq!(counted(1, "sleep"), "1 sleep");
    }
}
