//! Retention deletes old readings; their figures stay, and late readings become dead letters.

use anyhow::{Result, ensure};
use pulseline_generator::{SimulateConfig, Start};
use pulseline_runtime::clock::system_utc_millis;
use pulseline_schemas::{Event, Extra, LocalMillis, Step, Steps, Upload, UtcMillis};
use pulseline_sql::GenericClient;
use pulseline_sql::periods::{DayNumber, Level, date_of};
use pulseline_stack::Server;
use pulseline_tests::service::command;
use pulseline_tests::{Role, Service, World, producer::Hand};
use uuid::Uuid;

const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
/// Figures of the days before `$1`, as text.
const FIGURES: &str = "select md5(string_agg(s::text, '' order by device_id, bucket)), count(*) from agg.daily_summary s \
    where bucket < date '1970-01-01' + $1::int";

const DEAD_LETTERS: &str = "select count(*) from ops.dead_letters";

/// Steps of one minute on each of these days, in one upload.
fn late(id: u128, device_id: Uuid, days: &[DayNumber]) -> Event {
    let at = |day: DayNumber| LocalMillis(i64::from(day) * DAY_MS + 720 * MINUTE_MS);
    let samples: Vec<_> = days
        .iter()
        .map(|day| Step {
            ts: at(*day),
            steps: 99,
        })
        .collect();
    Event::Steps(Steps {
        upload: Upload {
            event_id: Uuid::from_u128(id),
            device_id,
            synced_at: UtcMillis(system_utc_millis()),
            utc_offset_minutes: 0,
            window_start: samples[0].ts,
            window_end: LocalMillis(samples[samples.len() - 1].ts.0 + 1),
        },
        samples,
        extra: Extra::default(),
    })
}

#[tokio::test]
async fn p_12_figures_outlive_their_readings_and_late_ones_become_dead_letters() -> Result<()> {
    let Some(world) = World::start_owning("retention", &[Server::Timescale]).await? else {
        return Ok(());
    };
    let services = [
        Service::start(&world, Role::Sink)?,
        Service::start(&world, Role::Loader)?,
    ];
    let compactor = Service::start(&world, Role::Compactor)?;
    let today = DayNumber::try_from(system_utc_millis() / DAY_MS)?;
    let floor = Level::Month.period(today - 80).start;
    // The middle of a month gives the same floor if the test runs past midnight.
    let retain_days = (today - (floor + 14)).to_string();
    let cohort = SimulateConfig {
        participants: 2,
        from: Start::Day(date_of(floor - 3)),
        days: 5,
        ..pulseline_tests::sparse()
    };
    world.simulate(&cohort).await?;
    world.until_quiet().await?;
    let warehouse = world.warehouse().await?;
    let figures = async || -> Result<(String, i64)> {
        let row = warehouse.query_one(FIGURES, &[&floor]).await?;
        Ok((row.get(0), row.get(1)))
    };
    let before = figures().await?;
    ensure!(before.1 >= 6, "{before:?}");
    let dead_letters = world.count(DEAD_LETTERS).await?;
    drop(compactor);

    // The command has exactly the rights of its group.
    warehouse
        .batch_execute("create role test_retention login in role pulseline_compactor")
        .await?;
    let url = &world.endpoints.timescale_url;
    let url = url.replacen("postgres://postgres@", "postgres://test_retention@", 1);
    let retaining = [
        ("PULSELINE__TIMESCALE__URL", url.as_str()),
        ("PULSELINE__COMPACTOR__RETAIN_DAYS", retain_days.as_str()),
    ];
    let compactor = Service::start_with(&world, Role::Compactor, &retaining)?;
    let below = "select count(*) from ops.chunks, ops.floors where ends_on <= floor_date";
    world.until_count("select count(*) from ops.floors", 1).await?;
    world.until_count(below, 0).await?;
    ensure!(world.count("select count(*) from raw.steps").await? > 0);
    let gone = "select count(*) from raw.heart_rates, ops.floors where local_ts < floor_date";
    ensure!(world.count(gone).await? == 0);
    ensure!(figures().await? == before, "figures changed with their readings");
    world.verify_equal().await?;

    // A month that is not deleted can be loaded again, on any day.
    let (from, to) = (date_of(floor - 3).to_string(), date_of(floor - 1).to_string());
    for (stream, code) in [("sleeps", 0), ("steps", 2)] {
        let mut backfill = command(&world)?;
        backfill.args(["backfill", "--stream", stream, "--from", &from, "--to", &to]);
        let output = backfill.output().await?;
        ensure!(output.status.code() == Some(code), "{stream}: {output:?}");
    }
    come_late(&world, floor).await?;
    ensure!(world.count(DEAD_LETTERS).await? == dead_letters + 2);
    ensure!(figures().await? == before, "a late reading changed old figures");
    world.verify_equal().await?;
    drop((services, compactor));
    world.stop().await
}

/// One upload that lies entirely below the floor, and one whose first reading does.
async fn come_late(world: &World, floor: DayNumber) -> Result<()> {
    let warehouse = world.warehouse().await?;
    let device: Uuid = warehouse
        .query_one("select min(device_id::text)::uuid from raw.devices", &[])
        .await?
        .get(0);
    let hand = Hand::new(world).await?;
    hand.event(&late(1, device, &[floor - 2, floor - 1])).await?;
    hand.event(&late(2, device, &[floor - 1, floor, floor + 1]))
        .await?;
    world.until_quiet().await?;
    let written = "select item, reason, length(payload) from ops.dead_letters where reason = 'beyond_retention' order by item";
    let written = warehouse.query(written, &[]).await?;
    let items: Vec<(i32, bool)> = written
        .iter()
        .map(|row| (row.get(0), row.get::<_, i32>(2) > 0))
        .collect();
    ensure!(items == [(-1, true), (0, true)], "{items:?}");
    let kept = "select count(*) from raw.steps where event_id = '00000000-0000-0000-0000-000000000002'";
    ensure!(world.count(kept).await? == 2);
    Ok(())
}
