//! What questions cost by the number of people, and a history by its length: sparse readings, put into raw by SQL and compacted.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pulseline_compactor::{CompactorConfig, run_once};
use pulseline_runtime::clock::Clock;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_tests::World;
use serde::Serialize;
use tokio_postgres::Client;

use crate::compacting::Compacting;
use crate::histogram::Histogram;

/// The person with the greatest number whose readings are dense, and a range of 30 days.
const ONE: &str = "user_id = lpad('20', 32, '0')::uuid";
const RANGE: &str = "bucket >= '2019-11-01' and bucket < '2019-12-01'";
/// Questions about one person, then about many.
const QUESTIONS: [(&str, &str); 10] = [
    (
        "days",
        "select * from agg.user_daily_summary where {one} and {range} order by bucket",
    ),
    (
        "weeks",
        "select * from agg.user_weekly_summary where {one} order by bucket",
    ),
    (
        "nights",
        "select * from stage.user_sleeps where {one} and end_local >= '2019-11-01' and end_local < '2019-12-01' order by ends_at",
    ),
    (
        "baselines",
        "select * from agg.user_daily_baselines where {one} and {range} order by bucket",
    ),
    (
        "quarters of a day",
        "select * from stage.user_quarters where {one} and bucket >= '2019-11-20' and bucket < '2019-11-21'",
    ),
    (
        "stages of a night",
        "select * from stage.user_sleep_levels where {one} and sleep_date = '2019-11-20'",
    ),
    (
        "many: days",
        "select count(*), avg(minutes_worn), avg(steps) from agg.stored_user_days where {range}",
    ),
    (
        "many: age groups, days",
        "select * from agg.by_age_group_daily where {range}",
    ),
    (
        "many: age groups, months",
        "select * from agg.by_age_group_monthly",
    ),
    (
        "many: unlike the person",
        "select user_id, bucket from agg.user_daily_baselines where {range} and resting_bpm_deviation >= 5",
    ),
];
const ROUNDS: usize = 9;
/// 15 minutes of one person's heart rates, `$1` rounds after 16:00; the marks are the loader's.
const UPLOAD: &str = "with loaded as (insert into raw.heart_rates (device_id, local_ts, utc_offset_minutes, bpm, confidence, synced_at, event_id) \
        select lpad('1000007', 32, '0')::uuid, timestamp '2019-11-20 16:00:01' + $1::int * interval '15 minutes' + at * interval '5 seconds', \
            60, 60 + at % 40, 2, now(), gen_random_uuid() \
        from generate_series(0, 179) at returning device_id) \
    insert into ops.dirty_days (stream, device_id, local_date) select distinct 'heart_rates', device_id, date '2019-11-20' from loaded";

/// One size.
#[derive(Debug, Serialize)]
pub(crate) struct Fleet {
    people: i32,
    days: i32,
    /// From loaded to complete, seconds.
    complete_seconds: f64,
    /// Milliseconds by question.
    questions: Vec<(&'static str, Histogram)>,
    /// What the compactor's cycles take for a late upload, milliseconds.
    late: Histogram,
}

/// A history of one person.
#[derive(Debug, Serialize)]
pub(crate) struct History {
    days: i32,
    complete_seconds: f64,
}

struct Compacted {
    world: World,
    client: Client,
    took: Duration,
}

/// Loads by one statement and compacts all of it.
async fn compacted(
    load: &str,
    parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
) -> Result<Compacted> {
    let world = World::start_warm("bench").await?;
    let client = world.warehouse().await?.into_bare();
    client.execute(load, parameters).await?;
    client.batch_execute("analyze").await?;
    let began = Instant::now();
    cycle(&world).await?;
    let took = began.elapsed();
    let left = "select (select count(*) from ops.dirty_days) + (select count(*) from ops.dirty_user_days)";
    let left: i64 = client.query_one(left, &[]).await?.get(0);
    ensure!(left == 0, "{left} days are left");
    Ok(Compacted { world, client, took })
}

async fn cycle(world: &World) -> Result<()> {
    let config = CompactorConfig {
        pack_chunks: 0,
        ..CompactorConfig::default()
    };
    run_once(&config, &world.timescale(), &Clock::system(), &Shutdown::new()).await?;
    Ok(())
}

pub(crate) async fn measure(people: i32, days: i32) -> Result<Fleet> {
    let Compacted { world, client, took } =
        compacted(include_str!("fleet/load.sql"), &[&people, &days]).await?;
    client.batch_execute("vacuum analyze").await?;
    let mut fleet = Fleet {
        people,
        days,
        complete_seconds: took.as_secs_f64(),
        questions: Vec::new(),
        late: Histogram::default(),
    };
    for (name, sql) in QUESTIONS {
        let sql = sql.replace("{one}", ONE).replace("{range}", RANGE);
        let mut took = Histogram::default();
        for _ in 0..ROUNDS {
            let began = Instant::now();
            client.simple_query(&sql).await?;
            took.add(began.elapsed());
        }
        fleet.questions.push((name, took));
    }
    let compacting = Compacting::start(&world).await?;
    let idle = compacting.idle().await?;
    for round in 0..i32::try_from(ROUNDS)? {
        fleet
            .late
            .add(compacting.cost(&client, UPLOAD, round, idle).await?);
    }
    compacting.stop().await?;
    drop(client);
    world.stop().await?;
    Ok(fleet)
}

pub(crate) async fn history(days: i32) -> Result<History> {
    let compacted = compacted(include_str!("fleet/history.sql"), &[&days]).await?;
    drop(compacted.client);
    compacted.world.stop().await?;
    Ok(History {
        days,
        complete_seconds: compacted.took.as_secs_f64(),
    })
}

pub(crate) fn table(all: &[Fleet], histories: &[History]) -> String {
    let mut text = String::from("milliseconds (p50)        ");
    let p50 = |of: &Histogram| of.percentile(0.5);
    let mut line = |name: &str, values: Vec<f64>| {
        let _written = write!(text, "\n{name:<26}");
        for value in values {
            let _written = write!(text, "{value:>12.1}");
        }
    };
    line("people", all.iter().map(|fleet| fleet.people.into()).collect());
    line(
        "days of each",
        all.iter().map(|fleet| fleet.days.into()).collect(),
    );
    for (index, (name, _)) in QUESTIONS.iter().enumerate() {
        let of = |fleet: &Fleet| fleet.questions.get(index).map_or(0.0, |(_, took)| p50(took));
        line(name, all.iter().map(of).collect());
    }
    line(
        "one late upload",
        all.iter().map(|fleet| p50(&fleet.late)).collect(),
    );
    line(
        "complete, seconds",
        all.iter().map(|fleet| fleet.complete_seconds).collect(),
    );
    for history in histories {
        let name = format!("{} days of one, seconds", history.days);
        line(&name, vec![history.complete_seconds]);
    }
    text.push('\n');
    text
}
