//! Retention of MongoDB's documents: old ones go once raw has their readings, and a rebuild carries over what raw alone has.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bson::{DateTime, Document, doc};
use futures_util::TryStreamExt;
use pulseline_clients::kafka::{Guard, Settings};
use pulseline_generator::{SimulateConfig, Start};
use pulseline_runtime::clock::system_utc_millis;
use pulseline_schemas::{Event, Extra, LocalMillis, Step, Steps, Stream, Upload, UtcMillis};
use pulseline_sql::GenericClient;
use pulseline_sql::periods::{DayNumber, date_of};
use pulseline_tests::service::command;
use pulseline_tests::{Role, Service, World, producer::Hand};
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::{Offset, TopicPartitionList};
use tokio::process::Command;
use uuid::Uuid;

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
const RETAINED: DayNumber = 62;
/// The least that the setting may be.
const RETAINING: (&str, &str) = ("PULSELINE__HEALER__RETAIN_DOCUMENTS_DAYS", "62");
/// Of all days, as text; and rows of raw.
const FIGURES: &str = "select md5(string_agg(s::text, '' order by device_id, bucket)), \
    (select count(*) from raw.heart_rates) + (select count(*) from raw.steps) + (select count(*) from raw.distances) \
    + (select count(*) from raw.calories) from agg.daily_summary s";
const FLOORS: &str = "select count(*) from ops.documents_floor";
const PATIENCE: Duration = Duration::from_secs(180);

/// Days of this test, counted back from the day on which it began.
struct Days {
    today: DayNumber,
}

impl Days {
    fn ago(&self, days: DayNumber) -> DayNumber {
        self.today - days
    }
}

/// Steps of two minutes of a day; the second one is no possible number where it is broken.
fn steps(id: u128, device_id: Uuid, day: DayNumber, is_broken: bool) -> Event {
    let at = |minute: i64| LocalMillis(i64::from(day) * DAY_MS + (720 + minute) * MINUTE_MS);
    let step = |minute, steps| Step {
        ts: at(minute),
        steps,
    };
    Event::Steps(Steps {
        upload: Upload {
            event_id: Uuid::from_u128(id),
            device_id,
            synced_at: UtcMillis(system_utc_millis()),
            utc_offset_minutes: 0,
            window_start: at(0),
            window_end: at(2),
        },
        samples: vec![step(0, 99), step(1, if is_broken { 5_000 } else { 98 })],
        extra: Extra::default(),
    })
}

async fn run(world: &World, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let output = command(world)?.args(arguments).output().await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code(), text(&output.stdout) + &text(&output.stderr)))
}

/// Documents of readings whose windows start in these days, as dead letters name them.
async fn documents(world: &World, from: DayNumber, until: DayNumber) -> Result<BTreeSet<String>> {
    let day = |day: DayNumber| DateTime::from_millis(i64::from(day) * DAY_MS);
    let database = world.documents().await?;
    let mut found = BTreeSet::new();
    for (stream, _) in Stream::readings() {
        let collection = database.collection::<Document>(stream.collection());
        let windows = doc! { "created_at": { "$gte": day(from), "$lt": day(until) } };
        let ids = collection.find(windows).projection(doc! { "_id": 1 }).await?;
        let ids: Vec<Document> = ids.try_collect().await?;
        let name = |id: &Document| format!("mongo:{stream}/{}", id.get_str("_id").unwrap_or_default());
        found.extend(ids.iter().map(name));
    }
    Ok(found)
}

