//! A device that was passed on: each person's days of it are erased alone, and do not come back (P17).

use anyhow::{Context, Result, ensure};
use bson::{Document, doc};
use pulseline_generator::ensure_topics;
use pulseline_schemas::{
    Event, Extra, LocalDay, LocalMillis, RestingHeartRate, RestingHeartRates, Sleep, SleepLevel, Step, Steps,
    Upload, User, UtcMillis,
};
use pulseline_sql::GenericClient;
use pulseline_stack::Server;
use pulseline_tests::{Role, Service, World, producer::Hand};
use uuid::Uuid;

use super::erasure::forget;

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// 2020-01-10, from which the devices belong to the second person.
const DAY: i32 = 18_271;
const FIRST: Uuid = Uuid::from_u128(0xa);
const SECOND: Uuid = Uuid::from_u128(0xb);
/// Passed on; the first person is erased.
const DEVICE: Uuid = Uuid::from_u128(1);
/// Of the first person alone.
const OWN: Uuid = Uuid::from_u128(2);
/// Passed on; the second person is erased.
const OTHER: Uuid = Uuid::from_u128(3);
const THIRD: Uuid = Uuid::from_u128(0xc);
const PROOF: &str = "searched every collection, table and view: nothing is found";

fn at(day: i32, minute: i64) -> LocalMillis {
    LocalMillis(i64::from(day) * DAY_MS + minute * MINUTE_MS)
}

fn upload(id: u128, device: Uuid, from: LocalMillis, until: LocalMillis) -> Upload {
    Upload {
        event_id: Uuid::from_u128(id),
        device_id: device,
        synced_at: UtcMillis(until.0 + DAY_MS),
        utc_offset_minutes: 60,
        window_start: from,
        window_end: until,
    }
}

fn profile(id: u128, user: Uuid, day: i32, devices: &[Uuid]) -> Event {
    Event::Users(User {
        event_id: Uuid::from_u128(id),
        user_id: user,
        synced_at: UtcMillis(at(day, 700).0),
        created_at: UtcMillis(at(day, 0).0),
        email: None,
        date_of_birth: None,
        gender: None,
        height_cm: None,
        max_heart_rate: None,
        zone: None,
        devices: devices.to_vec(),
        extra: Extra::default(),
    })
}

/// Steps of a minute each; more than a thousand are refused, and become a dead letter of their own.
fn steps(id: u128, device: Uuid, minutes: &[(i32, i64, i32)]) -> Event {
    let sample = |&(day, minute, steps): &(i32, i64, i32)| Step {
        ts: at(day, minute),
        steps,
    };
    let samples: Vec<Step> = minutes.iter().map(sample).collect();
    let ends = samples.iter().map(|sample| sample.ts.0);
    let (from, until) = (ends.clone().min().unwrap_or(0), ends.max().unwrap_or(0));
    Event::Steps(Steps {
        upload: upload(id, device, LocalMillis(from), LocalMillis(until + MINUTE_MS)),
        samples,
        extra: Extra::default(),
    })
}

fn resting(id: u128, device: Uuid, days: std::ops::Range<i32>) -> Event {
    let sample = |day: i32| RestingHeartRate {
        local_date: LocalDay(day),
        bpm: 60.0,
        error: None,
    };
    Event::RestingHeartRates(RestingHeartRates {
        upload: upload(id, device, at(days.start, 0), at(days.end, 0)),
        samples: days.map(sample).collect(),
        extra: Extra::default(),
    })
}

/// A night that ends on this day.
fn night(id: u128, device: Uuid, day: i32) -> Event {
    let upload = upload(id, device, at(day - 1, 1_400), at(day, 400));
    Event::Sleeps(Sleep {
        end_utc_offset_minutes: 60,
        log_id: i64::from(day),
        date_of_sleep: LocalDay(day),
        duration_ms: 440 * MINUTE_MS,
        minutes_to_fall_asleep: 5,
        minutes_asleep: 400,
        minutes_awake: 30,
        minutes_after_wakeup: 5,
        time_in_bed: 440,
        efficiency: 90,
        kind: "stages".into(),
        info_code: None,
        main_sleep: true,
        levels: vec![SleepLevel {
            ts: upload.window_start,
            level: "light".into(),
            seconds: 440 * 60,
        }],
        short_levels: Vec::new(),
        log_type: None,
        extra: Extra::default(),
        upload,
    })
}

