//! A rebuild beside the warehouse in use while data streams in: it is killed halfway, resumes, and swaps the two.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pulseline_generator::{SimulateConfig, Speed};
use pulseline_sql::GenericClient;
use pulseline_tests::service::command;
use pulseline_tests::{Role, Service, World};
use tokio::process::Child;

const OLD_SCHEMAS: &str =
    "select count(*) from pg_namespace where nspname in ('old_raw', 'old_stage', 'old_agg', 'old_ops')";
const NEXT_ROWS: &str = "select count(*) from next_raw.heart_rates";

/// Runs a command to its end: exit code, standard output, standard error.
async fn run(world: &World, arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
    let output = command(world)?.args(arguments).output().await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
}

/// Damage that only documents can repair, and data that only the warehouse has: a discarded dead letter, a floor.
async fn damage(world: &World) -> Result<()> {
    let client = world.warehouse().await?;
    client
        .batch_execute(
            "delete from raw.steps where local_ts < timestamp '2019-11-02 12:00'; \
             update raw.calories set millikcal = millikcal + 1; delete from raw.exercises; \
             insert into ops.floors (layer, floor_date) values ('raw', '2019-10-01')",
        )
        .await?;
    ensure!(!world.compare_stored(Duration::from_secs(60)).await?.is_equal());
    let (code, said, error) = run(
        world,
        &[
            "dead-letters",
            "discard",
            "--stream",
            "steps",
            "--why",
            "a broken watch",
        ],
    )
    .await?;
    ensure!(code == Some(0), "{said}{error}");
    ensure!(world.count(DISCARDED).await? > 0, "{said}");
    Ok(())
}

const DISCARDED: &str =
    "select count(*) from ops.dead_letters where resolution = 'discarded' and why = 'a broken watch'";

