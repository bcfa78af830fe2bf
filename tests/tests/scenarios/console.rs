//! The console in a real browser: the page shows the warehouse, and only authorised users can change anything.

use pulseline_sql::GenericClient;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pulseline_generator::SimulateConfig;
use pulseline_schemas::Stream;
use pulseline_stack::Server;
use pulseline_tests::page::{Browser, attribute, attributes, text};
use pulseline_tests::producer::Hand;
use pulseline_tests::{Console, Service, World};
use serde_json::Value;

const TOKEN: &str = "a token of the tests";
const POLL: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_secs(60);
/// Imitates a program that wrongly refuses documents.
const FAULT: &str = "alter table raw.sleeps add constraint fault check (device_id is null) not valid";
const FIX: &str = "alter table raw.sleeps drop constraint fault";

#[tokio::test]
async fn the_console_shows_the_warehouse_and_replays_with_the_token() -> Result<()> {
    let Some(world) = World::start_owning("console", &Server::ALL).await? else {
        return Ok(());
    };
    let services = Service::start_all(&world)?;
    let warehouse = world.warehouse().await?;
    warehouse.batch_execute(FAULT).await?;
    let config = SimulateConfig {
        participants: 2,
        days: 2,
        broken: 0.0,
        ..pulseline_tests::sparse()
    };
    world.simulate(&config).await?;
    let markup = b"<img src=x onerror=alert(1)>";
    Hand::new(&world)
        .await?
        .bytes(Stream::Steps, "<b>key</b>", markup)
        .await?;
    world.until_quiet().await?;
    let mut console = Console::start(&world, TOKEN).await?;
    let browser = Browser::new()?;

    flow_and_accounting(&world, &console, &browser).await?;
    dead_letters(&world, &console, &browser).await?;
    compactor_and_person(&world, &console, &browser).await?;
    strangers(&console).await?;
    warehouse.batch_execute(FIX).await?;
    replay(&world, &console).await?;
    hole(&world, &console, &browser).await?;
    world.until_quiet().await?;
    world.verify_stored().await?;
    drop(services);
    outage(world, &mut console, &browser).await?;
    ensure!(
        console.terminate().await? == Some(0),
        "the console ends with an error"
    );
    Ok(())
}

/// Every number of the diagram and of each topic.
async fn flow_and_accounting(world: &World, console: &Console, browser: &Browser) -> Result<()> {
    let page = browser.open(&console.url("#flow")).await?;
    let status = world.status().await;
    let sum = |value: fn(&pulseline_auditor::Flow) -> i64| status.flows.iter().map(value).sum::<i64>();
    ensure!(
        text(&page, "sentence")? == "Everything is accounted for",
        "{page}"
    );
    for (id, expected) in [
        ("flow-produced", sum(|flow| flow.produced)),
        ("flow-stored", sum(|flow| flow.stored)),
        ("flow-loaded", sum(|flow| flow.loaded)),
        ("flow-sink", 0),
        ("flow-dirty", 0),
        ("flow-letters", status.dead_letters),
    ] {
        let shown = attribute(&page, &format!("id=\"{id}\""), "data-value")?;
        ensure!(
            shown == expected.to_string(),
            "{id} shows {shown}, not {expected}"
        );
    }
    for flow in &status.flows {
        let row = format!("data-topic=\"{}\"", flow.topic);
        for (name, expected) in [
            ("data-produced", flow.produced),
            ("data-loaded", flow.loaded),
            ("data-dead", flow.dead),
        ] {
            let shown = attribute(&page, &row, name)?;
            ensure!(
                shown == expected.to_string(),
                "{row} {name} shows {shown}, not {expected}"
            );
        }
    }
    let page = browser.open(&console.url("#accounting")).await?;
    for (name, expected) in [
        ("data-end", sum(|flow| flow.produced)),
        ("data-accounted", sum(|flow| flow.produced)),
        ("data-duplicate", sum(|flow| flow.duplicate)),
        ("data-dead", sum(|flow| flow.dead)),
        ("data-lost", 0),
        ("data-in-flight", 0),
    ] {
        let mut shown = 0;
        for value in attributes(&page, "data-partition=", name)? {
            shown += value.parse::<i64>()?;
        }
        ensure!(shown == expected, "{name} adds up to {shown}, not {expected}");
    }
    Ok(())
}

