//! Measures what the heart rate of sleeps costs, as the server counts it, and checks that it is right.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use pulseline_runtime::config::{Secret, TimescaleConfig};
use pulseline_sql::{connect, migrate};
use pulseline_stack::{Server, Stack, StackOptions};

use super::*;

/// 2019-11-06.
const LAST_DAY: DayNumber = 18_206;
pub(crate) const DEVICE: Uuid = Uuid::from_u128(20);
/// Nights of `$1` days up to the last, with a reading each 20 minutes all day. Every tenth day begins in Tokyo, the next
/// one ends at home: some sleeps have readings of two offsets, and some wall-clock times occur twice.
const LOAD: &str = "with days as (select n, date '2019-11-06' - n as day, case when n % 10 in (0, 1) then 540 else 60 end as offset_minutes \
        from generate_series(0, $1::int - 1) n), \
    readings as (insert into raw.heart_rates select $2::uuid, day + m * interval '20 minutes', \
        case when m < 9 and n % 10 in (1, 9) then 60 else offset_minutes end, 50 + (m + n) % 40, m % 4, now(), $2::uuid \
        from days, generate_series(0, 71) m) \
    insert into raw.sleeps (device_id, log_id, start_local, end_local, start_utc_offset_minutes, end_utc_offset_minutes, date_of_sleep, \
        duration_ms, minutes_to_fall_asleep, minutes_asleep, minutes_awake, minutes_after_wakeup, time_in_bed_minutes, efficiency, type, \
        main_sleep, synced_at, event_id) \
    select $2::uuid, n, day - interval '1 hour', day + interval '7 hours', offset_minutes, offset_minutes, day, \
        28800000, 0, 400, 80, 0, 480, 90, 'classic', true, now(), $2::uuid from days";
/// Facts that differ from their readings, either way.
const DIFFERENT: &str = "with facts as (select s.device_id, s.log_id, count(h.bpm) as readings, count(h.bpm) filter (where h.confidence > 0), \
        coalesce(sum(h.bpm) filter (where h.confidence > 0), 0), min(h.bpm) filter (where h.confidence > 0), \
        max(h.bpm) filter (where h.confidence > 0) \
        from raw.sleeps s left join raw.heart_rates h on h.device_id = s.device_id \
            and h.local_ts - make_interval(mins => h.utc_offset_minutes) >= s.start_local - make_interval(mins => s.start_utc_offset_minutes) \
            and h.local_ts - make_interval(mins => h.utc_offset_minutes) < s.end_local - make_interval(mins => s.end_utc_offset_minutes) \
        group by s.device_id, s.log_id), \
    found as (select device_id, log_id, readings::bigint, valid_readings::bigint, bpm_sum::bigint, bpm_min, bpm_max from stage.sleep_heart_rates) \
    select count(*) from ((table facts except table found) union all (table found except table facts)) d";

fn sleep(device: Uuid, log_id: i64, days: Range<DayNumber>) -> Sleep {
    Sleep { device, log_id, days }
}

#[test]
fn sleeps_of_a_statement_are_close_in_time_and_keep_their_order() {
    let nights: Vec<_> = (0..30)
        .map(|n| sleep(DEVICE, i64::from(n), LAST_DAY - n - 1..LAST_DAY - n + 1))
        .collect();
    let parted = slices(&nights, 128);
    assert_eq!(
        parted.iter().map(|slice| slice.len()).collect::<Vec<_>>(),
        [13, 13, 4]
    );
    assert_eq!(parted.concat(), nights);
    // The nights of many people, and one sleep of a week.
    let people: Vec<_> = (0..300)
        .map(|n| sleep(Uuid::from_u128(n), 1, LAST_DAY - 1..LAST_DAY + 1))
        .chain([sleep(DEVICE, 1, LAST_DAY - 29..LAST_DAY - 20)])
        .collect();
    let parted = slices(&people, 128);
    assert_eq!(
        parted.iter().map(|slice| slice.len()).collect::<Vec<_>>(),
        [128, 128, 44, 1]
    );
    assert!(slices(&[], 128).is_empty());
}

