//! When exports were sent, and which days had passed by then.

use pulseline_archive::{Archive, Options};
use pulseline_schemas::{Event, LocalDay, Stream, UtcMillis};

use crate::tree::Folder;
use crate::{NOW, options, read};

const STEP: &str = r#"[{"dateTime": "07/22/20 03:57:00", "value": "12"}]"#;

fn sleep(log_id: u32, minutes_asleep: u32, date: &str) -> String {
    format!(
        r#"{{"logId": {log_id}, "startTime": "{date}T23:00:00.000", "endTime": "{date}T23:50:00.000", "duration": 3000000,
        "dateOfSleep": "{date}", "minutesToFallAsleep": 0, "minutesAsleep": {minutes_asleep}, "minutesAwake": 5,
        "minutesAfterWakeup": 0, "timeInBed": 50, "efficiency": 97, "type": "classic", "mainSleep": true,
        "levels": {{"data": []}}}}"#
    )
}

#[test]
fn a_later_export_beside_the_first_has_a_later_synced_at() {
    let folder = Folder::new(&[("data/steps-2020-07-22.json", STEP)]);
    let (first, second) = (sleep(1, 40, "2020-07-01"), sleep(1, 45, "2020-07-01"));
    folder.put("data/sleep-2020-07-01.json", format!("[{first}]").as_bytes());
    let new = sleep(2, 45, "2020-08-16");
    folder.put("sleep-2020-07-01.json", format!("[{second},{new}]").as_bytes());
    let found = read(options(&folder));
    let sent: Vec<_> = found
        .survey
        .sources
        .iter()
        .map(|source| source.synced_at.0)
        .collect();
    // 2020-08-16T21:50Z, the end of its newest sleep; 2020-07-22T03:57Z, its newest step.
    assert_eq!(sent, [1_597_614_600_000, 1_595_390_220_000]);
    let mut versions: Vec<_> = found
        .of(Stream::Sleeps)
        .into_iter()
        .map(|event| match event {
            Event::Sleeps(sleep) => (sleep.log_id, sleep.upload.synced_at.0, sleep.minutes_asleep),
            other => panic!("{other:?}"),
        })
        .collect();
    versions.sort_unstable();
    assert_eq!(versions, [(1, sent[1], 40), (1, sent[0], 45), (2, sent[0], 45)]);
    let Event::Users(user) = found.of(Stream::Users)[0] else {
        panic!();
    };
    assert_eq!(user.synced_at.0, sent[0]);
}

#[test]
fn exact_repeats_in_two_files_are_one_event_twice() {
    let folder = Folder::new(&[]);
    let log = format!("[{}]", sleep(1, 40, "2020-07-01"));
    folder.put("sleep-2020-06-01.json", log.as_bytes());
    folder.put("sleep-2020-07-01.json", log.as_bytes());
    let found = read(options(&folder));
    let sleeps = found.of(Stream::Sleeps);
    assert_eq!(sleeps.len(), 2);
    assert_eq!(sleeps[0].event_id(), sleeps[1].event_id());
}

const DAYS: &str = r#"[{"dateTime": "07/21/20 00:00:00", "value": "1"}, {"dateTime": "07/22/20 00:00:00", "value": "2"},
    {"dateTime": "07/23/20 00:00:00", "value": "1440"}, {"dateTime": "03/08/21 00:00:00", "value": "1440"}]"#;

#[test]
fn future_days_are_counted_and_not_converted() {
    let folder = Folder::new(&[
        ("steps-2020-07-22.json", STEP),
        ("sedentary_minutes-2020-07-01.json", DAYS),
    ]);
    let found = read(options(&folder));
    let counts = found.survey.people[0].counts[&Stream::ActivityMinutes];
    assert_eq!((counts.records, counts.rows, counts.not_yet), (4, 2, 2));
    assert!(found.survey.to_string().contains("2 of future days"));
}

#[test]
fn a_folder_of_days_alone_is_dated_by_its_last_past_day() {
    let folder = Folder::new(&[("sedentary_minutes-2020-07-01.json", DAYS)]);
    let found = read(options(&folder));
    let counts = found.survey.people[0].counts[&Stream::ActivityMinutes];
    assert_eq!((counts.rows, counts.not_yet), (3, 1), "the present is 2021-01-01");
    let mut given = options(&folder);
    given.exported_at = Some(UtcMillis(1_595_290_000_000));
    let found = read(given);
    assert_eq!(found.survey.people[0].counts[&Stream::ActivityMinutes].rows, 1);
    assert_eq!(
        found.of(Stream::ActivityMinutes)[0].synced_at().0,
        1_595_290_000_000
    );
}

#[test]
fn dates_can_be_selected() {
    let folder = Folder::new(&[
        ("steps-2020-07-22.json", STEP),
        ("sedentary_minutes-2020-07-01.json", DAYS),
    ]);
    let day = Some(LocalDay(18_464));
    let found = read(Options {
        from: day,
        to: day,
        ..options(&folder)
    });
    let counts = &found.survey.people[0].counts;
    assert_eq!(counts[&Stream::ActivityMinutes].rows, 1, "2020-07-21");
    assert_eq!(counts[&Stream::ActivityMinutes].outside, 1);
    assert_eq!(
        (counts[&Stream::Steps].rows, counts[&Stream::Steps].outside),
        (0, 1)
    );
    assert!(found.of(Stream::Steps).is_empty());
}

#[test]
fn another_synced_at_or_content_gives_another_event() {
    let folder = Folder::new(&[("steps.json", STEP)]);
    let first = read(options(&folder)).of(Stream::Steps)[0].event_id();
    let later = read(Options {
        exported_at: Some(NOW),
        ..options(&folder)
    });
    assert_ne!(later.of(Stream::Steps)[0].event_id(), first);
    folder.put("steps.json", STEP.replace("12", "13").as_bytes());
    assert_ne!(read(options(&folder)).of(Stream::Steps)[0].event_id(), first);
}

#[test]
fn only_selected_people_of_a_shared_table_are_converted_and_named() {
    let folder = Folder::new(&[(
        "heartrate_seconds_merged.csv",
        "Id,Time,Value\n7,4/12/2016 7:21:00 AM,97\n8,4/12/2016 7:21:05 AM,98\n",
    )]);
    let asked = |name: &str| Options {
        only: vec![name.into()],
        ..options(&folder)
    };
    let found = read(asked("7"));
    let names: Vec<_> = found
        .survey
        .people
        .iter()
        .map(|person| person.name.as_str())
        .collect();
    assert_eq!(names, ["7"]);
    // The events are dated by the whole table, so their ids are those of a replay of all people.
    let all = read(options(&folder));
    assert!(found.events.iter().all(|event| all.events.contains(event)));
    let nobody = Archive::open(asked("9")).unwrap();
    let said = nobody.survey(&mut |_| ()).unwrap_err().to_string();
    assert_eq!(said, "the files contain no person called 9; they contain 7, 8");
}
