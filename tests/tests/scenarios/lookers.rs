//! Whoever looks on with tools of their own: psql, and a foreign Kafka client with another Avro library.

use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use pulseline_generator::{Payload, SimulateConfig, plan};
use pulseline_schemas::{Stream, UtcMillis};
use pulseline_tests::{Service, World, foreign};
use tokio::process::Command;

/// Everything can be decoded: the foreign reader knows no dead letters.
fn cohort() -> SimulateConfig {
    SimulateConfig {
        participants: 2,
        days: 2,
        broken: 0.0,
        ..SimulateConfig::default()
    }
}

#[tokio::test]
async fn psql_sees_the_figures_while_data_flows() -> Result<()> {
    let world = World::start("psql").await?;
    let services = Service::start_all(&world)?;
    world.simulate(&cohort()).await?;
    let figures = "select count(*), sum(steps), sum(minutes_worn) from agg.daily_summary";
    // In the middle of the flow: an answer, whatever it is.
    psql(&world, figures).await?;
    world.until_quiet().await?;
    let row = world.warehouse().await?;
    let row = row
        .query_one("select count(*), sum(steps)::bigint from agg.daily_summary", &[])
        .await?;
    let shown = psql(&world, figures).await?;
    let expected = format!("{}|{}|", row.get::<_, i64>(0), row.get::<_, i64>(1));
    ensure!(shown.starts_with(&expected), "{shown} instead of {expected}");
    let expected = "select sum(steps) = (select sum(steps) from raw.steps) from agg.monthly_summary";
    ensure!(psql(&world, expected).await?.trim() == "t");
    drop(services);
    world.stop().await
}

/// The README's examples in SQL, as they stand there.
fn examples() -> Result<Vec<String>> {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md"))?;
    let blocks = readme.split("```sql\n").skip(1);
    Ok(blocks
        .filter_map(|block| block.split("```").next())
        .map(str::to_owned)
        .collect())
}

#[tokio::test]
async fn every_example_of_the_readme_runs() -> Result<()> {
    let world = World::start("examples").await?;
    let services = Service::start_all(&world)?;
    world.simulate(&SimulateConfig { days: 8, ..cohort() }).await?;
    world.until_quiet().await?;
    let someone = "select d.device_id::text, d.user_id::text from stage.devices d join agg.daily_sleeps using (device_id) limit 1";
    let someone = world.warehouse().await?.query_one(someone, &[]).await?;
    let (device, user): (String, String) = (someone.get(0), someone.get(1));
    let (mut with_rows, examples) = (0, examples()?);
    for example in &examples {
        let sql = example
            .replace("device_id = '…'", &format!("device_id = '{device}'"))
            .replace("user_id = '…'", &format!("user_id = '{user}'"));
        ensure!(!sql.contains('…'), "a place that nobody fills: {sql}");
        let shown = psql(&world, &sql).await.with_context(|| sql.clone())?;
        with_rows += usize::from(!shown.trim().is_empty());
    }
    // Eight days are too few for what asks for two weeks of them.
    ensure!(
        examples.len() >= 7 && with_rows >= examples.len() - 1,
        "{with_rows} of {} examples have rows",
        examples.len()
    );
    drop(services);
    world.stop().await
}

async fn psql(world: &World, sql: &str) -> Result<String> {
    let words = [
        "--no-psqlrc",
        "--no-align",
        "--tuples-only",
        "--command",
        sql,
        &world.endpoints.timescale_url,
    ];
    let output = Command::new("psql")
        .args(words)
        .output()
        .await
        .context("psql is missing")?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

#[tokio::test]
async fn a_foreign_client_reads_the_topics_through_the_registry() -> Result<()> {
    let world = World::start("foreign").await?;
    world.simulate(&cohort()).await?;
    for stream in Stream::ALL {
        let read = foreign::read_topic(&world, stream.topic()).await?;
        let (mut messages, mut readings, mut ids) = (0, 0, HashSet::new());
        for planned in plan(&cohort(), UtcMillis(0))
            .map_err(anyhow::Error::msg)?
            .filter(|p| p.stream == stream)
        {
            let Payload::Event(event) = planned.payload else {
                continue;
            };
            messages += 1;
            // Sessions and profiles have no samples.
            readings += if planned.stream < Stream::Sleeps {
                event.readings()
            } else {
                0
            };
            ids.insert(event.event_id().to_string());
        }
        ensure!(
            messages > 0 && read["messages"] == messages && read["readings"] == readings,
            "{stream}: {read}"
        );
        let found: HashSet<String> = serde_json::from_value(read["ids"].clone())?;
        ensure!(found == ids, "{stream}: other events");
    }
    world.stop().await
}
