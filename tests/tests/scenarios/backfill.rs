//! Reloads a range of documents while streaming continues: it repairs the range, and changes nothing else.

use anyhow::{Result, ensure};
use bson::{Document, doc};
use pulseline_generator::SimulateConfig;
use pulseline_sql::GenericClient;
use pulseline_tests::service::command;
use pulseline_tests::{Service, World};

/// Deleted rows, and rows that differ from their upload.
const DAMAGE: &str = "delete from raw.steps where local_ts::date = '2019-11-02'; \
    update raw.heart_rates set bpm = bpm + 1 where local_ts between '2019-11-01 10:00' and '2019-11-01 10:10'; \
    update raw.sleeps set minutes_asleep = minutes_asleep + 1; \
    delete from raw.activity_minutes; \
    update raw.users set height_cm = 1";
const RANGE: [&str; 4] = ["--from", "2019-11-01", "--to", "2019-11-03"];

fn cohort(seed: u64) -> SimulateConfig {
    SimulateConfig {
        participants: 2,
        days: 3,
        seed,
        ..pulseline_tests::sparse()
    }
}

async fn backfill(world: &World, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let output = command(world)?
        .arg("backfill")
        .args(RANGE)
        .args(arguments)
        .output()
        .await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    Ok((
        output.status.code(),
        String::from_utf8_lossy(&output.stdout).into_owned() + &errors,
    ))
}

#[tokio::test]
async fn a_backfill_repairs_rows_while_others_are_loaded_and_goes_on_after_a_kill() -> Result<()> {
    let world = World::start("backfill").await?;
    let services = Service::start_all(&world)?;
    world.simulate(&cohort(1)).await?;
    world.until_quiet().await?;
    world.warehouse().await?.batch_execute(DAMAGE).await?;
    let verdict = world.compare_stored(std::time::Duration::ZERO).await?;
    ensure!(!verdict.is_equal(), "the damage is not seen");

    // Other documents are loaded at the same time.
    let others = cohort(2);
    let (sent, repaired) = tokio::join!(world.simulate(&others), async {
        let mut killed = command(&world)?
            .arg("backfill")
            .args(RANGE)
            .args(["--chunk", "day"])
            .spawn()?;
        let begun = "select least(count(*), 1) from ops.backfills where next_date > from_date";
        world.until_count(begun, 1).await?;
        killed.kill().await?;
        backfill(&world, &["--chunk", "day"]).await
    });
    sent?;
    let (code, said) = repaired?;
    ensure!(code == Some(0) && !said.contains("heart_rates: 0 "), "{said}");
    ensure!(
        world
            .count("select count(*) from ops.backfills where finished_at is null")
            .await?
            == 0
    );
    world.until_quiet().await?;
    world.verify_stored().await?;

    // Correct rows stay unchanged: no day becomes dirty.
    let refreshes = "select count(*) from ops.compactions where task = 'refresh'";
    let before = world.count(refreshes).await?;
    let streams = [
        "--stream",
        "heart_rates",
        "--stream",
        "steps",
        "--stream",
        "calories",
    ];
    let (code, said) = backfill(&world, &streams).await?;
    ensure!(code == Some(0), "{said}");
    ensure!(said.matches(" 0 rows were written").count() == 3, "{said}");
    ensure!(world.count("select count(*) from ops.dirty_days").await? == 0);
    ensure!(world.count(refreshes).await? == before);
    let (code, said) = backfill(&world, &["--stream", "step"]).await?;
    ensure!(code == Some(2) && said.contains("heart_rates steps"), "{said}");
    goes_on_in_the_middle_of_a_chunk(&world).await?;
    drop(services);
    world.stop().await
}

/// P20: a backfill that is killed between two pages still reads each document once.
async fn goes_on_in_the_middle_of_a_chunk(world: &World) -> Result<()> {
    let arguments = ["--stream", "heart_rates", "--to", "2019-11-04"];
    let range = ["backfill", "--from", "2019-11-01"];
    let mut killed = command(world)?
        .args(range.iter().chain(&arguments))
        .env("PULSELINE__LOADER__BATCH_ROWS", "1")
        .env("PULSELINE__LOADER__PAGE_DOCUMENTS", "3")
        .spawn()?;
    let begun = "select count(*) from ops.backfills where documents > 20 and place is not null";
    world.until_count(begun, 1).await?;
    killed.kill().await?;
    ensure!(world.count(begun).await? == 1, "killed too late");
    let output = command(world)?
        .args(range.iter().chain(&arguments))
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read = world
        .count("select documents from ops.backfills where finished_at is not null and to_date = '2019-11-05'")
        .await?;
    let day = |text: &str| Ok::<_, anyhow::Error>(bson::DateTime::parse_rfc3339_str(text)?);
    let starts = doc! { "$gte": day("2019-10-24T00:00:00Z")?, "$lt": day("2019-11-05T00:00:00Z")? };
    let there = world.documents().await?.collection::<Document>("heart_rates");
    let filter = doc! { "created_at": starts, "ended_at": { "$gte": day("2019-11-01T00:00:00Z")? } };
    let there = there.count_documents(filter).await?;
    ensure!(
        u64::try_from(read)? == there,
        "{read} documents read, not {there}"
    );
    Ok(())
}
