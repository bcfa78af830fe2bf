//! The commands for dead letters: show, replay once after a fix, discard with a reason.

use anyhow::{Context, Result, ensure};
use pulseline_clients::registry::Registry;
use pulseline_generator::{Payload, SimulateConfig, plan};
use pulseline_schemas::{Event, Stream, UtcMillis, encode, frame};
use pulseline_sql::GenericClient;
use pulseline_tests::servers::PgBouncer;
use pulseline_tests::service::command;
use pulseline_tests::{Console, Service, World, producer::Hand};

/// Imitates a program that wrongly refuses documents.
const FAULT: &str = "alter table raw.calories add constraint fault check (millikcal % 10 <> 7) not valid; \
    alter table raw.sleeps add constraint fault check (device_id is null) not valid";
const FIX: &str =
    "alter table raw.calories drop constraint fault; alter table raw.sleeps drop constraint fault";
const DEAD: &str =
    "select coalesce(sum(upper(r) - lower(r)), 0)::bigint from ops.accounted_offsets, unnest(dead) as r";

const LOADED: &str = "select min(local_ts)::date::text from raw.steps";
/// An id of no person: the message names no person.
const NOBODY: &str = "00000000-0000-0000-0000-000000000001";
const TOKEN: &str = "a token of the tests";

fn cohort() -> SimulateConfig {
    SimulateConfig {
        participants: 1,
        days: 1,
        broken: 0.0,
        ..pulseline_tests::sparse()
    }
}

/// Output and exit code of `pulseline dead-letters`.
async fn invoke(world: &World, arguments: &[&str]) -> Result<(i32, String)> {
    let output = command(world)?
        .arg("dead-letters")
        .args(arguments)
        .output()
        .await?;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok((output.status.code().context("killed")?, said))
}

fn dead(text: &str, code: i32, (got, said): (i32, String)) -> Result<String> {
    ensure!(got == code && said.contains(text), "exit {got}: {said}");
    Ok(said)
}

#[tokio::test]
async fn p_9_documents_that_were_refused_are_loaded_after_the_fix_once() -> Result<()> {
    let world = World::start("letters").await?;
    let services = Service::start_all(&world)?;
    let warehouse = world.warehouse().await?;
    warehouse.batch_execute(FAULT).await?;
    world.simulate(&SimulateConfig { days: 2, ..cohort() }).await?;
    world.until_quiet().await?;
    let refused = world
        .count("select count(*) from ops.dead_letters where item >= 0")
        .await?;
    let dead_offsets = world.count(DEAD).await?;
    ensure!(refused > 0 && dead_offsets > 0, "{refused} {dead_offsets}");
    ensure!(world.count("select count(*) from raw.sleeps").await? == 0);

    let list = ["list", "--stream", "calories", "--limit", "1"];
    let said = dead("letters; --limit shows more", 0, invoke(&world, &list).await?)?;
    let origin = said
        .split_whitespace()
        .find(|word| word.starts_with("mongo:calories/"))
        .context(said.clone())?;
    dead("\"value\":", 0, invoke(&world, &["show", origin]).await?)?;
    // Without the fix they stay dead letters.
    let replay = ["replay", "--reason", "refused"];
    dead("refused again: refused:", 1, invoke(&world, &replay).await?)?;
    ensure!(world.count(DEAD).await? == dead_offsets);
    warehouse.batch_execute(FIX).await?;
    dead(
        " dead letters replayed, 0 stay",
        0,
        invoke(&world, &replay).await?,
    )?;
    dead(
        "0 dead letters replayed, 0 stay",
        0,
        invoke(&world, &replay).await?,
    )?;
    ensure!(world.count(DEAD).await? == 0, "their offsets are loaded");
    ensure!(world.count("select count(*) from raw.sleeps").await? > 0);
    world.until_quiet().await?;
    world.until_folded().await?;
    ensure!(world.count(DEAD).await? == 0, "folded as well");
    world.verify_stored().await?;
    dead("0 dead letters", 0, invoke(&world, &["list"]).await?)?;
    dead("[replayed]", 0, invoke(&world, &["list", "--all"]).await?)?;
    drop(services);
    world.stop().await
}

/// Steps framed with a schema id that is not registered yet.
fn ahead(id: u32) -> Result<Vec<u8>> {
    let mut planned = plan(&cohort(), UtcMillis(0)).map_err(anyhow::Error::msg)?;
    let event = planned.find_map(|planned| match planned.payload {
        Payload::Event(event @ Event::Steps(_)) => Some(event),
        _ => None,
    });
    Ok(frame(id, &encode(&event.context("a cohort without steps")?)?))
}

#[tokio::test]
async fn p_9_messages_that_could_not_be_stored_are_sent_again_or_discarded() -> Result<()> {
    let mut world = World::start("messages").await?;
    let services = Service::start_all(&world)?;
    // From here on readers connect through a pooler in transaction mode.
    let direct = reqwest::Url::parse(&world.endpoints.timescale_url)?;
    let pooler = PgBouncer::before_embedded(direct.port().context("no port")?).await?;
    world.endpoints.timescale_url = pooler.url();
    let registry = Registry::new(&world.registry())?;
    let next = registry.register(Stream::HeartRates).await? + 1;
    let hand = Hand::new(&world).await?;
    hand.bytes(Stream::Steps, "a device", &ahead(next)?).await?;
    hand.bytes(Stream::Steps, "a device", b"no event").await?;
    world.until_quiet().await?;
    let origin = "kafka:fitbit.steps/0/0/0";
    let framed = format!("framed with schema {next}");
    dead(&framed, 0, invoke(&world, &["show", origin]).await?)?;
    dead("say which dead letters", 2, invoke(&world, &["replay"]).await?)?;
    dead(
        "there is no dead letter",
        3,
        invoke(&world, &["show", "kafka:x/0/0/0"]).await?,
    )?;

    ensure!(
        registry.register(Stream::Steps).await? == next,
        "ids are not in order"
    );
    // Its schema is registered now, so the message can be decoded.
    dead("\"metrics\":", 0, invoke(&world, &["show", origin]).await?)?;
    dead(
        "sent to its topic again",
        0,
        invoke(&world, &["replay", origin]).await?,
    )?;
    dead(
        "0 dead letters replayed",
        0,
        invoke(&world, &["replay", origin]).await?,
    )?;
    world.until_quiet().await?;
    let loaded = "select count(distinct event_id) from raw.steps";
    ensure!(world.count(loaded).await? == 1);
    ensure!(world.count(DEAD).await? == 2, "the first offset stays dead");

    let discard = [
        "discard",
        "--reason",
        "undecodable",
        "--why",
        "a test of the gateway",
    ];
    dead("1 dead letters discarded", 0, invoke(&world, &discard).await?)?;
    dead("0 dead letters", 0, invoke(&world, &["list"]).await?)?;
    let said = invoke(&world, &["list", "--all", "--json"]).await?;
    dead("a test of the gateway", 0, said)?;
    world.verify_stored().await?;
    let console = Console::start(&world, TOKEN).await?;
    let day: String = world.warehouse().await?.query_one(LOADED, &[]).await?.get(0);
    let person = format!("person.json?user={NOBODY}&from={day}&to={day}");
    for route in [
        "status.json",
        "accounting.json",
        "letters.json",
        "compactor.json",
        "people.json",
        &person,
    ] {
        let (code, _, said) = console.ask("GET", &format!("/api/{route}"), &[]).await?;
        ensure!(code == 200, "{route}: {code} {said}");
    }
    drop(services);
    world.stop().await
}
