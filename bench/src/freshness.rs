//! The age of a live reading when it becomes visible: in raw, and in the daily figure.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pulseline_generator::ensure_topics;
use pulseline_runtime::clock::Clock;
use pulseline_schemas::time::{DAY_MS, date_text};
use pulseline_schemas::{Event, Extra, HeartRate, HeartRates, LocalMillis, Upload, UtcMillis};
use pulseline_tests::producer::Hand;
use pulseline_tests::{Service, World};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use crate::cohort;
use crate::histogram::Histogram;

/// Interval between two heart rates of a worn device.
const EVERY: Duration = Duration::from_secs(5);
const PARTITIONS: i32 = 4;
/// Not measured: the first messages of a topic and the first chunk of a table.
const WARM_UP: Duration = Duration::from_secs(10);
/// One of this many events is probed: all clients of the embedded warehouse share one session.
const PROBED: u64 = 4;
/// Pause between two polls, by which a result may be too late.
const PAUSE: Duration = Duration::from_millis(20);
/// Devices whose figure is queried at once.
const AT_A_TIME: usize = 50;
/// Events not visible after this time count as lost.
const PATIENCE: Duration = Duration::from_secs(60);

const IN_RAW: &str = "select p.n from unnest($1::uuid[], $2::int8[]) with ordinality as p(device_id, at, n) \
    where exists (select from raw.heart_rates r where r.device_id = p.device_id and r.utc_offset_minutes = 0 \
        and r.local_ts = timestamp '1970-01-01' + p.at * interval '1 millisecond')";

/// A probed event.
struct Probe {
    device_id: Uuid,
    at: i64,
    /// The number of the device's readings up to this one.
    readings: i64,
    sent: Instant,
}

/// Milliseconds from producing to visible.
#[derive(Debug)]
pub(crate) struct Freshness {
    pub(crate) raw: Histogram,
    pub(crate) figure: Histogram,
}

/// Runs all services on live events with one reading each, and polls for this many seconds.
pub(crate) async fn measure(devices: u32, seconds: u64) -> Result<Freshness> {
    ensure!(devices > 0, "live events need a device");
    let world = World::start_warm("bench").await?;
    ensure_topics(&world.kafka(), PARTITIONS).await?;
    let mut services = Service::start_all(&world)?;
    for service in &mut services {
        service.until_ready().await?;
    }
    let hand = Arc::new(Hand::new(&world).await?);
    let watcher = Watcher::new(&world).await?;
    let (probes, wanted) = mpsc::channel(4_096);
    let lasts = WARM_UP + Duration::from_secs(seconds);
    let (sent, freshness) = tokio::join!(send(hand, devices, lasts, probes), watcher.poll(wanted));
    sent?;
    let freshness = freshness?;
    world.until_accounted().await?;
    world.verify_equal().await?;
    for service in services {
        service.terminate().await?;
    }
    world.stop().await?;
    Ok(freshness)
}

/// One device after another, evenly distributed over time.
async fn send(hand: Arc<Hand>, devices: u32, lasts: Duration, probes: mpsc::Sender<Probe>) -> Result<()> {
    let clock = Clock::system();
    let began = Instant::now();
    let mut ticks = tokio::time::interval(EVERY / devices);
    let mut sending = JoinSet::new();
    for number in 0.. {
        ticks.tick().await;
        if began.elapsed() >= lasts {
            break;
        }
        let (device, round) = (number % u64::from(devices), number / u64::from(devices));
        let at = clock.now_utc_millis();
        let event = event(cohort::device(device), at, number);
        let probe = Probe {
            device_id: event.key(),
            at,
            readings: i64::try_from(round)? + 1,
            sent: Instant::now(),
        };
        let hand = Arc::clone(&hand);
        sending.spawn(async move { hand.event(&event).await });
        if number % PROBED == 0 && began.elapsed() >= WARM_UP {
            probes.send(probe).await.ok().context("the poller has ended")?;
        }
        while let Some(sent) = sending.try_join_next() {
            sent??;
        }
    }
    while let Some(sent) = sending.join_next().await {
        sent??;
    }
    Ok(())
}

