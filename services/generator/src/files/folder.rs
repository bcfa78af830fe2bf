//! All files of one device. A stream without data has no file.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::array::Array;
use super::days::{write_level, write_resting, write_zones};
use super::exercises::write_exercises;
use super::minutes::{decimal, write_heart_rates, write_minutes};
use super::scores::Scores;
use super::sleeps::write_sleeps;
use super::state::DeviceState;
use super::written::WrittenFolder;
use crate::cohort::{Cohort, Device};
use crate::error::GeneratorError;
use crate::random::Purpose;

/// Levels of activity; each has its own file.
const LEVELS: [&str; 4] = ["sedentary", "lightly_active", "moderately_active", "very_active"];
/// Records of 65,536 that are repeated: for readings, and for days and sessions.
const REPEATED_READINGS: u32 = 30;
const REPEATED_RECORDS: u32 = 2_600;

/// The files of one device while they are written.
pub(super) struct Folder<'a> {
    cohort: &'a Cohort,
    device: &'a Device,
    path: PathBuf,
    name: String,
    heart_rates: Array,
    steps: Array,
    distances: Array,
    calories: Array,
    levels: [Array; 4],
    zones: Array,
    resting: Array,
    /// True if any day had an estimate.
    has_resting: bool,
    sleeps: Array,
    exercises: Array,
    scores: Scores,
}

impl<'a> Folder<'a> {
    /// Opens every file in `dir/name/fitbit`.
    pub(super) fn create(
        cohort: &'a Cohort,
        device: &'a Device,
        dir: &Path,
        name: String,
    ) -> Result<Self, GeneratorError> {
        let path = dir.join(&name).join("fitbit");
        let open = || {
            std::fs::create_dir_all(&path)?;
            let mut number = 0;
            let mut array = |name, repeated| {
                number += 1;
                let draw = cohort.draw(device.index, number, Purpose::Files);
                Array::create(&path, name, (draw, cohort.quirks), repeated)
            };
            Ok(Self {
                cohort,
                device,
                path: path.clone(),
                name,
                heart_rates: array("heart_rate.json", REPEATED_READINGS)?,
                steps: array("steps.json", REPEATED_READINGS)?,
                distances: array("distance.json", REPEATED_READINGS)?,
                calories: array("calories.json", REPEATED_READINGS)?,
                levels: [
                    array("sedentary_minutes.json", REPEATED_RECORDS)?,
                    array("lightly_active_minutes.json", REPEATED_RECORDS)?,
                    array("moderately_active_minutes.json", REPEATED_RECORDS)?,
                    array("very_active_minutes.json", REPEATED_RECORDS)?,
                ],
                zones: array("time_in_heart_rate_zones.json", REPEATED_RECORDS)?,
                resting: array("resting_heart_rate.json", REPEATED_RECORDS)?,
                has_resting: false,
                sleeps: array("sleep.json", REPEATED_RECORDS)?,
                exercises: array("exercise.json", REPEATED_RECORDS)?,
                scores: Scores::create(&path, "sleep_score.csv")?,
            })
        };
        open().map_err(|source| GeneratorError::file(&path, source))
    }

    /// Writes a device's final state; its readings are later than those of any earlier call.
    pub(super) fn add(&mut self, states: &HashMap<Uuid, DeviceState>) -> Result<(), GeneratorError> {
        let Some(state) = states.get(&self.device.device_id) else {
            return Ok(());
        };
        self.readings(state)
            .and_then(|()| self.days(state))
            .and_then(|()| self.sessions(state))
            .map_err(|source| GeneratorError::file(&self.path, source))
    }

    fn readings(&mut self, state: &DeviceState) -> io::Result<()> {
        write_heart_rates(&mut self.heart_rates, state.heart_rates.values())?;
        write_minutes(&mut self.steps, state.steps.values(), |sample, _| {
            (sample.ts, sample.steps.to_string())
        })?;
        // In centimetres; the last digit is a millimetre.
        write_minutes(
            &mut self.distances,
            state.distances.values(),
            |sample, oddities| (sample.ts, decimal(sample.distance_mm, 1, oddities.as_float)),
        )?;
        write_minutes(&mut self.calories, state.calories.values(), |sample, oddities| {
            (sample.ts, decimal(sample.millikcal, 3, oddities.as_float))
        })
    }

    fn days(&mut self, state: &DeviceState) -> io::Result<()> {
        for (level, array) in LEVELS.into_iter().zip(&mut self.levels) {
            write_level(array, state.activity_minutes.values(), level)?;
        }
        let zones: Vec<_> = state.zones.values().collect();
        write_zones(&mut self.zones, &zones)?;
        let dates = state.activity_minutes.values().map(|sample| sample.local_date);
        let dates = dates.chain(zones.iter().map(|sample| sample.local_date));
        let dates: BTreeSet<_> = dates
            .chain(state.resting.values().map(|sample| sample.local_date))
            .collect();
        self.has_resting |= state.resting.values().next().is_some();
        write_resting(&mut self.resting, &state.resting, dates.into_iter())
    }

    fn sessions(&mut self, state: &DeviceState) -> io::Result<()> {
        write_sleeps(&mut self.sleeps, state.sleeps.values(), self.cohort.quirks)?;
        write_exercises(&mut self.exercises, state.exercises.values())?;
        self.scores.add(state.sleep_scores.values())
    }

    /// Closes every file, and removes empty ones.
    pub(super) fn finish(self) -> Result<WrittenFolder, GeneratorError> {
        let Self {
            cohort, device, path, ..
        } = self;
        let arrays = [self.heart_rates, self.steps, self.distances, self.calories];
        let days = self.levels.into_iter().chain([self.zones, self.resting]);
        let arrays = arrays
            .into_iter()
            .chain(days)
            .chain([self.sleeps, self.exercises]);
        let close = || {
            let mut files = Vec::new();
            let written = arrays.map(Array::finish).chain([self.scores.finish()]);
            for written in written {
                let file = written?;
                let says_nothing = file.name == "resting_heart_rate.json" && !self.has_resting;
                if file.records == 0 || says_nothing {
                    std::fs::remove_file(path.join(file.name))?;
                } else {
                    files.push(file);
                }
            }
            Ok(files)
        };
        Ok(WrittenFolder {
            files: close().map_err(|source| GeneratorError::file(&path, source))?,
            name: self.name,
            zone: cohort.owner(device).zone.name().to_owned(),
            user_id: cohort.owner(device).user_id,
            device_id: device.device_id,
        })
    }
}
