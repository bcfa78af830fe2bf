//! A correction of five-month-old data: every figure that depends on it changes, and no other.

use anyhow::{Context, Result, ensure};
use pulseline_generator::{SimulateConfig, Start};
use pulseline_runtime::clock::system_utc_millis;
use pulseline_schemas::{Event, Extra, HeartRate, HeartRates, LocalMillis, Upload, UtcMillis};
use pulseline_sql::{Client, GenericClient};
use pulseline_tests::{Role, Service, World, producer::Hand};
use uuid::Uuid;

/// Old chunks are packed at once.
const PACKING: [(&str, &str); 2] = [
    ("PULSELINE__COMPACTOR__QUIET_MS", "0"),
    ("PULSELINE__COMPACTOR__PACK_CHUNKS", "20"),
];
const UNPACKED: &str =
    "select count(*) from ops.chunks where (not is_packed or is_touched) and ends_on <= current_date - 30";

/// A cohort `ago` days before today.
fn cohort(ago: i32, seed: u64) -> Result<SimulateConfig> {
    let today = i32::try_from(system_utc_millis() / 86_400_000)?;
    Ok(SimulateConfig {
        participants: 2,
        from: Start::Day(pulseline_sql::periods::date_of(today - ago)),
        days: 2,
        seed,
        ..pulseline_tests::sparse()
    })
}

/// A reading of an old night, one beat per minute above the maximum of its day.
async fn correction(client: &Client) -> Result<HeartRates> {
    let oldest = "select h.device_id, (extract(epoch from h.local_ts) * 1000)::bigint, h.utc_offset_minutes::int, \
        (select max(bpm) + 1 from raw.heart_rates m where m.device_id = h.device_id and m.local_ts < h.local_ts + interval '2 days')::int \
        from raw.heart_rates h join raw.sleeps s on s.device_id = h.device_id and h.local_ts between s.start_local and s.end_local \
        where h.confidence > 0 and s.main_sleep order by h.local_ts limit 1";
    let row = client.query_one(oldest, &[]).await?;
    let ts = LocalMillis(row.get(1));
    Ok(HeartRates {
        upload: Upload {
            event_id: Uuid::from_u128(150),
            device_id: row.get(0),
            synced_at: UtcMillis(system_utc_millis()),
            utc_offset_minutes: row.get(2),
            window_start: ts,
            window_end: LocalMillis(ts.0 + 1),
        },
        samples: vec![HeartRate {
            ts,
            bpm: row.get(3),
            confidence: Some(3),
        }],
        extra: Extra::default(),
    })
}

/// Greatest heart rates of the day, week and month, of the device and its wearer, and of the sleep around the
/// reading.
const FIGURES: &str = "select array[ \
    (select bpm_max from agg.daily_heart_rates where device_id = $1 and bucket = $2::timestamp::date), \
    (select bpm_max from agg.weekly_summary where device_id = $1 and bucket = date_trunc('week', $2::timestamp)), \
    (select bpm_max from agg.monthly_summary where device_id = $1 and bucket = date_trunc('month', $2::timestamp)), \
    (select bpm_max from agg.user_daily_summary join stage.devices using (user_id) \
        where device_id = $1 and bucket = $2::timestamp::date), \
    (select bpm_max from agg.user_monthly_heart_rates join stage.devices using (user_id) \
        where device_id = $1 and bucket = date_trunc('month', $2::timestamp)), \
    (select max(sleep_bpm_max) from stage.sleeps where device_id = $1 and $2::timestamp between start_local and end_local)]::int[]";

#[tokio::test]
async fn a_1_a_correction_of_what_is_packed_shows_in_every_figure_and_only_its_day_is_refreshed() -> Result<()>
{
    let world = World::start("corrections").await?;
    let services = [
        Service::start(&world, Role::Sink)?,
        Service::start(&world, Role::Loader)?,
        Service::start_with(&world, Role::Compactor, &PACKING)?,
    ];
    world.simulate(&cohort(150, 1)?).await?;
    world.simulate(&cohort(4, 2)?).await?;
    world.until_quiet().await?;
    packed(&world).await?;
    ensure!(
        world
            .count("select count(*) from ops.chunks where not is_packed")
            .await?
            > 0
    );
    world.verify_equal().await?;
    let warehouse = world.warehouse().await?;
    let before = world.count("select max(id) from ops.compactions").await?;
    let event = correction(&warehouse).await?;
    let sample = event.samples[0].clone();
    Hand::new(&world)
        .await?
        .event(&Event::HeartRates(event.clone()))
        .await?;
    world.until_quiet().await?;
    let seconds = sample.ts.0 / 1_000;
    let figures = FIGURES.replace("$2::timestamp", "(to_timestamp($2::bigint) at time zone 'UTC')");
    let row = warehouse
        .query_one(&figures, &[&event.upload.device_id, &seconds])
        .await?;
    let shown: Vec<Option<i32>> = row.get(0);
    ensure!(
        shown.iter().all(|bpm| *bpm == Some(sample.bpm)),
        "{} is not everywhere: {shown:?}",
        sample.bpm
    );
    packed(&world).await?;
    only_its_day(&warehouse, before, seconds).await?;
    world.verify_equal().await?;
    drop(services);
    world.stop().await
}

/// Waits until every old chunk is packed, including those with new rows.
async fn packed(world: &World) -> Result<()> {
    world.until_count(UNPACKED, 0).await
}

async fn only_its_day(client: &Client, before: i64, seconds: i64) -> Result<()> {
    let journal = "select task || ' ' || relation, task not in ('facts', 'user_days') and \
        (range_start, range_end) <> (date_trunc('day', at), date_trunc('day', at) + interval '1 day') \
        from ops.compactions, (select to_timestamp($2::bigint) at time zone 'UTC' as at) a where id > $1 order by id";
    let rows = client.query(journal, &[&before, &seconds]).await?;
    let done: Vec<&str> = rows.iter().map(|row| row.get(0)).collect();
    let expected = [
        "refresh stage.heart_rates_15m",
        "refresh agg.heart_rates_1d",
        "facts stage.sleep_heart_rates",
        "user_days agg.stored_user_days",
        "repack raw.heart_rates",
    ];
    ensure!(done == expected, "{done:?}");
    let elsewhere = rows.iter().find(|row| row.get(1));
    elsewhere
        .map_or(Some(()), |_| None)
        .context("another day was touched")
}