/// The list, and one dead letter whose bytes are markup: the page shows them as text.
async fn dead_letters(world: &World, console: &Console, browser: &Browser) -> Result<()> {
    let open = world
        .count("select count(*) from ops.dead_letters where resolved_at is null")
        .await?;
    let origin = escaped(&origin_of(world, "undecodable").await?);
    let page = browser.open(&console.url(&format!("#letters/{origin}"))).await?;
    ensure!(attribute(&page, "id=\"letters\"", "data-count")? == open.to_string());
    ensure!(page.contains("&lt;img src=x onerror=alert(1)&gt;"), "{page}");
    ensure!(
        !page.contains("<img src=x") && !page.contains("<b>key"),
        "data became markup"
    );
    ensure!(page.contains("id=\"replay\"") && !page.contains(TOKEN));
    Ok(())
}

/// Encodes a text as one part of an address.
fn escaped(origin: &str) -> String {
    origin.replace(':', "%3A").replace('/', "%2F")
}

async fn origin_of(world: &World, reason: &str) -> Result<String> {
    let sql = "select origin from ops.dead_letters where reason = $1 and resolved_at is null order by origin limit 1";
    Ok(world.warehouse().await?.query_one(sql, &[&reason]).await?.get(0))
}

/// An offset that is removed from the ops tables shows within seconds: in the sentence, and as a hole in its bar.
async fn hole(world: &World, console: &Console, browser: &Browser) -> Result<()> {
    world.until_folded().await?;
    let client = world.warehouse().await?;
    let torn = "update ops.accounted set offsets = offsets - '{[0,1)}' \
        where topic = 'fitbit.heart_rates' and partition = (select min(partition) from ops.accounted \
        where topic = 'fitbit.heart_rates' and offsets @> 1::bigint) returning partition";
    let partition: i32 = client
        .query(torn, &[])
        .await?
        .first()
        .context("no partition")?
        .get(0);
    let missing = format!("1 offset is missing in fitbit.heart_rates/{partition}");
    until_said(console, "bad", &[&missing]).await?;
    let (page, picture) = browser.picture(&console.url("#accounting"), 400).await?;
    let row = format!("data-topic=\"fitbit.heart_rates\" data-partition=\"{partition}\"");
    ensure!(attribute(&page, &row, "data-lost")? == "1", "{page}");
    ensure!(
        page.contains("missing: [0, 1)") && page.contains("class=\"lost\""),
        "{page}"
    );
    ensure!(std::fs::metadata(picture)?.len() > 10_000, "an empty picture");
    let repaired = "update ops.accounted set offsets = offsets + '{[0,1)}' \
        where topic = 'fitbit.heart_rates' and offsets @> 1::bigint";
    client.execute(repaired, &[]).await?;
    until_said(console, "good", &["Everything is accounted for"]).await
}

/// Waits until the sentence at the top has this state and names all of these.
async fn until_said(console: &Console, state: &str, parts: &[&str]) -> Result<()> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let (_, _, said) = console.ask("GET", "/api/status.json", &[]).await?;
        let status: Value = serde_json::from_str(&said)?;
        let text = status["headline"]["text"].as_str().unwrap_or_default();
        if status["headline"]["state"] == state && parts.iter().all(|part| text.contains(part)) {
            return Ok(());
        }
        ensure!(tokio::time::Instant::now() < deadline, "never {state}: {said}");
        tokio::time::sleep(POLL).await;
    }
}

