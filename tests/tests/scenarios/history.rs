//! Three years of one person at once: the compactor's work after the replay of a real export.

use anyhow::{Context, Result, ensure};
use futures_util::{StreamExt, TryStreamExt};
use pulseline_runtime::clock::system_utc_millis;
use pulseline_schemas::{
    Event, Extra, HeartRate, HeartRates, LocalDay, LocalMillis, Sleep, Upload, User, UtcMillis,
};
use pulseline_sql::periods::DayNumber;
use pulseline_tests::{Role, Service, World, producer::Hand};
use uuid::Uuid;

const DAYS: i32 = 1_000;
const DAY_MS: i64 = 86_400_000;
const MINUTE_MS: i64 = 60_000;
const DEVICE: Uuid = Uuid::from_u128(20);
/// Messages without acknowledgement, at most.
const IN_FLIGHT: usize = 500;
/// The compactor's journal for heart rates and sleeps: steps to a newer window.
const STEPS_BACK: &str = "select count(*) from (select range_end > lag(range_end) over (partition by relation order by id) as is_newer \
    from ops.compactions where relation in ('stage.heart_rates_15m', 'stage.sleep_heart_rates')) j where is_newer";

/// At home; every hundred days ten days far away.
fn offset(day: DayNumber) -> i32 {
    if day.rem_euclid(100) < 10 { 540 } else { 60 }
}

fn upload(id: u128, day: DayNumber, minutes: std::ops::Range<i64>) -> Upload {
    let at = |minute: i64| LocalMillis(i64::from(day) * DAY_MS + minute * MINUTE_MS);
    Upload {
        event_id: Uuid::from_u128(id),
        device_id: DEVICE,
        synced_at: UtcMillis((i64::from(day) + 2) * DAY_MS),
        utc_offset_minutes: offset(day),
        window_start: at(minutes.start),
        window_end: at(minutes.end),
    }
}

/// A heart rate every half hour of a day, and the night that begins on it.
fn events(day: DayNumber) -> [Event; 2] {
    let id = u128::try_from(day).unwrap_or_default() * 2 + 1_000;
    let rates = upload(id, day, 0..1_440);
    let samples = (0..48_i32).map(|n| HeartRate {
        ts: LocalMillis(rates.window_start.0 + i64::from(n) * 30 * MINUTE_MS),
        bpm: 50 + (n + day) % 60,
        confidence: Some(n % 4),
    });
    let night = upload(id + 1, day, 1_380..1_860);
    [
        Event::HeartRates(HeartRates {
            samples: samples.collect(),
            upload: rates,
            extra: Extra::default(),
        }),
        Event::Sleeps(Sleep {
            end_utc_offset_minutes: night.utc_offset_minutes,
            upload: night,
            log_id: i64::from(day),
            date_of_sleep: LocalDay(day + 1),
            duration_ms: 480 * MINUTE_MS,
            minutes_to_fall_asleep: 5,
            minutes_asleep: 420,
            minutes_awake: 50,
            minutes_after_wakeup: 5,
            time_in_bed: 480,
            efficiency: 90,
            kind: "classic".into(),
            info_code: None,
            main_sleep: true,
            levels: Vec::new(),
            short_levels: Vec::new(),
            log_type: None,
            extra: Extra::default(),
        }),
    ]
}

fn person() -> Event {
    Event::Users(User {
        event_id: Uuid::from_u128(1),
        user_id: Uuid::from_u128(2),
        synced_at: UtcMillis(0),
        created_at: UtcMillis(0),
        email: None,
        date_of_birth: None,
        gender: None,
        height_cm: None,
        max_heart_rate: None,
        zone: None,
        devices: vec![DEVICE],
        extra: Extra::default(),
    })
}

#[tokio::test]
async fn three_years_of_one_person_cost_one_read_of_each_night_and_verify_as_equal() -> Result<()> {
    let world = World::start("history").await?;
    let services = [
        Service::start(&world, Role::Sink)?,
        Service::start(&world, Role::Loader)?,
    ];
    let hand = Hand::new(&world).await?;
    hand.event(&person()).await?;
    let today = i32::try_from(system_utc_millis() / DAY_MS)?;
    // In the middle of the time at home: ten journeys out and ten back, each with its night.
    let last = (today - 110..today - 10)
        .find(|day| day.rem_euclid(100) == 50)
        .context("no such day")?;
    let history: Vec<_> = (last - DAYS + 1..=last).flat_map(events).collect();
    futures_util::stream::iter(&history)
        .map(|event| hand.event(event))
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<Vec<_>>()
        .await?;
    world.until_accounted().await?;
    // All data is loaded before the compactor begins: a cycle can find no more.
    let compactor = Service::start(&world, Role::Compactor)?;
    world.until_quiet().await?;
    let nights = f64::from(u32::try_from(DAYS)?);
    let measures = compactor.measures().await?;
    let looked_at = measures.sum("pulseline_compactor_sleeps_total")?;
    ensure!(
        (looked_at - nights).abs() < 0.5,
        "{looked_at} checks of {nights} nights"
    );
    // Each statement that wrote rows is in the journal.
    let statements = world
        .count("select count(*) from ops.compactions where task = 'facts'")
        .await?;
    ensure!(
        statements > 0 && statements * 4 <= i64::from(DAYS),
        "{statements} statements for {nights} nights"
    );
    let cycles = measures.sum("pulseline_compactor_cycles_total")?;
    ensure!(cycles >= 15.0, "{cycles} cycles: a backlog is bounded per cycle");
    ensure!(world.count(STEPS_BACK).await? == 0, "older days went first");
    // Half-hours of nights at home or away, on a journey out, on a journey back, and of the last night.
    for (readings, nights) in [(16, DAYS - 21), (18, 10), (2, 11)] {
        let sql = format!("select count(*) from stage.sleep_heart_rates where readings = {readings}");
        ensure!(
            world.count(&sql).await? == i64::from(nights),
            "{readings} readings"
        );
    }
    world.verify_stored().await?;
    drop((services, compactor));
    world.stop().await
}
