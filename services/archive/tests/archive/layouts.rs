//! People and clocks in every layout.

use pulseline_archive::{Archive, ArchiveError, Clock, Options, device_id, user_id};
use pulseline_schemas::{Event, Stream};

use crate::tree::{Folder, deflated_zip_of, gz, zip_of};
use crate::{NOW, options, read};

const BEAT: &str = r#"[{"dateTime": "2019-11-01 00:00:05", "value": {"bpm": 54, "confidence": 3}}]"#;
const STEP: &str = r#"[{"dateTime": "2019-11-01 00:00:00", "value": "12"}]"#;
const RAW_BEAT: &str = r#"[{"dateTime": "04/04/20 13:00:05", "value": {"bpm": 54, "confidence": 3}}]"#;
const RAW_CALORIE: &str = r#"[{"dateTime": "04/05/20 00:00:00", "value": "1.19"}]"#;

fn start_of(event: &Event) -> (i64, i32) {
    let upload = event.upload().unwrap();
    (upload.window_start.0, upload.utc_offset_minutes)
}

#[test]
fn pmdata_has_a_folder_per_person_and_local_clocks() {
    let folder = Folder::new(&[
        ("p01/fitbit/heart_rate.json", BEAT),
        ("p01/fitbit/steps.json", STEP),
        (
            "p01/fitbit/sleep_score.csv",
            "timestamp,sleep_log_entry_id\n2019-11-01T07:00:00Z,7\n",
        ),
        ("p01/pmsys/wellness.csv", "a,b\n"),
        ("p01/pmsys/srpe.csv", "a,b\n"),
        ("p02/fitbit/heart_rate.json", BEAT),
        ("participant-overview.xlsx", "PK"),
        ("notes.txt", "x"),
    ]);
    let mut options = Options::new(folder.path(), "Europe/Oslo", NOW);
    options.zones.insert("p02".into(), "Europe/London".into());
    let found = read(options);
    let names: Vec<_> = found
        .survey
        .people
        .iter()
        .map(|person| person.name.as_str())
        .collect();
    assert_eq!(names, ["p01", "p02"]);
    assert!(found.survey.people[1].missing.contains(&"resting_heart_rate"));
    let midnight = 1_572_566_400_000;
    let starts: Vec<_> = found.of(Stream::HeartRates).into_iter().map(start_of).collect();
    assert_eq!(starts, [(midnight, 60), (midnight, 0)]);
    let Event::Users(user) = found.of(Stream::Users)[1] else {
        panic!();
    };
    assert_eq!(
        (user.user_id, user.devices[0]),
        (user_id("p02"), device_id("p02"))
    );
    assert_eq!(user.zone.as_deref(), Some("Europe/London"));
    assert_eq!(user.created_at.0, midnight + 5_000);
    let said = found.survey.to_string();
    assert!(
        said.contains("not carried: pmsys (2 files): answers to questionnaires"),
        "{said}"
    );
    assert!(
        said.contains("not carried: participant-overview.xlsx (1 file)"),
        "{said}"
    );
    assert!(
        said.contains("not carried: notes.txt (1 file): not known"),
        "{said}"
    );
}

#[test]
fn an_account_export_has_two_clocks_which_options_may_change() {
    let folder = Folder::new(&[
        (
            "Takeout/Fitbit/Global Export Data/heart_rate-2020-04-05.json",
            RAW_BEAT,
        ),
        (
            "Takeout/Fitbit/Global Export Data/calories-2020-04-05.json",
            RAW_CALORIE,
        ),
        (
            "Takeout/Fitbit/Global Export Data/run_vo2_max-2020-03-09.json",
            "[]",
        ),
    ]);
    let mut options = options(&folder);
    options.zone = "Australia/Sydney".into();
    let found = read(options.clone());
    let midnight = 1_586_044_800_000;
    assert_eq!(start_of(found.of(Stream::HeartRates)[0]), (midnight, 660));
    assert_eq!(start_of(found.of(Stream::Calories)[0]), (midnight, 660));
    options.clocks.insert(Stream::HeartRates, Clock::Local);
    let found = read(options);
    assert_eq!(
        start_of(found.of(Stream::HeartRates)[0]),
        (midnight - 11 * 3_600_000, 660)
    );
}

#[test]
fn several_exports_side_by_side_are_several_people() {
    let folder = Folder::new(&[
        ("anna/heart_rate-2020-04-05.json", RAW_BEAT),
        ("bo/Fitbit/heart_rate-2020-04-05.json", RAW_BEAT),
    ]);
    let archive = Archive::open(Options::new(folder.path(), "Europe/Oslo", NOW)).unwrap();
    assert_eq!(archive.people(), ["anna", "bo"]);
    let one = Archive::open(options(&folder)).unwrap();
    assert_eq!(one.people(), ["anna"]);
}

