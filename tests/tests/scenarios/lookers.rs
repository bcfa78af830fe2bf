//! Readers with their own tools: psql, and a foreign Kafka client with another Avro library.

use pulseline_sql::GenericClient;
use std::collections::HashSet;

use anyhow::{Context, Result, ensure};
use pulseline_generator::{Payload, SimulateConfig, plan};
use pulseline_schemas::{Stream, UtcMillis};
use pulseline_tests::service::command;
use pulseline_tests::{Service, World, foreign, picture};
use tokio::process::Command;

const QUERIES: &str = "docs/guides/query-the-warehouse.md";
const COMMANDS: &str = "docs/operations/commands.md";

/// Every message can be decoded: the foreign reader knows no dead letters.
fn cohort() -> SimulateConfig {
    SimulateConfig {
        participants: 2,
        days: 2,
        broken: 0.0,
        ..pulseline_tests::sparse()
    }
}

/// A page's code blocks of a language.
fn blocks(page: &str, language: &str) -> Result<Vec<String>> {
    let text = picture::read(page)?;
    let fence = format!("```{language}\n");
    let blocks = text.split(&fence).skip(1);
    Ok(blocks
        .filter_map(|block| block.split("```").next())
        .map(str::to_owned)
        .collect())
}

#[tokio::test]
async fn every_example_of_the_docs_runs_and_psql_sees_the_figures_while_data_flows() -> Result<()> {
    let world = World::start("examples").await?;
    let services = Service::start_all(&world)?;
    world
        .simulate(&SimulateConfig {
            days: 8,
            broken: 0.02,
            ..cohort()
        })
        .await?;
    let figures = "select sum(steps)::bigint from agg.daily_summary";
    // Data is flowing, so any answer is accepted.
    psql(&world, figures).await?;
    world.until_quiet().await?;
    let expected = world.count(figures).await?.to_string();
    ensure!(psql(&world, figures).await?.trim() == expected);
    let sums = "select sum(steps) = (select sum(steps) from raw.steps) from agg.monthly_summary";
    ensure!(psql(&world, sums).await?.trim() == "t");
    picture::show_groups_of_one(&world).await?;
    statements(&world).await?;
    commands(&world).await?;
    drop(services);
    world.stop().await
}

async fn statements(world: &World) -> Result<()> {
    let someone = "select d.device_id::text, d.user_id::text from stage.devices d join agg.daily_sleeps using (device_id) limit 1";
    let someone = world.warehouse().await?.query_one(someone, &[]).await?;
    let (device, user): (String, String) = (someone.get(0), someone.get(1));
    let (mut with_rows, examples) = (0, blocks(QUERIES, "sql")?);
    for example in &examples {
        let sql = example
            .replace("device_id = '…'", &format!("device_id = '{device}'"))
            .replace("user_id = '…'", &format!("user_id = '{user}'"));
        ensure!(!sql.contains('…'), "an unfilled placeholder: {sql}");
        let shown = psql(world, &sql).await.with_context(|| sql.clone())?;
        with_rows += usize::from(!shown.trim().is_empty());
    }
    // Eight days are too few for the examples that need two weeks.
    ensure!(
        examples.len() >= 7 && with_rows >= examples.len() - 2,
        "{with_rows} of {} examples have rows",
        examples.len()
    );
    Ok(())
}

/// The operator's commands, exactly as on their page.
async fn commands(world: &World) -> Result<()> {
    let warehouse = world.warehouse().await?;
    let user = "select user_id::text from raw.devices limit 1";
    let user: String = warehouse.query_one(user, &[]).await?.get(0);
    let origin = "select origin from ops.dead_letters limit 1";
    let origin: String = warehouse.query_one(origin, &[]).await?.get(0);
    let blocks = blocks(COMMANDS, "sh")?;
    let lines = blocks.iter().flat_map(|block| block.lines());
    let examples: Vec<&str> = lines
        .skip_while(|line| !line.starts_with("pulseline status"))
        .take_while(|line| line.starts_with("pulseline "))
        .collect();
    ensure!(examples.len() >= 10, "only {examples:?}");
    for example in examples {
        let line = example.split('#').next().unwrap_or_default();
        let words = line.trim_start_matches("pulseline ").split_whitespace();
        let words = words.map(|word| match word {
            "USER" => user.as_str(),
            "ORIGIN" => origin.as_str(),
            word => word,
        });
        let output = command(world)?.args(words).output().await?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        ensure!(output.status.success() && !said.is_empty(), "{example}: {said}");
    }
    Ok(())
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
