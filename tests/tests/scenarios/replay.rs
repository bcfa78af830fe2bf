//! Files to rows: a written cohort, replayed, gives the rows of the same cohort sent directly, also when the replay
//! is killed, repeated, or reads damaged files.

use pulseline_sql::GenericClient;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use pulseline_generator::{SimulateConfig, Written, write_pmdata};
use pulseline_schemas::UtcMillis;
use pulseline_tests::service::binary;
use pulseline_tests::{Service, World};
use tokio::process::{Child, Command};

/// Tables of devices' data, with the columns that files and uploads must agree on; ids, versions and `extra`
/// differ.
const TABLES: &str = "select table_name::text, string_agg(quote_ident(column_name::text), ', ' order by ordinal_position) \
    from information_schema.columns where table_schema = 'raw' and table_name not in ('users', 'devices', 'device_versions', 'device_owners') \
    and column_name not in ('device_id', 'synced_at', 'event_id', 'extra') group by table_name order by table_name";

/// Includes the night on which clocks go forward in Oslo.
fn cohort() -> Result<SimulateConfig> {
    Ok(SimulateConfig {
        participants: 3,
        days: 2,
        from: "2020-03-28".parse().map_err(anyhow::Error::msg)?,
        broken: 0.01,
        ..pulseline_tests::sparse()
    })
}

#[tokio::test]
async fn a_written_cohort_replays_to_the_rows_of_the_sent_cohort() -> Result<()> {
    let world = World::start("replay").await?;
    let services = Service::start_all(&world)?;
    let (folder, written) = write(&world)?;
    damage(&folder.join("p01/fitbit/steps.json"))?;
    world.simulate(&cohort()?).await?;
    let direct = world.status().await.produced();

    // Two days in about twelve seconds, killed when a part is sent.
    let mut slow = start(&world, &folder, "x14400")?;
    world
        .until("a part is sent", |status| status.produced() > direct + 200)
        .await?;
    slow.start_kill()?;
    slow.wait().await?;
    let part = world.status().await.produced() - direct;
    finished(start(&world, &folder, "max")?).await?;
    world.until_quiet().await?;
    let whole = world.status().await.produced() - direct - part;
    ensure!(
        part < whole,
        "killed after {part} of {whole} messages: not half way"
    );
    if let Err(error) = same_rows(&world, &written).await {
        return Err(error.context(world.status().await.to_string()));
    }

    let before = fingerprint(&world).await?;
    finished(start(&world, &folder, "max")?).await?;
    let status = world.until_quiet().await?;
    ensure!(status.produced() == direct + part + 2 * whole, "{status}");
    ensure!(
        fingerprint(&world).await? == before,
        "a second replay changed rows"
    );
    let dead_letters = "select count(*) from ops.dead_letters where origin like 'file:%' and stream = 'steps' \
        and detail like 'p01/fitbit/steps.json, byte 1: %'";
    ensure!(
        world.count(dead_letters).await? == 1,
        "the damaged record is one dead letter"
    );
    world.verify_equal().await?;

    // In another zone the same minutes would become additional readings.
    let refused = replay(&world, &folder)
        .args(["--speed", "max", "--zone-of", "p01=Asia/Tokyo"])
        .output()
        .await?;
    let said = String::from_utf8_lossy(&refused.stderr);
    ensure!(refused.status.code() == Some(2), "{said}");
    ensure!(
        said.contains("p01") && said.contains("--zone Europe/Oslo"),
        "{said}"
    );
    drop(services);
    world.stop().await
}

fn write(world: &World) -> Result<(PathBuf, Written)> {
    let folder = world.logs().with_file_name("pmdata");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let written = write_pmdata(&cohort()?, UtcMillis(0), &folder, &mut |_, _| ())?;
    ensure!(
        written.folders.len() == 4,
        "three people, one of them with two devices"
    );
    Ok((folder, written))
}

/// Puts an invalid record before the first one.
fn damage(file: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file)?;
    let rest = text.strip_prefix('[').context("not an array")?;
    let broken = r#"[{"dateTime": "yesterday", "value": "7"},"#;
    Ok(std::fs::write(file, format!("{broken}{rest}"))?)
}

fn replay(world: &World, folder: &Path) -> Command {
    let mut command = Command::new(binary().unwrap_or_default());
    command
        .args(["generate", "replay"])
        .arg(folder)
        .envs(world.endpoints.environment())
        .env("PULSELINE__TELEMETRY__LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

fn start(world: &World, folder: &Path, speed: &str) -> Result<Child> {
    let mut command = replay(world, folder);
    command
        .args(["--speed", speed])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command.spawn()?)
}

async fn finished(child: Child) -> Result<()> {
    let output = child.wait_with_output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    Ok(())
}

/// Compares row by row, device by device.
async fn same_rows(world: &World, written: &Written) -> Result<()> {
    let warehouse = world.warehouse().await?;
    let tables = warehouse.query(TABLES, &[]).await?;
    let mut compared = 0;
    for folder in &written.folders {
        let replayed = pulseline_archive::device_id(&folder.name);
        for table in &tables {
            let (table, columns): (&str, &str) = (table.get(0), table.get(1));
            let of = |device: &str| format!("select {columns} from raw.{table} where device_id = '{device}'");
            let (sent, read) = (of(&folder.device_id.to_string()), of(&replayed.to_string()));
            let count = format!("select count(*) from ({sent}) s");
            compared += warehouse.query_one(&count, &[]).await?.get::<_, i64>(0);
            for (what, one, other) in [("not replayed", &sent, &read), ("only replayed", &read, &sent)] {
                let sql = format!("select count(*), min(d::text) from (({one}) except all ({other})) d");
                let row = warehouse.query_one(&sql, &[]).await?;
                let (rows, first): (i64, Option<&str>) = (row.get(0), row.get(1));
                let name = &folder.name;
                ensure!(rows == 0, "{name} raw.{table}: {rows} {what}, such as {first:?}");
            }
        }
    }
    ensure!(compared > 20_000, "only {compared} rows were compared");
    Ok(())
}

/// Every row with its version.
async fn fingerprint(world: &World) -> Result<String> {
    let warehouse = world.warehouse().await?;
    let mut text = String::new();
    for table in warehouse.query(TABLES, &[]).await? {
        let table: &str = table.get(0);
        let sql =
            format!("select count(*), sum(hashtextextended(t::text, 0)::numeric)::text from raw.{table} t");
        let row = warehouse.query_one(&sql, &[]).await?;
        let (rows, sum): (i64, Option<&str>) = (row.get(0), row.get(1));
        writeln!(text, "{table} {rows} {sum:?}")?;
    }
    Ok(text)
}