#[test]
fn packed_archives_give_the_same_events() {
    let files = [("d/heart_rate-2020-04-05.json", RAW_BEAT), ("d/steps.json", STEP)];
    let plain = Folder::new(&files);
    let packed = Folder::new(&[]);
    for (path, text) in files {
        packed.put(&format!("{path}.gz"), &gz(text.as_bytes()));
    }
    let zipped = Folder::new(&[]);
    zipped.put("all.zip", &zip_of(&files));
    let mut of_zip = options(&zipped);
    of_zip.root.push("all.zip");
    let wanted = read(options(&plain)).events;
    assert_eq!(wanted.len(), 3);
    assert_eq!(read(options(&packed)).events, wanted);
    assert_eq!(read(of_zip).events, wanted);

    let deflated = Folder::new(&[]);
    deflated.put("one.zip", &deflated_zip_of(files[0].0, files[0].1));
    let mut of_zip = options(&deflated);
    of_zip.root.push("one.zip");
    assert_eq!(read(of_zip).of(Stream::HeartRates).len(), 1);
}

#[test]
fn fitabase_has_many_people_in_one_table() {
    let folder = Folder::new(&[
        (
            "dailyActivity_merged.csv",
            "Id,ActivityDate,SedentaryMinutes\n7,4/12/2016,728\n8,4/12/2016,700\n",
        ),
        ("sleepDay_merged.csv", "Id,SleepDay\n"),
    ]);
    folder.put(
        "heartrate_seconds/7.csv.gz",
        &gz(b"\xef\xbb\xbfId,Time,Value\r\n7,4/12/2016 7:21:00 AM,97\r\n7,4/12/2016 7:21:05 AM,102\r\n"),
    );
    let found = read(Options::new(folder.path(), "America/New_York", NOW));
    assert_eq!(found.survey.people.len(), 2);
    let rates = found.of(Stream::HeartRates);
    assert_eq!((rates.len(), rates[0].readings()), (1, 2));
    assert_eq!(rates[0].upload().unwrap().device_id, device_id("7"));
    assert_eq!(found.of(Stream::Users).len(), 2);
    assert!(found.survey.to_string().contains("without sessions"));
}

#[test]
fn the_reference_store_names_devices_and_profiles_name_their_owner() {
    let user = "000000000000000000000000000000aa";
    let device = "000000000000000000000000000000bb";
    let folder = Folder::new(&[]);
    let bucket = format!(
        r#"{{"device_id": "{device}", "created_at": 1572566400, "metrics": [{{"ts": 1572566405, "bpm": 54, "confidence": 3}}]}}"#
    );
    let profile = format!(
        r#"{{"user_id": "{user}", "created_at": 1572566400, "devices": ["{device}"], "height": 195}}"#
    );
    folder.put("heart_rates.json", format!("{bucket}\n{bucket}\n").as_bytes());
    folder.put("users.json", format!("[{profile}]").as_bytes());
    let mut options = Options::new(folder.path(), "Europe/Oslo", NOW);
    options.zones.insert(user.into(), "Asia/Tokyo".into());
    let found = read(options);
    assert_eq!(found.survey.people.len(), 1);
    let rates = found.of(Stream::HeartRates);
    assert_eq!(
        (rates.len(), rates[0].readings()),
        (1, 2),
        "documents of one window are one upload"
    );
    assert_eq!(start_of(rates[0]), (1_572_566_400_000, 540));
    assert_eq!(rates[0].upload().unwrap().device_id.simple().to_string(), device);
    let users = found.of(Stream::Users);
    assert_eq!(
        (users.len(), users[0].key().simple().to_string()),
        (1, user.to_owned())
    );
}

#[test]
fn an_archive_that_cannot_be_opened_is_an_error() {
    let nothing = Folder::new(&[("notes.txt", "x")]);
    let open = |options| Archive::open(options).unwrap_err();
    assert!(matches!(
        open(options(&nothing)),
        ArchiveError::Empty { seen: 1, .. }
    ));
    let mut gone = options(&nothing);
    gone.root.push("gone");
    assert!(matches!(open(gone), ArchiveError::Read { .. }));
    let mut no_zip = options(&nothing);
    no_zip.root.push("notes.txt");
    assert!(matches!(open(no_zip), ArchiveError::Zip { .. }));
    let mut no_zone = options(&nothing);
    no_zone.zone = "Europe/Atlantis".into();
    assert!(matches!(open(no_zone), ArchiveError::Zone { .. }));
}
