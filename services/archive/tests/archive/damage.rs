//! Damaged files: only the damaged records are lost.

use pulseline_archive::{Archive, ArchiveError, Options, device_id};
use pulseline_schemas::Stream;

use crate::tree::{Folder, gz};
use crate::{options, read};

fn beat(second: u32) -> String {
    format!(r#"{{"dateTime": "2019-11-01 00:00:{second:02}", "value": {{"bpm": 54, "confidence": 3}}}}"#)
}

#[test]
fn a_broken_record_is_refused_with_its_place_and_bytes() {
    let broken = r#"{"dateTime": "2019-11-01 00:00:05, "value": {"bpm": 54}}"#;
    let file = format!("[{},{broken},{}]", beat(0), beat(10));
    let folder = Folder::new(&[("heart_rate.json", &file)]);
    let found = read(options(&folder));
    assert_eq!(found.of(Stream::HeartRates)[0].readings(), 2);
    let [refused] = &found.refused[..] else {
        panic!("{:?}", found.refused);
    };
    assert_eq!((refused.reason, refused.item), ("json", -1));
    assert_eq!(refused.offset as usize, file.find(broken).unwrap());
    assert!(refused.bytes.starts_with(broken.as_bytes()));
    assert_eq!(refused.person.as_deref(), Some("anna"));
    assert_eq!(refused.key, Some(device_id("anna")));
    assert_eq!(refused.origin.len(), 64);
    let said = found.survey.to_string();
    assert!(
        said.contains("heart_rate.json: 1 refused (json), the first at byte "),
        "{said}"
    );
}

#[test]
fn a_truncated_file_gives_one_refusal() {
    let records: Vec<_> = (0..50).map(beat).collect();
    let file = format!("[{}]", records.join(","));
    for (name, bytes, least) in [
        ("heart_rate.json", file.as_bytes()[..file.len() - 10].to_vec(), 49),
        ("heart_rate.json.gz", gz(file.as_bytes())[..100].to_vec(), 1),
    ] {
        let folder = Folder::new(&[]);
        folder.put(name, &bytes);
        let found = read(options(&folder));
        assert_eq!(found.refused.len(), 1, "{:?}", found.refused);
        assert_eq!(found.refused[0].reason, "truncated");
        let readings: usize = found
            .of(Stream::HeartRates)
            .iter()
            .map(|event| event.readings())
            .sum();
        assert!(readings >= least, "{readings}");
    }
}

#[test]
fn empty_files_are_accepted() {
    let folder = Folder::new(&[
        ("heart_rate.json", ""),
        ("steps.json", "[]"),
        ("sleep_score.csv", ""),
        ("calories.json", "\u{feff}[]\r\n"),
    ]);
    let found = read(options(&folder));
    assert!(found.events.is_empty() && found.refused.is_empty());
}

#[test]
fn files_that_are_no_exports_are_refused_without_a_panic() {
    let folder = Folder::new(&[
        ("heart_rate.json", "<html><body>Not found</body></html>"),
        ("steps.json", r#"{"errors": [{"message": "expired"}]}"#),
        ("sleep_score.csv", "\"a\n"),
    ]);
    let found = read(options(&folder));
    assert!(found.events.is_empty());
    let reasons: Vec<_> = found.refused.iter().map(|refused| refused.reason).collect();
    assert_eq!(reasons, ["garbage", "csv", "missing"]);
}

#[test]
fn a_file_that_is_deleted_is_an_error_that_ends_the_events() {
    let folder = Folder::new(&[("heart_rate.json", &format!("[{}]", beat(0)))]);
    let archive = Archive::open(options(&folder)).unwrap();
    let survey = archive.survey(&mut |_| {}).unwrap();
    std::fs::remove_file(folder.path().join("heart_rate.json")).unwrap();
    let mut events = archive.events(&survey);
    assert!(events.next().unwrap().is_ok(), "the profile");
    let error = events.next().unwrap().unwrap_err();
    assert!(matches!(error, ArchiveError::Read { ref path, .. } if path == "heart_rate.json"));
    assert!(events.next().is_none());
    assert!(archive.survey(&mut |_| {}).is_err());
}

#[test]
fn p_9_a_changed_record_or_another_person_gives_another_dead_letter() {
    let origin = |word: &str, person: &str| {
        let step = r#"{"dateTime": "2019-11-01 00:00:00", "value": "7"}"#;
        let file = format!(r#"[{{"dateTime": "{word}", "value": "7"}},{step}]"#);
        let folder = Folder::new(&[("steps.json", &file)]);
        let found = read(Options {
            person: Some(person.into()),
            ..options(&folder)
        });
        (found.refused[0].origin.clone(), found.refused[0].offset)
    };
    // The records have the same length and the same offset.
    let first = origin("nowhere", "anna");
    assert_eq!(first, origin("nowhere", "anna"));
    for other in [origin("nothing", "anna"), origin("nowhere", "bert")] {
        assert_eq!(first.1, other.1);
        assert_ne!(first.0, other.0);
    }
}
