//! Counts during the first reading.

use std::collections::{BTreeMap, BTreeSet};

use pulseline_schemas::time::MINUTE_MS;
use pulseline_schemas::{LocalDay, Stream, UtcMillis};

use super::lag::Minutes;
use super::{Counts, Fate, MeasuredClock, PersonSurvey, Problem, Survey, fate_of, instant_of};
use crate::Clock;
use crate::archive::Archive;
use crate::family::{Family, Layout, OF_A_PERSON};
use crate::moment::Moment;
use crate::people::{People, Who};
use crate::record::{Reading, Row, Sample};
use crate::walk::RecordOutcome;
use crate::zone::Zone;

/// The counts so far.
#[derive(Default)]
pub(super) struct Tally {
    people: BTreeMap<Who, OfPerson>,
    problems: BTreeMap<(String, &'static str), Problem>,
    sent: BTreeMap<String, UtcMillis>,
}

#[derive(Default)]
struct OfPerson {
    counts: BTreeMap<Stream, Counts>,
    files: BTreeSet<usize>,
    families: BTreeSet<Family>,
    layouts: BTreeSet<Layout>,
    /// The clocks of the steps and of the calories.
    clocks: (Option<Clock>, Option<Clock>),
    oldest: Option<UtcMillis>,
    newest: Option<UtcMillis>,
    minutes: Minutes,
    clock: Option<MeasuredClock>,
}

impl OfPerson {
    /// Measures the clock after the person's last file, and frees the minutes.
    fn measure(&mut self, zone: &Zone) {
        let lags = match self.clocks {
            (Some(Clock::Utc), Some(Clock::Local)) => {
                let both = self.oldest.iter().chain(&self.newest);
                both.map(|at| zone.offset_at(*at)).collect()
            }
            _ => vec![0],
        };
        let minutes = std::mem::take(&mut self.minutes);
        self.clock = minutes.measure(&lags).or(self.clock);
    }
}

impl Tally {
    /// Records when a person's folder was sent.
    pub(super) fn sent(&mut self, person: Option<&str>, at: UtcMillis) {
        let newest = self
            .sent
            .entry(person.unwrap_or_default().to_owned())
            .or_insert(at);
        *newest = at.max(*newest);
    }

    /// Counts a record.
    pub(super) fn count(&mut self, archive: &Archive, outcome: &RecordOutcome) {
        let family = archive.files[outcome.file].family;
        for refused in &outcome.refused {
            let key = (refused.file.clone(), refused.reason);
            let problem = self.problems.entry(key).or_insert_with(|| Problem {
                file: refused.file.clone(),
                reason: refused.reason,
                count: 0,
                offset: refused.offset,
                detail: refused.detail.clone(),
            });
            problem.count += 1;
        }
        let Some(who) = outcome.owner else {
            return;
        };
        let person = self.people.entry(who).or_default();
        if outcome.records > 0 {
            person.files.insert(outcome.file);
            person.families.insert(family);
            person.layouts.insert(archive.files[outcome.file].layout);
        }
        let counts = person.counts.entry(family.stream()).or_default();
        counts.records += outcome.records;
        counts.refused += outcome.refused.len() as u64;
        counts.sentinels += outcome.sentinels;
    }

    /// Counts a row.
    pub(super) fn take(&mut self, archive: &Archive, file: usize, row: &Row, today: Option<LocalDay>) {
        let file = &archive.files[file];
        let today = today.filter(|_| file.family.is_daily());
        let person = self.people.entry(row.who).or_default();
        let counts = person.counts.entry(file.family.stream()).or_default();
        match fate_of(row, &archive.options, today) {
            Fate::Carried => counts.rows += 1,
            Fate::NotYet => {
                counts.not_yet += 1;
                return;
            }
            Fate::Outside => counts.outside += 1,
        }
        if let Some(at) = instant_of(row) {
            person.oldest = Some(person.oldest.map_or(at, |oldest| oldest.min(at)));
            person.newest = person.newest.max(Some(at));
        }
        if let Reading::Sample { at, sample, .. } = &row.reading {
            let clock = archive.clock_of(file);
            person.minutes.take(minute_of(*at, clock), sample);
            match sample {
                Sample::Step(_) => person.clocks.0 = Some(clock),
                Sample::Calorie(_) => person.clocks.1 = Some(clock),
                _ => {}
            }
        }
    }

    /// Completes a person after the last file.
    pub(super) fn measure_clocks(&mut self, people: &People) {
        for (who, person) in &mut self.people {
            person.measure(&people.get(*who).zone);
        }
    }

    pub(super) fn into_survey(self, archive: &Archive, people: &People, survey: &mut Survey) {
        survey.problems = self.problems.into_values().collect();
        let shared = survey.sources.iter().map(|source| source.synced_at).max();
        for (who, counted) in self.people {
            let person = people.get(who);
            let of_folders = !archive.files.iter().all(|file| file.person.is_none());
            let has = |family: &Family| {
                let mut same_kind = counted.families.iter().map(|known| known.name());
                same_kind.any(|name| name == family.name())
            };
            let missing = OF_A_PERSON.iter().filter(|family| of_folders && !has(family));
            let sent = self.sent.get(&person.name).or_else(|| self.sent.get(""));
            survey.people.push(PersonSurvey {
                name: person.name.clone(),
                user_id: person.user_id,
                devices: person.devices.iter().copied().collect(),
                zone: person.zone.name().to_owned(),
                has_profile: person.has_profile,
                layouts: counted.layouts,
                files: counted.files.len(),
                missing: missing.map(|family| family.name()).collect(),
                counts: counted.counts,
                oldest: counted.oldest,
                newest: counted.newest,
                synced_at: sent.copied().or(shared).unwrap_or(archive.options.now),
                clock: counted.clock,
            });
        }
        survey.people.sort_by(|a, b| a.name.cmp(&b.name));
    }
}

/// The minute as the file writes it.
fn minute_of(at: Moment, clock: Clock) -> i32 {
    let millis = match clock {
        Clock::Utc => at.instant().0,
        Clock::Local => at.local.0,
    };
    i32::try_from(millis.div_euclid(MINUTE_MS)).unwrap_or(i32::MAX)
}

impl Minutes {
    fn take(&mut self, minute: i32, sample: &Sample) {
        match sample {
            Sample::Step(step) => self.step(minute, step.steps),
            Sample::Calorie(calorie) => self.calorie(minute, calorie.millikcal),
            _ => {}
        }
    }
}
