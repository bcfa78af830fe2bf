//! The files, read back: nothing but what the oracle says, in PMData's formats, the same bytes every time.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot prepare its input should fail"
)]

mod compared;
mod formats;
mod read;

use std::fs;
use std::path::{Path, PathBuf};

use pulseline_generator::{SimulateConfig, Written, write_pmdata};
use pulseline_schemas::UtcMillis;

/// A folder that goes away with the test.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("pmdata-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }

    /// Every file under it with its bytes, by its path in it.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files = Vec::new();
        let mut folders = vec![self.0.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&self.0).unwrap().to_string_lossy().into_owned();
                    files.push((name, fs::read(path).unwrap()));
                }
            }
        }
        files.sort();
        files
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn write(config: &SimulateConfig, folder: &Folder) -> Written {
    write_pmdata(config, UtcMillis(0), &folder.0, &mut |_, _| {}).unwrap()
}

/// Mishaps in plenty, two zones, a person with two devices and one without confidence.
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
    let (first, second, other) = (Folder::new("first"), Folder::new("second"), Folder::new("other"));
    assert_eq!(write(&eventful(), &first), write(&eventful(), &second));
    assert_eq!(first.files(), second.files());
    write(
        &SimulateConfig {
            seed: 2,
            ..eventful()
        },
        &other,
    );
    assert_ne!(first.files(), other.files());
}

#[test]
fn what_is_said_to_be_written_is_written() {
    let folder = Folder::new("said");
    let mut heard = Vec::new();
    let written = write_pmdata(&eventful(), UtcMillis(0), &folder.0, &mut |name, file| {
        heard.push((name.to_owned(), *file));
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
            let path = folder.0.join(&of.name).join("fitbit").join(file.name);
            assert_eq!(fs::metadata(path).unwrap().len(), file.bytes);
            assert!(heard.contains(&(of.name.clone(), *file)));
            bytes += file.bytes;
        }
    }
    assert_eq!(written.bytes(), bytes);
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.0.join("pulseline.json")).unwrap()).unwrap();
    assert_eq!(manifest["people"]["p01"]["zone"], "Europe/Oslo");
    assert_eq!(manifest["people"]["p02b"]["zone"], "America/New_York");
}

#[test]
fn a_folder_with_anything_in_it_is_left_alone() {
    let folder = Folder::new("full");
    fs::create_dir_all(&folder.0).unwrap();
    fs::write(folder.0.join("mine.txt"), "mine").unwrap();
    let error = write_pmdata(&eventful(), UtcMillis(0), &folder.0, &mut |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("not empty"), "{error}");
    assert_eq!(folder.files().len(), 1);
}
