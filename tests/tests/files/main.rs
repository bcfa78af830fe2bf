//! The files, read back: exactly the oracle's values, in PMData's formats, the same bytes every time.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its input should fail"
)]

mod compared;
mod formats;
mod read;

use std::fs;

use pulseline_generator::{SimulateConfig, Written, write_pmdata};
use pulseline_schemas::UtcMillis;
use tempfile::TempDir;

/// Every file below a folder, with its bytes, by relative path.
fn files(root: &TempDir) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![root.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                files.push((name, fs::read(path).unwrap()));
            }
        }
    }
    files.sort();
    files
}

pub(crate) fn write(config: &SimulateConfig, folder: &TempDir) -> Written {
    write_pmdata(config, UtcMillis(0), folder.path(), &mut |_, _| {}).unwrap()
}

/// Many mishaps, two zones, a person with two devices, and one without confidence.
pub(crate) fn eventful() -> SimulateConfig {
    SimulateConfig {
        participants: 3,
        from: "2019-11-02".parse().unwrap(),
        days: 4,
        late: 0.2,
        duplicate: 0.1,
        correct: 0.3,
        broken: 0.05,
        ..SimulateConfig::default()
    }
}

#[test]
fn the_same_configuration_writes_the_same_bytes() {
    let [first, second, other] = std::array::from_fn(|_| TempDir::new().unwrap());
    assert_eq!(write(&eventful(), &first), write(&eventful(), &second));
    assert_eq!(files(&first), files(&second));
    write(
        &SimulateConfig {
            seed: 2,
            ..eventful()
        },
        &other,
    );
    assert_ne!(files(&first), files(&other));
}

#[test]
fn the_report_of_written_files_matches_the_files() {
    let folder = TempDir::new().unwrap();
    let mut reported = Vec::new();
    let written = write_pmdata(&eventful(), UtcMillis(0), folder.path(), &mut |name, file| {
        reported.push((name.to_owned(), *file));
    })
    .unwrap();
    let names: Vec<_> = written
        .folders
        .iter()
        .map(|folder| folder.name.as_str())
        .collect();
    assert_eq!(names, ["p01", "p02", "p02b", "p03"]);
    let mut bytes = 0;
    for of in &written.folders {
        for file in &of.files {
            let path = folder.path().join(&of.name).join("fitbit").join(file.name);
            assert_eq!(fs::metadata(path).unwrap().len(), file.bytes);
            assert!(reported.contains(&(of.name.clone(), *file)));
            bytes += file.bytes;
        }
    }
    assert_eq!(written.bytes(), bytes);
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.path().join("pulseline.json")).unwrap()).unwrap();
    assert_eq!(manifest["people"]["p01"]["zone"], "Europe/Oslo");
    assert_eq!(manifest["people"]["p02b"]["zone"], "America/New_York");
}

#[test]
fn a_folder_that_is_not_empty_is_refused() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("mine.txt"), "mine").unwrap();
    let error = write_pmdata(&eventful(), UtcMillis(0), folder.path(), &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("not empty"), "{error}");
    assert_eq!(files(&folder).len(), 1);
}