#[test]
fn a_sleep_waits_for_the_refresh_of_every_day_that_can_have_its_readings() {
    // 22:00 to 06:00 UTC: with any offset, readings on three or four local days.
    let hour = |day: DayNumber, hour| day * 24 + hour;
    let days = days_of_readings(hour(LAST_DAY - 1, 22), hour(LAST_DAY, 6));
    assert_eq!(days, LAST_DAY - 1..LAST_DAY + 2);
    for day in days.clone() {
        // The index alone returns more than that.
        let window = sleep_window(day);
        assert!(window.contains(&(LAST_DAY - 1)) || window.contains(&LAST_DAY));
    }
    let night = sleep(DEVICE, 1, LAST_DAY - 1..LAST_DAY + 1);
    let due_with = |slept: &[(Uuid, DayNumber)], pending: &[(Uuid, DayNumber)]| {
        let plan = Plan {
            slept: slept.to_vec(),
            pending: pending.iter().copied().collect(),
            ..Plan::default()
        };
        !due([(night.clone(), days.clone())].into_iter(), &plan).is_empty()
    };
    let (changed, other) = ((DEVICE, LAST_DAY), Uuid::from_u128(21));
    assert!(due_with(&[changed], &[]));
    assert!(due_with(&[changed], &[(DEVICE, LAST_DAY - 2), (other, LAST_DAY)]));
    assert!(!due_with(&[changed], &[(DEVICE, LAST_DAY - 1)]));
    assert!(!due_with(&[(DEVICE, LAST_DAY + 2), (other, LAST_DAY)], &[]));
}

pub(crate) struct Warehouse {
    pub(crate) stack: Stack,
    pub(crate) client: Client,
    lease: Lease,
}

impl Warehouse {
    pub(crate) async fn start(name: &str) -> Result<Self> {
        let options = StackOptions {
            root: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.stack"),
            name: format!("test-facts-{name}"),
            fresh: true,
        };
        let stack = Stack::start_one(&options, Server::Timescale, &|_: &str| ()).await?;
        let timescale = TimescaleConfig {
            url: Secret::new(stack.endpoints().timescale_url.clone()),
            ..TimescaleConfig::default()
        };
        migrate(&timescale).await?;
        let client = connect(&timescale, "test").await?;
        let lease =
            Lease::acquire(&client, "compactor", Uuid::from_u128(1), Duration::from_secs(600)).await?;
        Ok(Self {
            stack,
            client,
            lease: lease.context("another compactor has the lease")?,
        })
    }

    /// The sleeps that all days touch.
    async fn sleeps(&self, days: i32) -> Result<Vec<Sleep>> {
        let plan = Plan {
            slept: (0..days).map(|n| (DEVICE, LAST_DAY - n)).collect(),
            ..Plan::default()
        };
        Ok(touched(&self.client, &plan, None).await?)
    }

    /// Loads so many days of [`DEVICE`].
    pub(crate) async fn load(&self, days: i32) -> Result<()> {
        self.client.execute(LOAD, &[&days, &DEVICE]).await?;
        Ok(())
    }

    pub(crate) async fn count(&self, sql: &str) -> Result<i64> {
        Ok(self.client.query_one(sql, &[]).await?.get(0))
    }

