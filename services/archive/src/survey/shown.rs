//! Prints a survey.

use std::fmt;

use jiff::Timestamp;
use pulseline_schemas::UtcMillis;

use super::{Counts, MeasuredClock, PersonSurvey, Survey};

/// Problems that are printed one by one.
const PROBLEMS_SHOWN: usize = 40;

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for person in &self.people {
            person.fmt(f)?;
        }
        for source in &self.sources {
            let folder = if source.folder.is_empty() {
                "."
            } else {
                &source.folder
            };
            writeln!(f, "{folder}: sent at {}", time_text(source.synced_at))?;
        }
        self.show_problems(f)?;
        for kind in &self.not_carried {
            let files = if kind.files == 1 { "file" } else { "files" };
            writeln!(
                f,
                "not carried: {} ({} {files}): {}",
                kind.kind, kind.files, kind.why
            )?;
        }
        Ok(())
    }
}

impl Survey {
    fn show_problems(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.problems.iter().take(PROBLEMS_SHOWN) {
            writeln!(
                f,
                "{}: {} refused ({}), the first at byte {}: {}",
                problem.file, problem.count, problem.reason, problem.offset, problem.detail
            )?;
        }
        let rest = self.problems.get(PROBLEMS_SHOWN..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        let refused: u64 = rest.iter().map(|problem| problem.count).sum();
        writeln!(
            f,
            "and {refused} more refused for {} further reasons, by file",
            rest.len()
        )
    }
}

impl fmt::Display for PersonSurvey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = if self.files == 1 { "file" } else { "files" };
        write!(f, "{}: {} {files}", self.name, self.files)?;
        for layout in &self.layouts {
            write!(f, ", {layout}")?;
        }
        write!(f, ", {}", self.zone)?;
        if let (Some(oldest), Some(newest)) = (self.oldest, self.newest) {
            write!(f, ", {} to {}", time_text(oldest), time_text(newest))?;
        }
        writeln!(f)?;
        if !self.missing.is_empty() {
            writeln!(f, "  no files of: {}", self.missing.join(", "))?;
        }
        for (stream, counts) in &self.counts {
            writeln!(f, "  {:<20} {counts}", stream.name())?;
        }
        if let Some(clock) = &self.clock {
            writeln!(f, "  {clock}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9} records → {:>9} readings", self.records, self.rows)?;
        for (count, what) in [
            (self.refused, "refused"),
            (self.sentinels, "days without an estimate"),
            (self.not_yet, "of future days"),
            (self.outside, "outside the selected dates"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for MeasuredClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, minutes) = (self.lag_minutes.abs() / 60, self.lag_minutes.abs() % 60);
        let sign = if self.lag_minutes < 0 { '-' } else { '+' };
        write!(
            f,
            "clock: calories fit steps best at {sign}{hours}:{minutes:02} ({:.1} kcal in {} brisk minutes; {:.1} at 0:00): ",
            self.kcal, self.brisk_minutes, self.kcal_at_zero
        )?;
        f.write_str(if self.as_taken {
            "as assumed"
        } else {
            "NOT as assumed: check --clock and --zone"
        })
    }
}

fn time_text(at: UtcMillis) -> String {
    let at = Timestamp::from_millisecond(at.0).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%MZ").to_string()
}
