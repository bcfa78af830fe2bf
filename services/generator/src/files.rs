//! Writes the cohort's final state as files, in the layout of PMData.
//!
//! One folder is one device. People are planned in turn, a few days at a time, so memory does not depend on the length of
//! the plan. The same configuration gives the same bytes.

mod array;
mod clock;
mod days;
mod exercises;
mod folder;
mod minutes;
mod scores;
mod sleeps;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pulseline_schemas::UtcMillis;
use serde::Serialize;
use uuid::Uuid;

use crate::cohort::{Cohort, Device};
use crate::config::SimulateConfig;
use crate::error::GeneratorError;
use crate::oracle::Oracle;
use crate::plan::{Part, plan, plan_of};
use folder::Folder;

/// Days of one person whose readings are held at once.
const DAYS_AT_ONCE: u32 = 7;
/// The manifest, in the top folder.
const MANIFEST: &str = "pulseline.json";

/// The written files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// One per device, in the order of their names.
    pub folders: Vec<WrittenFolder>,
}

/// The files of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFolder {
    /// `p01`; a person's second device is `p02b`.
    pub name: String,
    /// IANA name of the time zone whose wall clock the files tell.
    pub zone: String,
    /// The person.
    pub user_id: Uuid,
    /// The device, as its uploads name it. The files do not.
    pub device_id: Uuid,
    /// In the order in which they were written.
    pub files: Vec<WrittenFile>,
}

/// One file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// Such as `heart_rate.json`.
    pub name: &'static str,
    /// Records in it, repeated ones too.
    pub records: u64,
    /// Records that repeat the one before them.
    pub repeated: u64,
    /// Its size.
    pub bytes: u64,
}

impl Written {
    /// Records in all files.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.files().map(|file| file.records).sum()
    }

    /// Size of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files().map(|file| file.bytes).sum()
    }

    fn files(&self) -> impl Iterator<Item = &WrittenFile> {
        self.folders.iter().flat_map(|folder| &folder.files)
    }
}

#[derive(Serialize)]
struct Manifest<'a> {
    people: BTreeMap<&'a str, ManifestPerson<'a>>,
}

#[derive(Serialize)]
struct ManifestPerson<'a> {
    zone: &'a str,
}

/// Writes what a cohort's uploads come to as folders `DIR/p01/fitbit/…`, and who they are into `DIR/pulseline.json`,
/// last of all. `progress` hears of every file when it is done, with the name of its folder.
///
/// `now` is where a cohort begins that begins now; it counts for no other. The quirks are those of the configuration.
///
/// # Errors
/// When the configuration is invalid, the folder has anything in it, or a file cannot be written.
pub fn write_pmdata(
    config: &SimulateConfig,
    now: UtcMillis,
    dir: &Path,
    progress: &mut dyn FnMut(&str, &WrittenFile),
) -> Result<Written, GeneratorError> {
    // Says what is wrong with the configuration before anything is touched.
    plan(config, now).map_err(GeneratorError::Config)?;
    make_empty(dir)?;
    let cohort =
        Cohort::new(config.seed, config.participants, config.quirks).map_err(GeneratorError::Config)?;
    let mut written = Written::default();
    for owner in 0..cohort.people.len() {
        let mut folders = open_folders(&cohort, owner, dir)?;
        for skipped in (0..config.days).step_by(DAYS_AT_ONCE as usize) {
            let part = Part {
                owner,
                skipped,
                days: DAYS_AT_ONCE,
            };
            let oracle = Oracle::of(plan_of(config, now, Some(part)).map_err(GeneratorError::Config)?);
            for folder in &mut folders {
                folder.add(&oracle)?;
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
    fs::create_dir_all(dir).map_err(|source| failed(dir, source))?;
    let mut entries = fs::read_dir(dir).map_err(|source| failed(dir, source))?;
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
    let mut text =
        serde_json::to_vec_pretty(&Manifest { people }).map_err(|error| failed(&path, error.into()))?;
    text.push(b'\n');
    fs::write(&path, text).map_err(|source| failed(&path, source))
}

fn failed(path: &Path, source: std::io::Error) -> GeneratorError {
    GeneratorError::File {
        path: PathBuf::from(path),
        source,
    }
}