/// Documents that an open dead letter names.
async fn with_dead_letters(world: &World) -> Result<BTreeSet<String>> {
    let open =
        "select distinct origin from ops.dead_letters where resolved_at is null and origin like 'mongo:%'";
    let rows = world.warehouse().await?.query(open, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn figures(world: &World) -> Result<(String, i64)> {
    let row = world.warehouse().await?.query_one(FIGURES, &[]).await?;
    Ok((row.get(0), row.get(1)))
}

#[tokio::test]
async fn p_12_old_documents_go_and_raw_keeps_their_readings_through_a_rebuild() -> Result<()> {
    let world = World::start("documents").await?;
    let saved_often = [("PULSELINE__LOADER__IDLE_SAVE_MS", "1000")];
    let services = [
        Service::start(&world, Role::Sink)?,
        Service::start_with(&world, Role::Loader, &saved_often)?,
        Service::start(&world, Role::Compactor)?,
    ];
    let today = DayNumber::try_from(system_utc_millis() / DAY_MS)?;
    let days = Days { today };
    let device = loaded(&world, &days).await?;
    is_held_back_by_a_wrong_row(&world, &days).await?;
    is_removed_in_spite_of_a_kill(&world, &days).await?;

    comes_late(&world, &days, device).await?;
    is_rebuilt(&world).await?;
    forgets(&world).await?;
    names_what_was_removed(&world).await?;
    drop(services);
    world.stop().await
}

/// Days before the target, of which one document has an open dead letter; a day just before it, and recent ones.
async fn loaded(world: &World, days: &Days) -> Result<Uuid> {
    for (ago, count) in [(100, 2), (3, 1)] {
        let cohort = SimulateConfig {
            participants: 2,
            from: Start::Day(date_of(days.ago(ago))),
            days: count,
            duplicate: 0.05,
            ..pulseline_tests::sparse()
        };
        world.simulate(&cohort).await?;
    }
    world.until_quiet().await?;
    let device: Uuid = world
        .warehouse()
        .await?
        .query_one("select min(device_id::text)::uuid from raw.devices", &[])
        .await?
        .get(0);
    let hand = Hand::new(world).await?;
    hand.event(&steps(1, device, days.ago(99), true)).await?;
    hand.event(&steps(2, device, days.ago(RETAINED + 3), false))
        .await?;
    world.until_quiet().await?;
    // Receipts are as old as when they were stored.
    let receipts = world.documents().await?.collection::<Document>("receipts");
    let old = DateTime::from_millis(i64::from(days.ago(RETAINED + 1)) * DAY_MS);
    let aged = receipts
        .update_many(
            doc! { "kafka.topic": "fitbit.steps" },
            doc! { "$set": { "stored_at": old } },
        )
        .await?;
    ensure!(aged.modified_count > 0);
    Ok(device)
}

async fn is_held_back_by_a_wrong_row(world: &World, days: &Days) -> Result<()> {
    let all = documents(world, days.ago(110), days.today).await?;
    let wrong = "update raw.steps set steps = steps + 1 where (device_id, local_ts) = \
        (select device_id, local_ts from raw.steps order by local_ts, device_id limit 1)";
    ensure!(world.warehouse().await?.execute(wrong, &[]).await? == 1);
    let mut healer = Service::start_with(world, Role::Healer, &[RETAINING])?;
    healer.until_logged("old documents are kept: raw differs").await?;
    let is_told = |value| value == 1.0;
    healer
        .until_measured("pulseline_healer_documents_held_back", is_told)
        .await?;
    let (log, day) = (healer.log()?, date_of(days.ago(100)).to_string());
    ensure!(log.contains("raw.steps ") && log.contains(&day), "{log}");
    healer.kill().await?;
    ensure!(world.count(FLOORS).await? == 0);
    ensure!(documents(world, days.ago(110), days.today).await? == all);
    let (code, said) = run(
        world,
        &["backfill", "--stream", "steps", "--from", &day, "--to", &day],
    )
    .await?;
    ensure!(code == Some(0) && !said.contains("no longer kept"), "{said}");
    world.until_quiet().await.map(drop)
}

/// A healer is killed while it removes; the next one ends where one alone would have.
async fn is_removed_in_spite_of_a_kill(world: &World, days: &Days) -> Result<()> {
    let below = days.ago(RETAINED + 7);
    let recent = documents(world, below, days.today).await?;
    let old = documents(world, 0, below).await?;
    let open = with_dead_letters(world).await?;
    let kept: BTreeSet<String> = open.intersection(&old).cloned().collect();
    ensure!(
        kept.contains("mongo:steps/00000000-0000-0000-0000-000000000001"),
        "{kept:?}"
    );
    let before = figures(world).await?;
    let mut killed = healing(world)?
        .env("PULSELINE__LOADER__PAGE_DOCUMENTS", "5")
        .spawn()?;
    let deadline = Instant::now() + PATIENCE;
    while documents(world, 0, below).await?.len() + 50 > old.len() {
        ensure!(Instant::now() < deadline, "nothing is removed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    killed.kill().await?;
    let left = documents(world, 0, below).await?.len();
    ensure!(left > kept.len() + 50, "killed too late: {left} are left");
    ensure!(
        world.count(FLOORS).await? == 1,
        "documents were removed before the floor was raised"
    );

    let mut healer = healing(world)?.spawn()?;
    let target = date_of(days.ago(RETAINED));
    let raised = format!("{FLOORS} where floor_date >= '{target}'");
    world.until_count(&raised, 1).await?;
    until_left(world, below, &kept).await?;
    until_no_old_receipt(world).await?;
    healer.kill().await?;
    ensure!(documents(world, below, days.today).await? == recent);
    ensure!(
        figures(world).await? == before,
        "figures changed with their documents"
    );
    is_equal(world).await
}

/// The healing service, with a round every second.
fn healing(world: &World) -> Result<Command> {
    let mut healing = command(world)?;
    healing
        .args(["heal", "--every", "1"])
        .env(RETAINING.0, RETAINING.1)
        .stderr(Stdio::null());
    Ok(healing)
}

/// Waits until these documents alone are left before a day.
async fn until_left(world: &World, below: DayNumber, kept: &BTreeSet<String>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = documents(world, 0, below).await?;
        ensure!(left.is_superset(kept), "documents were removed that are needed");
        if left == *kept {
            return Ok(());
        }
        let more: Vec<&String> = left.difference(kept).take(5).collect();
        ensure!(Instant::now() < deadline, "left are more, such as {more:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn is_equal(world: &World) -> Result<()> {
    let floor = "select floor_date::text from ops.documents_floor";
    let floor: String = world.warehouse().await?.query_one(floor, &[]).await?.get(0);
    let (code, said) = run(world, &["verify", "--full"]).await?;
    let line = format!("documents of days before {floor} are no longer kept: raw is not compared with them");
    ensure!(
        code == Some(0) && said.contains(&line) && said.contains("equal: "),
        "{said}"
    );
    Ok(())
}

/// What comes late for a removed day is loaded, as ever; its document goes with the next sweep, but not during a rebuild.
async fn comes_late(world: &World, days: &Days, device: Uuid) -> Result<()> {
    let below = days.ago(RETAINED + 7);
    let kept = documents(world, 0, below).await?;
    let hand = Hand::new(world).await?;
    hand.event(&steps(3, device, days.ago(98), false)).await?;
    world.until_quiet().await?;
    let late = "select count(*) from raw.steps where event_id = '00000000-0000-0000-0000-000000000003'";
    ensure!(world.count(late).await? == 2);
    let day = date_of(days.ago(98)).to_string();
    let (code, said) = run(
        world,
        &["backfill", "--stream", "steps", "--from", &day, "--to", &day],
    )
    .await?;
    ensure!(
        code == Some(0) && said.matches("are no longer kept").count() == 2,
        "{said}"
    );
    let warehouse = world.warehouse().await?;
    warehouse.batch_execute("create schema next_ops").await?;
    let mut healer = Service::start_with(world, Role::Healer, &[RETAINING])?;
    healer.until_ready().await?;
    healer.kill().await?;
    ensure!(documents(world, 0, below).await?.len() == kept.len() + 1);
    warehouse.batch_execute("drop schema next_ops").await?;
    let mut healer = Service::start_with(world, Role::Healer, &[RETAINING])?;
    healer.until_ready().await?;
    healer.kill().await?;
    ensure!(
        documents(world, 0, below).await? == kept,
        "the late document is not removed"
    );
    Ok(())
}

async fn until_no_old_receipt(world: &World) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    let receipts = world.documents().await?.collection::<Document>("receipts");
    let (of_steps, others) = (
        doc! { "kafka.topic": "fitbit.steps" },
        doc! { "kafka.topic": "fitbit.heart_rates" },
    );
    while receipts.count_documents(of_steps.clone()).await? > 0 {
        ensure!(Instant::now() < deadline, "old receipts are not removed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ensure!(
        receipts.count_documents(others).await? > 0,
        "young receipts were removed"
    );
    Ok(())
}

/// True once a rebuild has carried rows over.
async fn has_carried(world: &World) -> Result<bool> {
    let client = world.warehouse().await?;
    let there = "select to_regclass('next_ops.documents_floor') is not null";
    if !client.query_one(there, &[]).await?.get::<_, bool>(0) {
        return Ok(false);
    }
    let carried = "select count(*) from next_ops.documents_floor";
    Ok(client.query_one(carried, &[]).await?.get::<_, i64>(0) > 0)
}

/// A rebuild is killed while it carries rows over, or soon after; the next call ends with the same figures.
async fn is_rebuilt(world: &World) -> Result<()> {
    let before = figures(world).await?;
    let mut killed = command(world)?
        .arg("rebuild")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let deadline = Instant::now() + PATIENCE;
    while !has_carried(world).await? {
        ensure!(Instant::now() < deadline, "no row is carried over");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    killed.kill().await?;
    // The next call need not wait until it expires.
    let expire = "update ops.leases set expires_at = '-infinity' where name = 'rebuild'";
    world.warehouse().await?.batch_execute(expire).await?;
    let is_left = "select count(*) from ops.documents_floor o, next_ops.documents_floor n where n.floor_date < o.floor_date";
    let is_left = world.count(is_left).await? == 1;
    let (code, said) = run(world, &["rebuild"]).await?;
    ensure!(
        code == Some(0) && said.contains("resuming the rebuild") && said.contains("swapped: the new"),
        "{said}"
    );
    ensure!(said.contains("carried over the rows of") == is_left, "{said}");
    world.until_quiet().await?;
    ensure!(figures(world).await? == before, "the rebuilt figures are others");
    is_equal(world).await
}

/// E-1: of a person whose documents are gone, the rows and figures are erased.
async fn forgets(world: &World) -> Result<()> {
    let someone = "select user_id::text from raw.users order by 1 limit 1";
    let someone: String = world.warehouse().await?.query_one(someone, &[]).await?.get(0);
    let (code, said) = run(world, &["forget", &someone, "--yes"]).await?;
    ensure!(code == Some(0) && said.contains("nothing is found"), "{said}");
    let (code, said) = run(world, &["verify"]).await?;
    ensure!(code == Some(0) && said.contains("equal: "), "{said}");
    Ok(())
}

/// A lost offset whose document was removed is named as such, once Kafka does not have it either.
async fn names_what_was_removed(world: &World) -> Result<()> {
    world.until_folded().await?;
    let warehouse = world.warehouse().await?;
    let removed =
        "select partition, lower(offsets) from ops.removed_offsets where topic = 'fitbit.steps' limit 1";
    let removed = warehouse.query_one(removed, &[]).await?;
    let (partition, offset): (i32, i64) = (removed.get(0), removed.get(1));
    let lose = "update ops.accounted set offsets = offsets - int8range($2::bigint, $2::bigint + 1)::int8multirange \
        where topic = 'fitbit.steps' and partition = $1";
    ensure!(warehouse.execute(lose, &[&partition, &offset]).await? == 1);
    let mut upto = TopicPartitionList::new();
    upto.add_partition_offset("fitbit.steps", partition, Offset::Offset(offset + 1))?;
    let admin: AdminClient<Guard> = Settings::new(&world.kafka(), "pulseline-tests")?.create()?;
    admin.delete_records(&upto, &AdminOptions::new()).await?;
    let (code, said) = run(world, &["heal"]).await?;
    ensure!(
        code == Some(1) && said.contains("healer.retain_documents_days"),
        "{said}"
    );
    let report = run(world, &["heal", "--json"]).await?.1;
    ensure!(report.contains("\"are_removed\": true"), "{report}");
    Ok(())
}