/// What both owners of a device did on it: days, a night each, an upload over the midnight between them, and dead letters.
fn history(id: u128, device: Uuid) -> Vec<Event> {
    let events = [
        steps(id, device, &[(DAY - 3, 600, 10), (DAY - 3, 601, 11)]),
        steps(
            id + 1,
            device,
            &[(DAY - 1, 1_439, 12), (DAY, 0, 13), (DAY, 1, 14)],
        ),
        steps(id + 2, device, &[(DAY + 2, 600, 15)]),
        steps(id + 3, device, &[(DAY - 2, 600, 5_000), (DAY - 2, 601, 16)]),
        steps(id + 4, device, &[(DAY + 1, 600, 5_000), (DAY + 1, 601, 17)]),
        resting(id + 5, device, DAY - 2..DAY + 2),
        night(id + 6, device, DAY - 1),
        night(id + 7, device, DAY),
    ];
    events.into()
}

/// Rows of a device on the days of its first and of its second owner.
async fn rows(world: &World, device: Uuid) -> Result<(i64, i64)> {
    let count = async |is_first: bool| {
        let comparison = if is_first { "<" } else { ">=" };
        let of = |table: &str, day: &str| {
            format!(
                "(select count(*) from {table} where device_id = '{device}' and {day} {comparison} date '2020-01-10')"
            )
        };
        let sql = [
            of("raw.steps", "local_ts::date"),
            of("raw.resting_heart_rates", "local_date"),
            of("raw.sleeps", "end_local::date"),
            of("stage.steps_15m", "bucket::date"),
            of("agg.daily_steps", "bucket::date"),
        ];
        let levels = format!(
            "(select count(*) from raw.sleep_levels join raw.sleeps using (device_id, log_id) \
             where device_id = '{device}' and end_local::date {comparison} date '2020-01-10')"
        );
        world
            .count(&format!("select {} + {levels}", sql.join(" + ")))
            .await
    };
    Ok((count(true).await?, count(false).await?))
}

async fn owners(world: &World, device: Uuid) -> Result<Vec<(Uuid, String, String)>> {
    let sql = "select user_id, from_day::text, until_day::text from raw.device_owners where device_id = $1 order by from_day";
    let rows = world.warehouse().await?.query(sql, &[&device]).await?;
    Ok(rows
        .iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect())
}

fn owned(user: Uuid, from: &str, until: &str) -> (Uuid, String, String) {
    (user, from.into(), until.into())
}

/// Dead letters of a device: in the warehouse, and in MongoDB.
async fn dead_letters(world: &World, device: Uuid) -> Result<(i64, u64)> {
    let sql =
        format!("select count(*) from ops.dead_letters where message_key = convert_to('{device}', 'UTF8')");
    let documents = world.documents().await?.collection::<Document>("dead_letters");
    let key = bson::Binary {
        subtype: bson::spec::BinarySubtype::Generic,
        bytes: device.to_string().into_bytes(),
    };
    let stored = documents.count_documents(doc! { "message_key": key }).await?;
    Ok((world.count(&sql).await?, stored))
}

/// The first person goes; the second keeps the device, its days, and the half of an upload that is theirs.
async fn the_first_owner_is_erased(world: &World) -> Result<()> {
    let (_, kept) = rows(world, DEVICE).await?;
    let (code, said) = forget(world, &[&FIRST.to_string(), "--yes"]).await?;
    ensure!(code == Some(0) && said.contains(PROOF), "{said}");
    let names = format!("{DEVICE} belongs to another person too: only data before 2020-01-10 is theirs");
    ensure!(said.contains(&names), "{said}");
    ensure!(
        rows(world, DEVICE).await? == (0, kept),
        "the other owner's days changed"
    );
    ensure!(rows(world, OWN).await? == (0, 0), "a device of their own is left");
    ensure!(owners(world, DEVICE).await? == [owned(SECOND, "2020-01-10", "infinity")]);
    ensure!(dead_letters(world, DEVICE).await? == (1, 1));
    let documents = world.documents().await?.collection::<Document>("steps");
    let halved = doc! { "_id": Uuid::from_u128(101).to_string() };
    let halved = documents
        .find_one(halved)
        .await?
        .context("the upload of both is gone")?;
    ensure!(halved.get_array("metrics")?.len() == 2, "{halved}");
    world.verify_equal().await
}

