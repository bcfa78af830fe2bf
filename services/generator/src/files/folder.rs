//! All files of one device. A stream without data has no file.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use pulseline_schemas::{Stream, Upload};
use uuid::Uuid;

use super::array::Array;
use super::days::{Days, write_level, write_resting, write_zones};
use super::exercises::write_exercises;
use super::minutes::{decimal, write_heart_rates, write_minutes};
use super::scores::Scores;
use super::sleeps::write_sleeps;
use super::{WrittenFolder, failed};
use crate::cohort::{Cohort, Device};
use crate::error::GeneratorError;
use crate::oracle::Oracle;
use crate::random::Purpose;

/// Levels of activity; each has a file.
const LEVELS: [&str; 4] = ["sedentary", "lightly_active", "moderately_active", "very_active"];
/// Records of 65,536 that are repeated: readings, and days and sessions.
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
    /// Whether any day had an estimate.
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
        open().map_err(|source| failed(&path, source))
    }

    /// Writes what uploads come to that are later than those of any call before.
    pub(super) fn add(&mut self, oracle: &Oracle) -> Result<(), GeneratorError> {
        self.readings(oracle)
            .and_then(|()| self.days(oracle))
            .and_then(|()| self.sessions(oracle))
            .map_err(|source| failed(&self.path, source))
    }

    fn readings(&mut self, oracle: &Oracle) -> io::Result<()> {
        let device_id = self.device.device_id;
        write_heart_rates(&mut self.heart_rates, device_id, &oracle.heart_rates)?;
        write_minutes(&mut self.steps, device_id, &oracle.steps, |row, _| {
            row.steps.to_string()
        })?;
        // Centimetres, of which the last digit is a millimetre.
        write_minutes(
            &mut self.distances,
            device_id,
            &oracle.distances,
            |row, oddities| decimal(row.distance_mm, 1, oddities.as_float),
        )?;
        write_minutes(
            &mut self.calories,
            device_id,
            &oracle.calories,
            |row, oddities| decimal(row.millikcal, 3, oddities.as_float),
        )
    }

    fn days(&mut self, oracle: &Oracle) -> io::Result<()> {
        let of = |stream| days(oracle, self.device.device_id, stream);
        let activity = of(Stream::ActivityMinutes);
        let zones = of(Stream::HeartRateZones);
        let resting = of(Stream::RestingHeartRates);
        let every = activity.keys().chain(zones.keys()).chain(resting.keys());
        let dates: BTreeSet<_> = every.copied().collect();
        for (level, array) in LEVELS.into_iter().zip(&mut self.levels) {
            write_level(array, &activity, level)?;
        }
        write_zones(&mut self.zones, &zones)?;
        self.has_resting |= !resting.is_empty();
        write_resting(&mut self.resting, &resting, dates.into_iter())
    }

    fn sessions(&mut self, oracle: &Oracle) -> io::Result<()> {
        let device_id = self.device.device_id;
        let sleeps = in_order(device_id, &oracle.sleeps, |sleep| &sleep.upload);
        write_sleeps(&mut self.sleeps, &sleeps, self.cohort.quirks)?;
        let exercises = in_order(device_id, &oracle.exercises, |exercise| &exercise.upload);
        write_exercises(&mut self.exercises, &exercises)?;
        let scores = in_order(device_id, &oracle.sleep_scores, |score| &score.upload);
        self.scores.add(&scores)
    }

    /// Closes every file, and removes those in which there is nothing.
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
            files: close().map_err(|source| failed(&path, source))?,
            name: self.name,
            zone: cohort.owner(device).zone.name().to_owned(),
            user_id: cohort.owner(device).user_id,
            device_id: device.device_id,
        })
    }
}

fn days(oracle: &Oracle, device_id: Uuid, stream: Stream) -> Days<'_> {
    let mut days = Days::new();
    for (key, row) in &oracle.days {
        if key.device_id == device_id && key.stream == stream {
            days.entry(key.local_date).or_default().insert(&key.label, row);
        }
    }
    days
}

/// A device's sleeps or exercises in the order of time.
fn in_order<V>(device_id: Uuid, sessions: &HashMap<(Uuid, i64), V>, upload: fn(&V) -> &Upload) -> Vec<&V> {
    let mut of: Vec<_> = sessions
        .iter()
        .filter(|((device, _), _)| *device == device_id)
        .map(|((_, log_id), session)| {
            let upload = upload(session);
            (
                upload.window_start.at_offset(upload.utc_offset_minutes),
                *log_id,
                session,
            )
        })
        .collect();
    of.sort_unstable_by_key(|(at, log_id, _)| (*at, *log_id));
    of.into_iter().map(|(_, _, session)| session).collect()
}
