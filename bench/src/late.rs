//! What a late upload costs by the number of devices: the compactor's cycles, and the bare CALLs that would do the same.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::{Result, ensure};
use pulseline_compactor::{CompactorConfig, run_once};
use pulseline_runtime::clock::Clock;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_tests::World;
use serde::Serialize;
use tokio_postgres::Client;

use crate::compacting::Compacting;
use crate::histogram::Histogram;

/// A heart rate every five minutes of one day, of `$1` devices; the marks are the loader's.
const FLEET: &str = "with loaded as (insert into raw.heart_rates (device_id, local_ts, utc_offset_minutes, bpm, synced_at, event_id) \
        select lpad(device::text, 32, '0')::uuid, timestamp '2019-11-02' + at * interval '5 minutes', 60, 60 + at % 40, now(), \
            gen_random_uuid() \
        from generate_series(1, $1::int) device, generate_series(0, 287) at returning device_id) \
    insert into ops.dirty_days (stream, device_id, local_date) select distinct 'heart_rates', device_id, date '2019-11-02' from loaded";
/// 15 minutes of a heart rate every 5 seconds, `$1` rounds after 08:00.
const UPLOAD: &str = "with loaded as (insert into raw.heart_rates (device_id, local_ts, utc_offset_minutes, bpm, synced_at, event_id) \
        select lpad('7', 32, '0')::uuid, timestamp '2019-11-02 08:00:01' + $1::int * interval '15 minutes' + at * interval '5 seconds', \
            60, 60 + at % 40, now(), gen_random_uuid() \
        from generate_series(0, 179) at returning device_id) \
    insert into ops.dirty_days (stream, device_id, local_date) select distinct 'heart_rates', device_id, date '2019-11-02' from loaded";
const CALLS: [&str; 2] = [
    "call refresh_continuous_aggregate('stage.heart_rates_15m', timestamp '2019-11-02', timestamp '2019-11-03')",
    "call refresh_continuous_aggregate('agg.heart_rates_1d', timestamp '2019-11-02', timestamp '2019-11-03')",
];
/// Days of devices whose stored figure is not that of their readings.
const WRONG: &str = "select count(*) from agg.heart_rates_1d f full join \
    (select device_id, date_trunc('day', local_ts) as bucket, count(*) as readings, sum(bpm) as bpm_sum from raw.heart_rates \
        group by 1, 2) r using (device_id, bucket) \
    where (f.readings, f.bpm_sum) is distinct from (r.readings, r.bpm_sum)";
const ROUNDS: i32 = 15;

/// Milliseconds for one number of devices.
#[derive(Debug, Serialize)]
pub(crate) struct Late {
    devices: i32,
    /// A cycle that has nothing to do.
    idle: Histogram,
    /// What cycles take for one late upload, beyond that.
    upload: Histogram,
    /// The same upload refreshed by bare CALLs.
    calls: Histogram,
}

pub(crate) async fn measure(devices: i32) -> Result<Late> {
    let world = World::start_warm("bench").await?;
    let client = world.warehouse().await?.into_bare();
    client.execute(FLEET, &[&devices]).await?;
    let once = CompactorConfig {
        pack_chunks: 0,
        ..CompactorConfig::default()
    };
    run_once(&once, &world.timescale(), &Clock::system(), &Shutdown::new()).await?;
    client.batch_execute("analyze").await?;
    let mut late = Late {
        devices,
        idle: Histogram::default(),
        upload: Histogram::default(),
        calls: Histogram::default(),
    };
    let compacting = Compacting::start(&world).await?;
    let idle = compacting.idle().await?;
    late.idle.add(idle);
    for round in 0..ROUNDS {
        late.upload
            .add(compacting.cost(&client, UPLOAD, 2 * round, idle).await?);
    }
    compacting.stop().await?;
    for round in 0..ROUNDS {
        call(&client, 2 * round + 1, &mut late.calls).await?;
    }
    let wrong: i64 = client.query_one(WRONG, &[]).await?.get(0);
    ensure!(wrong == 0, "{wrong} days of devices differ from their readings");
    drop(client);
    world.stop().await?;
    Ok(late)
}

/// What a refresh of the same upload takes; its marks are removed, because it is done.
async fn call(client: &Client, round: i32, calls: &mut Histogram) -> Result<()> {
    // What patches left invalid is not this upload's.
    for call in CALLS {
        client.batch_execute(call).await?;
    }
    client.execute(UPLOAD, &[&round]).await?;
    let began = Instant::now();
    for call in CALLS {
        client.batch_execute(call).await?;
    }
    calls.add(began.elapsed());
    client.batch_execute("delete from ops.dirty_days").await?;
    Ok(())
}

pub(crate) fn table(all: &[Late]) -> String {
    let mut text = String::from("devices   idle cycle ms   late upload (p50, greatest)   bare CALLs\n");
    for late in all {
        let p50 = |of: &Histogram| of.percentile(0.5);
        let _written = writeln!(
            text,
            "{:>7} {:>15.1} {:>18.1} {:>9.1} {:>12.1}",
            late.devices,
            p50(&late.idle),
            p50(&late.upload),
            late.upload.percentile(1.0),
            p50(&late.calls)
        );
    }
    text
}