/// Starts a rebuild and kills it once it has written some rows.
async fn kill_half_way(world: &World) -> Result<()> {
    let mut killed: Child = command(world)?
        .arg("rebuild")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()?;
    let deadline = Instant::now() + Duration::from_secs(60);
    let client = world.warehouse().await?;
    let begun = async || -> Result<bool> {
        let there = "select to_regclass('next_raw.heart_rates') is not null";
        if !client.query_one(there, &[]).await?.get::<_, bool>(0) {
            return Ok(false);
        }
        Ok(client.query_one(NEXT_ROWS, &[]).await?.get::<_, i64>(0) > 0)
    };
    while !begun().await? {
        ensure!(Instant::now() < deadline, "the rebuild does not begin");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    killed.kill().await?;
    ensure!(
        world.count(OLD_SCHEMAS).await? == 0,
        "swapped before it was killed"
    );
    let built = world.count(NEXT_ROWS).await?;
    let all = world.count("select count(*) from raw.heart_rates").await?;
    ensure!(built < all, "killed too late: {built} of {all}");
    Ok(())
}

#[tokio::test]
async fn a_rebuilt_warehouse_takes_the_place_of_the_old_one_while_events_flow() -> Result<()> {
    let world = World::start("rebuild").await?;
    let mut services = [Role::Sink, Role::Loader, Role::Compactor]
        .into_iter()
        .map(|role| Service::start(&world, role))
        .collect::<Result<Vec<_>>>()?;
    let cohort = SimulateConfig {
        participants: 4,
        days: 3,
        duplicate: 0.05,
        correct: 0.05,
        broken: 0.02,
        ..SimulateConfig::default()
    };
    world.simulate(&cohort).await?;
    world.until_quiet().await?;
    damage(&world).await?;
    kill_half_way(&world).await?;
    forget_in_both(&world).await?;

    // Other uploads stream in for half a minute during the rebuild: two days, and the week in which the late ones
    // arrive.
    let more = SimulateConfig {
        participants: 2,
        days: 2,
        seed: 2,
        speed: Speed::Times(26_000.0),
        ..SimulateConfig::default()
    };
    let (streamed, rebuilt) = tokio::join!(world.simulate(&more), run(&world, &["rebuild"]));
    streamed?;
    let (code, said, error) = rebuilt?;
    ensure!(
        code == Some(0) && said.contains("swapped: the new"),
        "{said}{error}"
    );
    ensure!(error.contains("resuming the rebuild"), "{error}");
    // On a slow machine the stream ends earlier: this batch coincides with the swap.
    let after = SimulateConfig {
        seed: 4,
        days: 1,
        ..more_at_once()
    };
    world.simulate(&after).await?;
    world.until_quiet().await?;
    for service in &mut services {
        ensure!(service.is_running()?, "{:?}: {}", service.role(), service.log()?);
    }
    let log = services[1].log()?;
    ensure!(
        log.contains("has moved since this loader's last commit"),
        "no batch coincided with the swap: {log}"
    );
    let (code, said, error) = run(&world, &["verify", "--full"]).await?;
    ensure!(code == Some(0) && said.contains("equal: "), "{said}{error}");
    ensure!(
        world.count(DISCARDED).await? > 0,
        "discards were not carried over"
    );
    ensure!(world.count("select count(*) from ops.floors").await? == 1);
    ensure!(world.count("select count(*) from ops.forgotten").await? > 1);
    drop_old(&world).await?;

    // The services continue in the new warehouse.
    world
        .simulate(&SimulateConfig {
            seed: 3,
            days: 1,
            ..more_at_once()
        })
        .await?;
    world.until_quiet().await?;
    world.verify_equal().await?;
    drop(services);
    world.stop().await
}

fn more_at_once() -> SimulateConfig {
    SimulateConfig {
        participants: 2,
        ..SimulateConfig::default()
    }
}

/// E-1: a person is erased from the warehouse in use and from the one that is being built.
async fn forget_in_both(world: &World) -> Result<()> {
    forget_in(world, &["removed", " of raw.heart_rates", " of next_raw."]).await
}

/// E-1: a person is erased from the replaced warehouse with the marks that nobody will refresh.
async fn forget_in_old(world: &World) -> Result<()> {
    let marks = "insert into old_ops.dirty_days (stream, device_id, local_date) select 'steps', device_id, now() from raw.devices \
        where user_id = (select min(user_id::text)::uuid from raw.users)";
    ensure!(world.warehouse().await?.execute(marks, &[]).await? > 0);
    forget_in(world, &[" of old_raw.heart_rates", " of old_ops.dirty_days"]).await
}

async fn forget_in(world: &World, places: &[&str]) -> Result<()> {
    let client = world.warehouse().await?;
    let someone = "select min(user_id::text) from raw.users";
    let someone: String = client.query_one(someone, &[]).await?.get(0);
    let (code, said, error) = run(world, &["forget", &someone, "--yes"]).await?;
    ensure!(
        code == Some(0) && said.contains("nothing is found"),
        "{said}{error}"
    );
    for place in places {
        ensure!(said.contains(place), "{place}: {said}");
    }
    Ok(())
}

async fn drop_old(world: &World) -> Result<()> {
    ensure!(world.count(OLD_SCHEMAS).await? == 4, "the old one is not kept");
    forget_in_old(world).await?;
    let (code, said, error) = run(world, &["rebuild"]).await?;
    ensure!(code == Some(3) && error.contains("--drop-old"), "{said}{error}");
    let client = world.warehouse().await?;
    client
        .batch_execute("create view public.mine as select * from old_agg.daily_summary")
        .await?;
    let (code, said, error) = run(world, &["rebuild", "--drop-old"]).await?;
    ensure!(
        code == Some(3) && error.contains("public.mine depend"),
        "{said}{error}"
    );
    client.batch_execute("drop view public.mine").await?;
    let (code, said, error) = run(world, &["rebuild", "--drop-old"]).await?;
    ensure!(code == Some(0) && said.trim() == "dropped", "{said}{error}");
    ensure!(world.count(OLD_SCHEMAS).await? == 0);
    let (_, said, _) = run(world, &["rebuild", "--drop-old"]).await?;
    ensure!(said.trim() == "nothing to drop", "{said}");
    Ok(())
}
