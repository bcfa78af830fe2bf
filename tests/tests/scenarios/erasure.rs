//! An erased person is removed from every store and never returns; other people lose nothing.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bson::{Document, doc};
use pulseline_generator::SimulateConfig;
use pulseline_sql::{Client, GenericClient};
use pulseline_stack::Server;
use pulseline_tests::service::command;
use pulseline_tests::{Role, Service, World};
use uuid::Uuid;

/// The person with the most readings among those with a broken upload: their dead letters must be erased too.
const PERSON: &str = "select user_id from raw.devices join raw.heart_rates using (device_id) \
    group by user_id order by count(*) desc limit 1";
const PACK: &str = "select count(compress_chunk(c)) from show_chunks('raw.heart_rates') c";
const OTHERS: &str = "select count(*) from raw.heart_rates where device_id <> all($1)";

const SINK_ERASED: &str = "pulseline_sink_erased_total";
const LOADER_ERASED: &str = "pulseline_loader_erased_total";

/// `forget` with exactly the rights of its group.
pub(crate) async fn forget(world: &World, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let output = erasing(world, arguments)?.output().await?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.code().is_some_and(|code| code < 2),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((output.status.code(), said))
}

fn erasing(world: &World, arguments: &[&str]) -> Result<tokio::process::Command> {
    let url = &world.endpoints.timescale_url;
    let url = url.replacen("postgres://postgres@", "postgres://test_eraser@", 1);
    let mut command = command(world)?;
    command
        .env("PULSELINE__TIMESCALE__URL", url)
        .arg("forget")
        .args(arguments);
    Ok(command)
}

/// Sum of a service's counter over its labels.
async fn counter(service: &Service, name: &str) -> Result<f64> {
    service.measures().await?.sum(name)
}

