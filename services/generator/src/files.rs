//! Writes the cohort's final state as files, in the layout of PMData.
//!
//! One folder is one device. People are planned in turn, a few days at a time, so memory does not depend on the
//! length of the plan. The same configuration gives the same bytes.

mod array;
mod clock;
mod days;
mod exercises;
mod folder;
mod minutes;
mod scores;
mod sleeps;
mod state;
mod written;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pulseline_schemas::UtcMillis;
use serde::Serialize;

use crate::cohort::{Cohort, Device};
use crate::config::SimulateConfig;
use crate::error::GeneratorError;
use crate::plan::{Part, plan, plan_of};
use folder::Folder;
use state::states;
pub use written::{Written, WrittenFile, WrittenFolder};

/// Days of one person whose readings are held at once.
const DAYS_AT_ONCE: u32 = 7;
/// The manifest, in the top folder.
const MANIFEST: &str = "pulseline.json";

#[derive(Serialize)]
struct Manifest<'a> {
    people: BTreeMap<&'a str, ManifestPerson<'a>>,
}

#[derive(Serialize)]
struct ManifestPerson<'a> {
    zone: &'a str,
}

/// Writes a cohort's final state as folders `DIR/p01/fitbit/…`, then its people to `DIR/pulseline.json`. `progress`
/// receives every finished file with the name of its folder.
///
/// `now` is the start of a cohort that begins now; other cohorts ignore it. The quirks are those of the
/// configuration.
///
/// # Errors
/// When the configuration is invalid, the folder is not empty, or a file cannot be written.
pub fn write_pmdata(
    config: &SimulateConfig,
    now: UtcMillis,
    dir: &Path,
    progress: &mut dyn FnMut(&str, &WrittenFile),
) -> Result<Written, GeneratorError> {
    // Reports an invalid configuration before anything is written.
    plan(config, now).map_err(GeneratorError::Config)?;
    make_empty(dir)?;
    let cohort = Cohort::new(config).map_err(GeneratorError::Config)?;
    let mut written = Written::default();
    for owner in 0..cohort.people.len() {
        let mut folders = open_folders(&cohort, owner, dir)?;
        for skipped in (0..config.days).step_by(DAYS_AT_ONCE as usize) {
            let part = Part {
                owner,
                skipped,
                days: DAYS_AT_ONCE,
            };
            let states = states(plan_of(config, now, Some(part)).map_err(GeneratorError::Config)?);
            for folder in &mut folders {
                folder.add(&states)?;
            }
        }
        for folder in folders {
            let folder = folder.finish()?;
            for file in &folder.files {
                progress(&folder.name, file);
            }
            written.folders.push(folder);
        }
    }
    write_manifest(dir, &written)?;
    Ok(written)
}

fn open_folders<'a>(cohort: &'a Cohort, owner: usize, dir: &Path) -> Result<Vec<Folder<'a>>, GeneratorError> {
    let devices = cohort.devices.iter().filter(|device| device.owner == owner);
    let open = |(suffix, device): (char, &'a Device)| {
        let mut name = format!("p{:02}", cohort.owner(device).index + 1);
        if device.secondary {
            name.push(suffix);
        }
        Folder::create(cohort, device, dir, name)
    };
    ('a'..).zip(devices).map(open).collect()
}

/// Refuses a non-empty folder: files of another cohort would be read as part of this one.
fn make_empty(dir: &Path) -> Result<(), GeneratorError> {
    fs::create_dir_all(dir).map_err(|source| GeneratorError::file(dir, source))?;
    let mut entries = fs::read_dir(dir).map_err(|source| GeneratorError::file(dir, source))?;
    if entries.next().is_some() {
        return Err(GeneratorError::NotEmpty(dir.to_owned()));
    }
    Ok(())
}

fn write_manifest(dir: &Path, written: &Written) -> Result<(), GeneratorError> {
    let people = written.folders.iter().map(|folder| {
        let person = ManifestPerson { zone: &folder.zone };
        (folder.name.as_str(), person)
    });
    let people = people.collect();
    let path = dir.join(MANIFEST);
    let mut text = serde_json::to_vec_pretty(&Manifest { people })
        .map_err(|error| GeneratorError::file(&path, error.into()))?;
    text.push(b'\n');
    fs::write(&path, text).map_err(|source| GeneratorError::file(&path, source))
}