fn event(device_id: Uuid, at: i64, number: u64) -> Event {
    let sample = HeartRate {
        ts: LocalMillis(at),
        bpm: 60 + i32::try_from(number % 40).unwrap_or_default(),
        confidence: Some(3),
    };
    Event::HeartRates(HeartRates {
        upload: Upload {
            event_id: Uuid::new_v5(&device_id, &at.to_be_bytes()),
            device_id,
            synced_at: UtcMillis(at),
            utc_offset_minutes: 0,
            window_start: LocalMillis(at),
            window_end: LocalMillis(at + 1_000),
        },
        samples: vec![sample],
        extra: Extra::default(),
    })
}

/// Polls for events with one connection.
struct Watcher {
    client: Client,
    in_raw: Statement,
    in_figure: Statement,
}

impl Watcher {
    async fn new(world: &World) -> Result<Self> {
        let client = world.warehouse().await?.into_bare();
        let today = date_text(i32::try_from(Clock::system().now_utc_millis() / DAY_MS)?);
        let in_raw = client.prepare(IN_RAW).await?;
        let in_figure = client
            .prepare(&format!(
                "select device_id, sum(readings)::int8 from agg.daily_heart_rates \
                 where device_id = any($1) and bucket >= '{today}' group by device_id"
            ))
            .await?;
        Ok(Self {
            client,
            in_raw,
            in_figure,
        })
    }

    /// Polls until all probed events are visible in both places.
    async fn poll(&self, mut wanted: mpsc::Receiver<Probe>) -> Result<Freshness> {
        let (mut raw, mut figure) = (Histogram::default(), Histogram::default());
        let (mut not_in_raw, mut not_in_figure): (Vec<Arc<Probe>>, Vec<Arc<Probe>>) = Default::default();
        loop {
            while let Ok(probe) = wanted.try_recv() {
                let probe = Arc::new(probe);
                not_in_raw.push(Arc::clone(&probe));
                not_in_figure.push(probe);
            }
            if wanted.is_closed() && wanted.is_empty() && not_in_raw.is_empty() && not_in_figure.is_empty() {
                return Ok(Freshness { raw, figure });
            }
            self.poll_raw(&mut not_in_raw, &mut raw).await?;
            self.poll_figure(&mut not_in_figure, &mut figure).await?;
            let oldest = not_in_raw.first().into_iter().chain(not_in_figure.first());
            for probe in oldest {
                ensure!(
                    probe.sent.elapsed() < PATIENCE,
                    "a reading of device {} never becomes visible",
                    probe.device_id
                );
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn poll_raw(&self, waiting: &mut Vec<Arc<Probe>>, seen: &mut Histogram) -> Result<()> {
        if waiting.is_empty() {
            return Ok(());
        }
        let asked = &waiting[..waiting.len().min(AT_A_TIME)];
        let devices: Vec<_> = asked.iter().map(|probe| probe.device_id).collect();
        let instants: Vec<_> = asked.iter().map(|probe| probe.at).collect();
        let rows = self.client.query(&self.in_raw, &[&devices, &instants]).await?;
        let mut found: Vec<usize> = Vec::new();
        for row in &rows {
            found.push(usize::try_from(row.get::<_, i64>(0))? - 1);
        }
        found.sort_unstable();
        for index in found.into_iter().rev() {
            seen.add(waiting.remove(index).sent.elapsed());
        }
        Ok(())
    }

    async fn poll_figure(&self, waiting: &mut Vec<Arc<Probe>>, seen: &mut Histogram) -> Result<()> {
        if waiting.is_empty() {
            return Ok(());
        }
        let asked = waiting.iter().take(AT_A_TIME);
        let devices: Vec<_> = asked.map(|probe| probe.device_id).collect();
        let rows = self.client.query(&self.in_figure, &[&devices]).await?;
        let figures: HashMap<Uuid, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        waiting.retain(|probe| {
            let is_seen = figures
                .get(&probe.device_id)
                .is_some_and(|readings| *readings >= probe.readings);
            if is_seen {
                seen.add(probe.sent.elapsed());
            }
            !is_seen
        });
        Ok(())
    }
}