async fn until_risen(service: &Service, name: &str, from: f64) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(60);
    while counter(service, name).await? <= from {
        ensure!(Instant::now() < deadline, "{name} stays at {from}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn person(warehouse: &Client) -> Result<(Uuid, Vec<Uuid>)> {
    let user: Uuid = warehouse.query_one(PERSON, &[]).await?.get(0);
    let devices = "select device_id from raw.devices where user_id = $1";
    let devices = warehouse.query(devices, &[&user]).await?;
    Ok((user, devices.iter().map(|row| row.get(0)).collect()))
}

/// A dead letter that a gateway or a sink wrote at the moment of erasure: only its bytes name the person.
async fn dead_letter_of_the_erased_goes(world: &World, loader: &Service, device: Uuid) -> Result<()> {
    let (position, id) = ("fitbit.steps/0/9/5", "kafka:fitbit.steps/0/9/5#-1");
    let payload = format!("\0\u{1}H{device}\u{2}").into_bytes();
    let dead_letter = doc! {
        "_id": id, "origin": format!("kafka:{position}"), "item": -1, "stream": "steps",
        "kafka": { "topic": "fitbit.steps", "generation": 0, "partition": 9, "offset": 5_i64 },
        "message_key": bson::Bson::Null, "reason": "conflicting_content", "detail": "", "program_version": "",
        "payload": bson::Binary { subtype: bson::spec::BinarySubtype::Generic, bytes: payload },
        "created_at": bson::DateTime::now(),
    };
    let documents = world.documents().await?;
    let dead_letters = documents.collection::<Document>("dead_letters");
    let before = counter(loader, LOADER_ERASED).await?;
    dead_letters.insert_one(dead_letter).await?;
    until_risen(loader, LOADER_ERASED, before).await?;
    ensure!(dead_letters.count_documents(doc! { "_id": id }).await? == 0);
    let receipt = doc! { "_id": position, "kind": "erased" };
    let receipts = documents.collection::<Document>("receipts");
    ensure!(receipts.count_documents(receipt).await? == 1);
    let erased = "select count(*) from ops.accounted_offsets, unnest(erased) as r where partition = 9";
    world.until_count(erased, 1).await?;
    ensure!(
        world
            .count("select count(*) from ops.dead_letters where partition = 9")
            .await?
            == 0
    );
    Ok(())
}

/// It is killed before it ends, and resumes when it is called again.
async fn killed_on_its_way(world: &World, user: &str) -> Result<()> {
    let mut killed = erasing(world, &[user, "--yes"])?
        .stdout(std::process::Stdio::null())
        .spawn()?;
    tokio::time::sleep(Duration::from_millis(400)).await;
    Ok(killed.kill().await?)
}

#[tokio::test]
async fn e_1_a_person_is_removed_everywhere_and_does_not_come_back() -> Result<()> {
    let Some(world) = World::start_owning("erasure", &[Server::Timescale]).await? else {
        return Ok(());
    };
    let sink = Service::start(&world, Role::Sink)?;
    let loader = Service::start(&world, Role::Loader)?;
    let compactor = Service::start(&world, Role::Compactor)?;
    let cohort = SimulateConfig {
        participants: 3,
        days: 1,
        duplicate: 0.1,
        broken: 0.05,
        ..pulseline_tests::sparse()
    };
    world.simulate(&cohort).await?;
    world.until_quiet().await?;
    let warehouse = world.warehouse().await?;
    warehouse
        .batch_execute("create role test_eraser login in role pulseline_eraser")
        .await?;
    let (user, devices) = person(&warehouse).await?;
    let others = async || -> Result<i64> { Ok(warehouse.query_one(OTHERS, &[&devices]).await?.get(0)) };
    let before = others().await?;
    ensure!(world.count(PACK).await? > 0, "nothing is packed");
    let documents = world.documents().await?.collection::<Document>("steps");
    let of_device = doc! { "device_id": devices[0].to_string() };
    let kept = documents.find_one(of_device).await?.context("no document")?;

    let user = user.to_string();
    let (code, said) = forget(&world, &[&user, "--dry-run"]).await?;
    for place in [
        "MongoDB heart_rates",
        "raw.sleeps",
        "agg.user_daily_summary",
        "stage.heart_rates_15m",
    ] {
        ensure!(code == Some(0) && said.contains(place), "{place}: {said}");
    }
    killed_on_its_way(&world, &user).await?;
    let (code, said) = forget(&world, &[&user, "--yes"]).await?;
    let proof = "searched every collection, table and view: nothing is found";
    ensure!(code == Some(0) && said.contains(proof), "{said}");
    ensure!(
        said.contains("Kafka keeps messages of fitbit.heart_rates until"),
        "{said}"
    );
    ensure!(others().await? == before, "another person lost readings");
    world.verify_equal().await?;
    // The devices are no longer known, but the hash still identifies the person.
    let (code, said) = forget(&world, &[&user, "--yes"]).await?;
    ensure!(code == Some(0) && said.contains(proof), "{said}");

    // Everything again, then a document that a sink might have stored at the moment of erasure.
    world.simulate(&cohort).await?;
    world.until_quiet().await?;
    ensure!(others().await? == before);
    ensure!(counter(&sink, SINK_ERASED).await? > 0.0);
    let left_out = counter(&loader, LOADER_ERASED).await?;
    documents.insert_one(kept).await?;
    until_risen(&loader, LOADER_ERASED, left_out).await?;
    dead_letter_of_the_erased_goes(&world, &loader, devices[0]).await?;
    let named: Vec<String> = devices.iter().map(ToString::to_string).collect();
    let mut again: Vec<&str> = vec![&user];
    again.extend(named.iter().flat_map(|device| ["--device", device.as_str()]));
    let (_, said) = forget(&world, &[&again[..], &["--dry-run"]].concat()).await?;
    let left: Vec<&str> = said.lines().filter(|line| line.starts_with("  ")).collect();
    ensure!(left == ["  1 of MongoDB steps"], "{said}");
    let (code, said) = forget(&world, &[&again[..], &["--yes"]].concat()).await?;
    ensure!(code == Some(0) && said.contains(proof), "{said}");
    world.until_quiet().await?;
    world.verify_equal().await?;
    drop((sink, loader, compactor));
    world.stop().await
}