    /// Chunks that the server scans, and rows that it reads there, for these sleeps.
    async fn cost(&self, sleeps: &[Sleep]) -> Result<Cost> {
        let mut cost = Cost::default();
        for sleeps in slices(sleeps, 128) {
            let explain = format!("explain (analyze, costs off, timing off) {RECOMPUTE}");
            let days = days(sleeps);
            let devices: Vec<_> = sleeps.iter().map(|sleep| sleep.device).collect();
            let logs: Vec<_> = sleeps.iter().map(|sleep| sleep.log_id).collect();
            let (from, to) = (Midnight(days.start), Midnight(days.end));
            let plan = self
                .client
                .query(&explain, &[&devices, &logs, &from, &to])
                .await?;
            cost.add(plan.iter().map(|row| row.get(0)))?;
        }
        Ok(cost)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Cost {
    scans: u64,
    pub(crate) rows: u64,
}

impl Cost {
    pub(crate) fn add<'a>(&mut self, plan: impl Iterator<Item = &'a str>) -> Result<()> {
        let number = |line: &str, after: &str| {
            let digits = line.split_once(after)?.1;
            let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
            digits[..end].parse::<u64>().ok()
        };
        let mut loops = 0;
        for line in plan {
            // Rows found by an index alone are counted where they are read.
            if line.contains("->") {
                let is_chunk =
                    line.contains("Scan") && line.contains("_chunk") && !line.contains("Bitmap Index");
                loops = number(line, "loops=").filter(|_| is_chunk).unwrap_or(0);
                self.scans += loops;
                self.rows += loops * number(line, "actual rows=").unwrap_or(0);
            }
            if let Some(removed) = number(line, "Rows Removed by Filter: ") {
                self.rows += loops * removed;
            }
        }
        ensure!(self.scans > 0, "the plan names no chunk");
        Ok(())
    }
}

#[tokio::test]
async fn on_timescale_a_sleep_costs_its_own_readings_and_not_the_history() -> Result<()> {
    let warehouse = Warehouse::start("cost").await?;
    let (days, client) = (64, &warehouse.client);
    warehouse.load(days).await?;
    let sleeps = warehouse.sleeps(days).await?;
    ensure!(sleeps.len() == 64 && sleeps.is_sorted_by_key(|sleep| -sleep.days.end));
    let own = warehouse
        .count(
            "select count(*) from raw.sleeps s join raw.heart_rates h using (device_id) \
        where h.local_ts >= s.start_local and h.local_ts < s.end_local",
        )
        .await?;
    // First on open days, from real-time aggregation; then refreshed.
    for is_refreshed in [false, true] {
        if is_refreshed {
            client
                .batch_execute("call refresh_continuous_aggregate('stage.heart_rates_15m', null, null)")
                .await?;
        }
        let half = warehouse.cost(&sleeps[..32]).await?;
        client
            .batch_execute("delete from stage.sleep_heart_rates")
            .await?;
        let whole = warehouse.cost(&sleeps).await?;
        let text = format!("half: {half:?}, whole: {whole:?}, own readings: {own}");
        // Twice the nights, twice the work.
        ensure!(
            whole.scans * 10 <= half.scans * 22 && whole.rows * 10 <= half.rows * 22,
            "{text}"
        );
        // Chunks of two days and of the other offset, and those of a statement's span once. Twice the night's readings:
        // the days around it, which tell the offsets, have as many 15-minute buckets as readings here.
        ensure!(whole.scans <= 8 * 64, "{text}");
        ensure!(whole.rows <= 10 * u64::try_from(own)?, "{text}");
        ensure!(
            warehouse.count(DIFFERENT).await? == 0,
            "refreshed: {is_refreshed}"
        );
        client
            .batch_execute("delete from stage.sleep_heart_rates")
            .await?;
    }
    warehouse.stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn on_timescale_facts_read_before_the_lease_was_lost_are_not_stored() -> Result<()> {
    let mut warehouse = Warehouse::start("fence").await?;
    warehouse.load(3).await?;
    let sleeps = warehouse.sleeps(3).await?;
    let kept = "select count(*) from stage.sleep_heart_rates";
    let taken = "update ops.leases set epoch = epoch + 1";
    warehouse.client.batch_execute(taken).await?;
    let lost = recompute(&mut warehouse.client, &warehouse.lease, &sleeps, 128).await;
    ensure!(matches!(lost, Err(CompactorError::LeaseLost)), "{lost:?}");
    ensure!(warehouse.count(kept).await? == 0);
    warehouse
        .client
        .batch_execute("update ops.leases set epoch = epoch - 1")
        .await?;
    let written = recompute(&mut warehouse.client, &warehouse.lease, &sleeps, 128).await?;
    ensure!(written == 3 && warehouse.count(DIFFERENT).await? == 0);
    warehouse.stack.stop().await?;
    Ok(())
}
