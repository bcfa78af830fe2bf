//! A fleet in its steady state: every device uploads its 15 minutes of four streams, and one upload in a hundred is days late. How
//! soon a late one shows in the figures, and how much of the time the compactor works.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pulseline_runtime::clock::Clock;
use pulseline_schemas::time::{DAY_MS, date_text};
use pulseline_tests::{Role, Service, World};
use serde::Serialize;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use crate::histogram::Histogram;

/// Four streams each upload once in 15 minutes.
const UPLOADS_PER_DEVICE_SECOND: f64 = 4.0 / 900.0;
const LATE_SHARE: f64 = 0.01;
/// Late uploads are of days that have ended everywhere: this many from the day before yesterday back.
const LATE_DAYS: i32 = 6;
const TICK: Duration = Duration::from_millis(250);
const POLL: Duration = Duration::from_millis(100);
/// What is later than this is reported as an error.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the history may take to be compacted.
const HISTORY_PATIENCE: Duration = Duration::from_secs(1_800);

const FIGURE: &str = "select coalesce(sum(readings), 0)::int8 from agg.heart_rates_1d \
    where device_id = $1 and bucket = $2::text::timestamp";
const PERSON: &str = "select coalesce(sum(readings), 0)::int8 from agg.stored_user_days d \
    where user_id = (select user_id from raw.device_owners where device_id = $1) and bucket = $2::text::timestamp";
const EXPECTED: &str = "select count(*) from raw.heart_rates where device_id = $1 \
    and local_ts >= $2::text::timestamp and local_ts < $2::text::timestamp + interval '1 day'";
const LEFT: &str = "select (select count(*) from ops.dirty_days where local_date < current_date - 1) \
    + (select count(*) from ops.dirty_user_days where local_date < current_date - 1)";

/// The result for one number of devices.
#[derive(Debug, Serialize)]
pub(crate) struct Steady {
    devices: i32,
    seconds: f64,
    uploads: usize,
    late_uploads: usize,
    /// Milliseconds until a late upload is in the figure of its device's day.
    figure: Histogram,
    /// Until it is in the stored day of its person.
    person: Histogram,
    /// Share of the time in which the compactor was in a cycle.
    busy_share: f64,
}

/// A late upload that is not seen everywhere yet.
struct Late {
    device_id: Uuid,
    day: String,
    readings: i64,
    sent: Instant,
    is_in_figure: bool,
}

/// Writes uploads as the loader does, and polls.
struct Fleet {
    client: Client,
    uploads: Statement,
    devices: i32,
    today: i32,
    /// Uploads so far: which device comes next, and what is late.
    number: i32,
}

pub(crate) async fn measure(devices: i32, seconds: u64) -> Result<Steady> {
    let world = World::start_warm("bench").await?;
    let mut fleet = Fleet::new(&world, devices).await?;
    let mut compactor = Service::start(&world, Role::Compactor)?;
    compactor.until_ready().await?;
    compactor
        .until_measured("pulseline_compactor_cycles_total", |cycles| cycles > 0.0)
        .await?;
    fleet.until_compacted().await?;
    let before = busy_seconds(&compactor).await?;
    let began = Instant::now();
    let (mut steady, mut waiting) = (Steady::new(devices), Vec::new());
    let (mut due, mut late_due, mut wrote) = (0.0, 0.0, began);
    while began.elapsed() < Duration::from_secs(seconds) || !waiting.is_empty() {
        if began.elapsed() < Duration::from_secs(seconds) && wrote.elapsed() >= TICK {
            let uploads = f64::from(devices) * UPLOADS_PER_DEVICE_SECOND * wrote.elapsed().as_secs_f64();
            wrote = Instant::now();
            due += uploads;
            late_due += uploads * LATE_SHARE;
            while due >= 1.0 {
                due -= 1.0;
                fleet.on_time().await?;
                steady.uploads += 1;
            }
            while late_due >= 1.0 {
                late_due -= 1.0;
                waiting.push(fleet.late().await?);
                steady.late_uploads += 1;
            }
        }
        fleet.poll(&mut waiting, &mut steady).await?;
        tokio::time::sleep(POLL).await;
    }
    steady.seconds = began.elapsed().as_secs_f64();
    steady.busy_share = (busy_seconds(&compactor).await? - before) / steady.seconds;
    compactor.terminate().await?;
    drop(fleet);
    world.stop().await?;
    Ok(steady)
}

