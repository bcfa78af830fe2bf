//! Converts a file's times to local time with a UTC offset, by the rules of [`Clock`].

use std::sync::Arc;

use pulseline_schemas::{LocalMillis, UtcMillis};

use crate::Clock;
use crate::zone::{Meaning, Zone};

/// Local time and its UTC offset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) local: LocalMillis,
    pub(crate) utc_offset_minutes: i32,
}

impl Moment {
    pub(crate) const fn instant(self) -> UtcMillis {
        self.local.at_offset(self.utc_offset_minutes)
    }
}

/// Converts the times of one person in one file.
#[derive(Clone, Debug)]
pub(crate) struct FileClock {
    clock: Clock,
    zone: Arc<Zone>,
    /// The previous reading, if it was in a fold.
    in_fold: Option<LocalMillis>,
    /// Set when time ran backwards: the offset of the second pass.
    second_pass: Option<i32>,
}

impl FileClock {
    pub(crate) const fn new(clock: Clock, zone: Arc<Zone>) -> Self {
        Self {
            clock,
            zone,
            in_fold: None,
            second_pass: None,
        }
    }

    /// Converts the next reading's time.
    pub(crate) fn reading(&mut self, stamp: LocalMillis) -> Moment {
        if self.clock == Clock::Utc {
            return self.at(UtcMillis(stamp.0));
        }
        let meaning = self.zone.meaning(stamp);
        let Some(second) = meaning.second_pass else {
            self.in_fold = None;
            self.second_pass = None;
            return moment(stamp, meaning.utc_offset_minutes);
        };
        if self.in_fold.is_some_and(|before| stamp < before) {
            self.second_pass = Some(second);
        }
        self.in_fold = Some(stamp);
        moment(stamp, self.second_pass.unwrap_or(meaning.utc_offset_minutes))
    }

    /// Converts a session's start, or a day.
    pub(crate) fn session(&self, stamp: LocalMillis) -> Moment {
        match self.clock {
            Clock::Utc => self.at(UtcMillis(stamp.0)),
            Clock::Local => moment(stamp, self.zone.meaning(stamp).utc_offset_minutes),
        }
    }

    /// Converts a session's end; in a fold, prefers a time after the start.
    pub(crate) fn session_end(&self, stamp: LocalMillis, start: Moment) -> Moment {
        let end = self.session(stamp);
        let Meaning { second_pass, .. } = self.zone.meaning(end.local);
        match second_pass {
            Some(second) if end.instant() < start.instant() => moment(end.local, second),
            _ => end,
        }
    }

    /// Converts an instant.
    pub(crate) fn at(&self, instant: UtcMillis) -> Moment {
        let utc_offset_minutes = self.zone.offset_at(instant);
        moment(instant.at_offset(utc_offset_minutes), utc_offset_minutes)
    }
}

const fn moment(local: LocalMillis, utc_offset_minutes: i32) -> Moment {
    Moment {
        local,
        utc_offset_minutes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::parse_date;

    fn clock(clock: Clock, zone: &str) -> FileClock {
        FileClock::new(clock, Arc::new(Zone::new(zone).unwrap()))
    }

    fn local(text: &str) -> LocalMillis {
        LocalMillis(parse_date(text).unwrap())
    }

    #[test]
    fn a_wall_clock_in_the_gap_is_kept_with_the_offset_before() {
        let mut clock = clock(Clock::Local, "Europe/Oslo");
        let at = clock.reading(local("2020-03-29 02:30:00"));
        assert_eq!(at, moment(local("2020-03-29 02:30:00"), 60));
        assert_eq!(
            clock.reading(local("2020-03-29 03:30:00")).utc_offset_minutes,
            120
        );
    }

    #[test]
    fn a_fold_is_the_first_pass_until_the_clock_runs_backwards() {
        let mut clock = clock(Clock::Local, "Europe/Oslo");
        let offsets: Vec<_> = [
            "01:59:00", "02:00:00", "02:30:00", "02:30:00", "02:59:00", "02:00:00", "02:59:00", "03:00:00",
        ]
        .map(|time| {
            clock
                .reading(local(&format!("2019-10-27 {time}")))
                .utc_offset_minutes
        })
        .into();
        assert_eq!(offsets, [120, 120, 120, 120, 120, 60, 60, 60]);
        // The next autumn starts over.
        assert_eq!(
            clock.reading(local("2020-10-25 02:30:00")).utc_offset_minutes,
            120
        );
    }

    #[test]
    fn utc_files_keep_both_passes_apart() {
        let mut clock = clock(Clock::Utc, "Australia/Sydney");
        // Interleaved, as in the file of that night.
        for (utc, wall, offset) in [
            ("2020-04-04 15:00:03", "2020-04-05 02:00:03", 660),
            ("2020-04-04 16:00:12", "2020-04-05 02:00:12", 600),
            ("2020-04-04 15:00:13", "2020-04-05 02:00:13", 660),
        ] {
            assert_eq!(clock.reading(local(utc)), moment(local(wall), offset));
        }
    }

    #[test]
    fn a_session_ends_by_its_own_wall_clock() {
        let clock = clock(Clock::Local, "Europe/Oslo");
        let start = clock.session(local("2020-03-28 23:00:00"));
        let end = clock.session_end(local("2020-03-29 07:00:00"), start);
        assert_eq!((start.utc_offset_minutes, end.utc_offset_minutes), (60, 120));
        // A nap over the end of the first pass: its end is in the second.
        let start = clock.session(local("2019-10-27 02:50:00"));
        let end = clock.session_end(local("2019-10-27 02:20:00"), start);
        assert_eq!((start.utc_offset_minutes, end.utc_offset_minutes), (120, 60));
    }
}