/// The newest line of the journal, and a person's day and month.
async fn compactor_and_person(world: &World, console: &Console, browser: &Browser) -> Result<()> {
    let page = browser.open(&console.url("#compactor")).await?;
    let newest = world.count("select max(id) from ops.compactions").await?;
    let shown: i64 = attribute(&page, "id=\"journal\"", "data-newest")?.parse()?;
    ensure!(
        (1..=newest).contains(&shown) && page.contains("nothing to do"),
        "{page}"
    );
    let someone = "select user_id::text, bucket::date::text, steps from agg.user_daily_summary \
        where steps > 0 and bpm_avg is not null order by steps desc limit 1";
    let row = world.warehouse().await?.query_one(someone, &[]).await?;
    let (user, day, steps): (String, String, i64) = (row.get(0), row.get(1), row.get(2));
    let page = browser
        .open(&console.url(&format!("#person/{user}/{day}/day")))
        .await?;
    let quarters = format!(
        "select count(*) from stage.user_quarters where user_id = '{user}' and bucket::date = date '{day}' and valid_readings > 0"
    );
    let shown = attribute(&page, "id=\"heart\"", "data-rows")?;
    ensure!(
        shown == world.count(&quarters).await?.to_string(),
        "{shown} quarters"
    );
    ensure!(
        page.contains(&thousands(steps)),
        "{steps} steps are missing: {page}"
    );
    let page = browser
        .open(&console.url(&format!("#person/{user}/{day}/month")))
        .await?;
    let days = format!(
        "select count(*) from agg.user_daily_summary where user_id = '{user}' and minutes_worn > 0 \
         and date_trunc('month', bucket) = date_trunc('month', date '{day}'::timestamp)"
    );
    ensure!(attribute(&page, "id=\"heart\"", "data-rows")? == world.count(&days).await?.to_string());
    Ok(())
}

fn thousands(number: i64) -> String {
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", number / 1_000, number % 1_000),
    }
}

/// Name and value of a header.
type Header<'a> = (&'a str, &'a str);

/// Foreign host names, foreign pages and wrong tokens.
async fn strangers(console: &Console) -> Result<()> {
    let status = "/api/status.json";
    let replay = "/api/replay.json?origin=x";
    let right = format!("Bearer {TOKEN}");
    let cases: [(&str, &str, &[Header], u16); 8] = [
        ("GET", status, &[("Host", "evil.example")], 403),
        ("GET", "/", &[("Host", "evil.example")], 403),
        ("POST", replay, &[], 401),
        (
            "POST",
            replay,
            &[("Authorization", "Bearer a token of somebody")],
            401,
        ),
        (
            "POST",
            replay,
            &[("Authorization", &right), ("Origin", "http://evil.example")],
            403,
        ),
        (
            "POST",
            replay,
            &[("Authorization", &right), ("Host", "evil.example")],
            403,
        ),
        ("GET", replay, &[("Authorization", &right)], 405),
        ("GET", "/Cargo.toml", &[], 404),
    ];
    for (method, path, headers, expected) in cases {
        let (code, _, said) = console.ask(method, path, headers).await?;
        ensure!(code == expected, "{method} {path} {headers:?}: {code} {said}");
    }
    let (code, headers, _) = console.ask("GET", status, &[]).await?;
    ensure!(code == 200);
    for (name, part) in [
        ("content-security-policy", "default-src 'self'"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
    ] {
        let value = headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        ensure!(value.contains(part), "{name}: {value}");
    }
    Ok(())
}

/// Replays once with the token; the log never contains it.
async fn replay(world: &World, console: &Console) -> Result<()> {
    let origin = origin_of(world, "refused").await?;
    let path = format!("/api/replay.json?origin={}", escaped(&origin));
    let headers = [("Authorization", format!("Bearer {TOKEN}"))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let (code, _, said) = console.ask("POST", &path, &headers).await?;
    let replayed: Value = serde_json::from_str(&said)?;
    ensure!(
        code == 200 && replayed["replayed"][0]["said"] == "loaded",
        "{code} {said}"
    );
    let left =
        format!("select count(*) from ops.dead_letters where origin = '{origin}' and resolved_at is null");
    ensure!(world.count(&left).await? == 0 && world.count("select count(*) from raw.sleeps").await? == 1);
    let (_, _, said) = console.ask("POST", &path, &headers).await?;
    ensure!(said == r#"{"replayed":[]}"#, "{said}");
    ensure!(!console.log()?.contains(TOKEN), "the log holds the token");
    Ok(())
}

/// Without servers the console names the unreachable ones, and keeps running.
async fn outage(world: World, console: &mut Console, browser: &Browser) -> Result<()> {
    world.stop().await?;
    until_said(console, "away", &["Kafka", "MongoDB", "TimescaleDB"]).await?;
    let page = browser.open(&console.url("#flow")).await?;
    ensure!(
        attribute(&page, "id=\"headline\"", "data-state")? == "away",
        "{page}"
    );
    ensure!(console.is_running()?, "{}", console.log()?);
    Ok(())
}