async fn busy_seconds(compactor: &Service) -> Result<f64> {
    let measures = compactor.measures().await?;
    let (_, seconds) = measures.histogram("pulseline_compactor_cycle_seconds")?;
    Ok(seconds)
}

impl Steady {
    fn new(devices: i32) -> Self {
        Self {
            devices,
            seconds: 0.0,
            uploads: 0,
            late_uploads: 0,
            figure: Histogram::default(),
            person: Histogram::default(),
            busy_share: 0.0,
        }
    }
}

impl Fleet {
    async fn new(world: &World, devices: i32) -> Result<Self> {
        let client = world.warehouse().await?.into_bare();
        let today = i32::try_from(Clock::system().now_utc_millis() / DAY_MS)?;
        let load = include_str!("steady/load.sql");
        client.execute(load, &[&devices, &date_text(today)]).await?;
        client.batch_execute("analyze").await?;
        Ok(Self {
            uploads: client.prepare(include_str!("steady/uploads.sql")).await?,
            client,
            devices,
            today,
            number: 0,
        })
    }

    async fn until_compacted(&self) -> Result<()> {
        let began = Instant::now();
        while self.client.query_one(LEFT, &[]).await?.get::<_, i64>(0) > 0 {
            ensure!(began.elapsed() < HISTORY_PATIENCE, "the history is not compacted");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    }

    /// Scattered, and each as often as another.
    fn device(&mut self) -> Uuid {
        self.number = self.number.wrapping_add(7_919);
        let text = format!("{:0>32}", 1_000_001 + self.number.rem_euclid(self.devices));
        Uuid::try_parse(&text).unwrap_or_default()
    }

    /// The 15 minutes up to now.
    async fn on_time(&mut self) -> Result<()> {
        let device = self.device();
        let now = "select (now() at time zone 'utc' - interval '15 minutes')::timestamp(0)::text";
        let start: String = self.client.query_one(now, &[]).await?.get(0);
        self.upload(device, &start).await
    }

    async fn upload(&self, device: Uuid, start: &str) -> Result<()> {
        self.client.execute(&self.uploads, &[&device, &start]).await?;
        Ok(())
    }

    async fn late(&mut self) -> Result<Late> {
        let device_id = self.device();
        let (ago, quarter) = (2 + self.number.rem_euclid(LATE_DAYS), self.number.rem_euclid(96));
        let day = date_text(self.today - ago);
        let start = format!("{day}T{:02}:{:02}:01", quarter / 4, quarter % 4 * 15);
        self.upload(device_id, &start).await?;
        let sent = Instant::now();
        let readings = self.client.query_one(EXPECTED, &[&device_id, &day]).await?.get(0);
        Ok(Late {
            device_id,
            day,
            readings,
            sent,
            is_in_figure: false,
        })
    }

    async fn poll(&self, waiting: &mut Vec<Late>, steady: &mut Steady) -> Result<()> {
        for mut late in std::mem::take(waiting) {
            if !late.is_in_figure && self.has(FIGURE, &late).await? {
                late.is_in_figure = true;
                steady.figure.add(late.sent.elapsed());
            }
            if late.is_in_figure && self.has(PERSON, &late).await? {
                steady.person.add(late.sent.elapsed());
                continue;
            }
            ensure!(late.sent.elapsed() < PATIENCE, "a late upload is not seen");
            waiting.push(late);
        }
        Ok(())
    }

    async fn has(&self, sql: &str, late: &Late) -> Result<bool> {
        let row = self.client.query_one(sql, &[&late.device_id, &late.day]).await?;
        Ok(row.get::<_, i64>(0) >= late.readings)
    }
}

pub(crate) fn table(all: &[Steady]) -> String {
    let mut text = String::from(
        "devices   seconds   uploads   late   in the device's figure, s (p50, p99)   in the person's   compactor busy\n",
    );
    for steady in all {
        let seconds = |of: &Histogram, at| match of.len() {
            0 => "-".to_owned(),
            _ => format!("{:.1}", of.percentile(at) / 1_000.0),
        };
        let _written = writeln!(
            text,
            "{:>7} {:>9.0} {:>9} {:>6} {:>25} {:>7} {:>13} {:>7} {:>13.0} %",
            steady.devices,
            steady.seconds,
            steady.uploads,
            steady.late_uploads,
            seconds(&steady.figure, 0.5),
            seconds(&steady.figure, 0.99),
            seconds(&steady.person, 0.5),
            seconds(&steady.person, 0.99),
            steady.busy_share * 100.0
        );
    }
    text
}
