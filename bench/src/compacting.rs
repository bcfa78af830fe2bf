//! A compactor that runs as a service, and the time that its cycles take by its own metrics: with its session warm, as in production.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use pulseline_tests::{Role, Service, World};
use tokio_postgres::Client;

/// Cycles follow each other at once, and do nothing but what was changed.
const SETTINGS: [(&str, &str); 4] = [
    ("PULSELINE__COMPACTOR__INTERVAL_MS", "20"),
    ("PULSELINE__COMPACTOR__PAUSE_FACTOR", "0"),
    ("PULSELINE__COMPACTOR__PACK_CHUNKS", "0"),
    ("PULSELINE__COMPACTOR__SAMPLE_INTERVAL_MS", "0"),
];
const COUNT: &str = "pulseline_compactor_cycles_total";
const LEFT: &str =
    "select (select count(*) from ops.dirty_days) + (select count(*) from ops.dirty_user_days)";
const POLL: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(60);
/// Cycles without work that are averaged.
const IDLE_CYCLES: f64 = 10.0;

/// A running compactor.
pub(crate) struct Compacting {
    service: Service,
}

/// Cycles so far.
#[derive(Clone, Copy)]
struct Cycles {
    count: f64,
    seconds: f64,
}

impl Compacting {
    pub(crate) async fn start(world: &World) -> Result<Self> {
        let mut service = Service::start_with(world, Role::Compactor, &SETTINGS)?;
        service.until_ready().await?;
        // A histogram is shown from its first value on.
        service.until_measured(COUNT, |cycles| cycles > 0.0).await?;
        Ok(Self { service })
    }

    async fn cycles(&self) -> Result<Cycles> {
        let measures = self.service.measures().await?;
        let (count, seconds) = measures.histogram("pulseline_compactor_cycle_seconds")?;
        Ok(Cycles { count, seconds })
    }

    /// Waits until so many more cycles have ended.
    async fn after(&self, cycles: f64) -> Result<Cycles> {
        let (before, began) = (self.cycles().await?, Instant::now());
        loop {
            let now = self.cycles().await?;
            if now.count >= before.count + cycles {
                return Ok(now);
            }
            ensure!(began.elapsed() < PATIENCE, "the compactor stands still");
            tokio::time::sleep(POLL).await;
        }
    }

    /// The time of a cycle that has nothing to do.
    pub(crate) async fn idle(&self) -> Result<Duration> {
        let before = self.after(1.0).await?;
        let after = self.after(IDLE_CYCLES).await?;
        let seconds = (after.seconds - before.seconds) / (after.count - before.count);
        Ok(Duration::from_secs_f64(seconds))
    }

    /// The time that cycles took for what a statement changes, beyond what they take without work.
    pub(crate) async fn cost(
        &self,
        client: &Client,
        sql: &str,
        round: i32,
        idle: Duration,
    ) -> Result<Duration> {
        let before = self.after(1.0).await?;
        client.execute(sql, &[&round]).await?;
        let began = Instant::now();
        while client.query_one(LEFT, &[]).await?.get::<_, i64>(0) > 0 {
            ensure!(began.elapsed() < PATIENCE, "an upload is not compacted");
            tokio::time::sleep(POLL).await;
        }
        let after = self.after(1.0).await?;
        let idle = idle.as_secs_f64() * (after.count - before.count);
        let seconds = after.seconds - before.seconds - idle;
        Ok(Duration::from_secs_f64(seconds.max(0.0)))
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.service.terminate().await?;
        Ok(())
    }
}