/// The last person goes; the device goes back to the one before, with all that is theirs.
async fn the_last_owner_is_erased(world: &World) -> Result<()> {
    let (kept, _) = rows(world, OTHER).await?;
    let (code, said) = forget(world, &[&THIRD.to_string(), "--yes"]).await?;
    ensure!(code == Some(0) && said.contains(PROOF), "{said}");
    ensure!(
        rows(world, OTHER).await? == (kept, 0),
        "the other owner's days changed"
    );
    ensure!(owners(world, OTHER).await? == [owned(SECOND, "-infinity", "2020-01-10")]);
    let back =
        format!("select count(*) from raw.devices where device_id = '{OTHER}' and user_id = '{SECOND}'");
    ensure!(world.count(&back).await? == 1, "the device did not go back");
    world.verify_equal().await
}

#[tokio::test]
async fn p_17_each_owner_of_a_device_is_erased_alone_and_their_days_do_not_come_back() -> Result<()> {
    let Some(world) = World::start_owning("passed-on", &[Server::Timescale]).await? else {
        return Ok(());
    };
    ensure_topics(&world.kafka(), 1).await?;
    let services = [
        Service::start(&world, Role::Sink)?,
        Service::start(&world, Role::Loader)?,
        Service::start(&world, Role::Compactor)?,
    ];
    let create = "create role test_eraser login in role pulseline_eraser";
    world.warehouse().await?.batch_execute(create).await?;
    let hand = Hand::new(&world).await?;
    // The later version arrives first.
    for event in [
        profile(1, SECOND, DAY, &[DEVICE]),
        profile(2, FIRST, DAY - 9, &[DEVICE, OWN]),
        profile(3, SECOND, DAY - 9, &[OTHER]),
        profile(4, THIRD, DAY, &[OTHER]),
    ] {
        hand.event(&event).await?;
    }
    let all = [(100, DEVICE), (200, OWN), (300, OTHER)];
    for event in all.iter().flat_map(|(id, device)| history(*id, *device)) {
        hand.event(&event).await?;
    }
    world.until_quiet().await?;
    world.verify_equal().await?;
    let both = [
        owned(FIRST, "-infinity", "2020-01-10"),
        owned(SECOND, "2020-01-10", "infinity"),
    ];
    ensure!(owners(&world, DEVICE).await? == both);
    ensure!(dead_letters(&world, DEVICE).await? == (2, 2));

    the_first_owner_is_erased(&world).await?;
    the_last_owner_is_erased(&world).await?;

    // Everything again, under other names and with more of the second owner's days; and a profile of theirs.
    let before = rows(&world, DEVICE).await?;
    for event in history(400, DEVICE).into_iter().chain(history(500, OTHER)) {
        hand.event(&event).await?;
    }
    hand.event(&profile(5, SECOND, DAY - 5, &[DEVICE])).await?;
    hand.event(&steps(600, DEVICE, &[(DAY - 1, 1_000, 18), (DAY + 3, 1_000, 19)]))
        .await?;
    world.until_quiet().await?;
    let (first, second) = rows(&world, DEVICE).await?;
    ensure!(
        first == 0 && second > before.1,
        "{first} rows came back, {second} are there"
    );
    ensure!(owners(&world, DEVICE).await? == [owned(SECOND, "2020-01-10", "infinity")]);
    ensure!(
        rows(&world, OTHER).await?.1 == 0,
        "the last owner's days came back"
    );
    world.verify_equal().await?;
    let named = [&FIRST.to_string(), "--device", &DEVICE.to_string(), "--yes"];
    let (code, said) = forget(&world, &named).await?;
    ensure!(code == Some(0) && said.contains(PROOF), "{said}");
    drop(services);
    world.stop().await
}
