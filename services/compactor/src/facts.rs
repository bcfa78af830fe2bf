//! The heart rate of sleeps: kept in `stage.sleep_heart_rates`, recomputed for the nights that a change can touch.

use std::ops::Range;
use std::time::Instant;

use pulseline_sql::lease::Lease;
use pulseline_sql::periods::{DayNumber, date_of, sleeps_reach};
use pulseline_sql::{Client, GenericClient};
use uuid::Uuid;

use crate::books::{self, Entry};
use crate::error::CompactorError;
use crate::locks::keep;
use crate::metrics;

/// Sleeps that a changed day of their device can touch, newest first.
const TOUCHED: &str = "select distinct s.device_id, s.log_id, s.start_local::date - date '1970-01-01', \
        s.end_local::date - date '1970-01-01' as ends_on \
    from unnest($1::uuid[], $2::int[], $3::int[]) t(device_id, low, high) \
    join raw.sleeps s on s.device_id = t.device_id and s.end_local >= date '1970-01-01' + t.low \
        and s.start_local < date '1970-01-01' + t.high \
    where $4::int is null or s.start_local >= date '1970-01-01' + $4::int \
    order by ends_on desc, s.device_id, s.log_id";

/// A sleep to look at.
#[derive(Clone, Debug)]
pub(crate) struct Sleep {
    device: Uuid,
    log_id: i64,
    /// Local days from its start to its end.
    days: Range<DayNumber>,
}

/// The sleeps that changes on these days can have given another heart rate, newest first. One that may have readings
/// below the floor keeps the heart rate that it had.
pub(crate) async fn touched(
    client: &Client,
    days: &[(Uuid, DayNumber)],
    floor: Option<DayNumber>,
) -> Result<Vec<Sleep>, CompactorError> {
    let devices: Vec<_> = days.iter().map(|(device, _)| *device).collect();
    let low: Vec<_> = days.iter().map(|(_, day)| sleeps_reach(*day).start).collect();
    let high: Vec<_> = days.iter().map(|(_, day)| sleeps_reach(*day).end).collect();
    let rows = client
        .query(TOUCHED, &[&devices, &low, &high, &floor.map(first_start)])
        .await
        .map_err(CompactorError::sql("looking for sleeps"))?;
    Ok(rows
        .iter()
        .map(|row| Sleep {
            device: row.get(0),
            log_id: row.get(1),
            days: row.get(2)..row.get::<_, DayNumber>(3) + 1,
        })
        .collect())
}

/// The first day on which a sleep may start so that all its readings lie at or above the floor.
fn first_start(floor: DayNumber) -> DayNumber {
    floor + (floor - sleeps_reach(floor).start)
}

/// Recomputes them, `slice` in a statement; says how many have another heart rate than before.
pub(crate) async fn recompute(
    client: &Client,
    lease: &Lease,
    sleeps: &[Sleep],
    slice: usize,
) -> Result<u64, CompactorError> {
    let mut changed = 0;
    for sleeps in sleeps.chunks(slice) {
        keep(client, lease).await?;
        let began = Instant::now();
        let devices: Vec<_> = sleeps.iter().map(|sleep| sleep.device).collect();
        let logs: Vec<_> = sleeps.iter().map(|sleep| sleep.log_id).collect();
        let written = client
            .execute(&statement(&days(sleeps)), &[&devices, &logs])
            .await
            .map_err(CompactorError::sql("recomputing the heart rate of sleeps"))?;
        changed += written;
        let entry = Entry {
            task: "facts",
            relation: "stage.sleep_heart_rates",
            days: days(sleeps),
            reason: format!("{} sleeps on changed days", sleeps.len()),
            rows: i64::try_from(written).unwrap_or(i64::MAX),
        };
        if written > 0 {
            books::journal(client, &entry, began.elapsed()).await?;
        }
        metrics::record_sleeps(sleeps.len(), began.elapsed());
    }
    Ok(changed)
}

/// Local days on which readings of these sleeps can lie.
fn days(sleeps: &[Sleep]) -> Range<DayNumber> {
    let low = sleeps.iter().map(|sleep| sleep.days.start).min().unwrap_or(0);
    let high = sleeps.iter().map(|sleep| sleep.days.end).max().unwrap_or(0);
    sleeps_reach(low).start..sleeps_reach(high).end
}

/// On the UTC line, from the start up to, not including, the end. The dates let the planner leave out chunks; the offsets
/// of the time around a sleep, which the 15-minute figures know, let it read no more than the sleep's own readings.
fn statement(days: &Range<DayNumber>) -> String {
    let (from, to) = (date_of(days.start), date_of(days.end));
    format!(
        "with sleeps as materialized ( \
            select s.device_id, s.log_id, s.start_local - make_interval(mins => s.start_utc_offset_minutes) as starts, \
                s.end_local - make_interval(mins => s.end_utc_offset_minutes) as ends \
            from raw.sleeps s join unnest($1::uuid[], $2::int8[]) k(device_id, log_id) using (device_id, log_id) \
        ), spans as materialized ( \
            select s.device_id, s.log_id, o.utc_offset_minutes, s.starts + make_interval(mins => o.utc_offset_minutes) as low, \
                s.ends + make_interval(mins => o.utc_offset_minutes) as high \
            from sleeps s left join lateral ( \
                select distinct q.utc_offset_minutes from stage.heart_rates_15m q \
                where q.device_id = s.device_id and q.bucket >= '{from}' and q.bucket < '{to}' \
                    and q.bucket > s.starts - interval '18 hours 15 minutes' and q.bucket < s.ends + interval '18 hours' \
            ) o on true \
        ), facts as ( \
            select s.device_id, s.log_id, sum(r.readings)::int as readings, sum(r.valid_readings)::int as valid_readings, \
                coalesce(sum(r.bpm_sum), 0)::int as bpm_sum, min(r.bpm_min) as bpm_min, max(r.bpm_max) as bpm_max \
            from spans s cross join lateral ( \
                select count(*) as readings, count(*) filter (where h.is_valid) as valid_readings, \
                    sum(h.bpm) filter (where h.is_valid) as bpm_sum, min(h.bpm) filter (where h.is_valid) as bpm_min, \
                    max(h.bpm) filter (where h.is_valid) as bpm_max \
                from (select bpm, confidence is distinct from 0 as is_valid from raw.heart_rates h \
                    where h.device_id = s.device_id and h.utc_offset_minutes = s.utc_offset_minutes \
                        and h.local_ts >= '{from}' and h.local_ts < '{to}' and h.local_ts >= s.low and h.local_ts < s.high) h \
            ) r group by s.device_id, s.log_id \
        ) insert into stage.sleep_heart_rates as f select * from facts \
        on conflict (device_id, log_id) do update set readings = excluded.readings, valid_readings = excluded.valid_readings, \
            bpm_sum = excluded.bpm_sum, bpm_min = excluded.bpm_min, bpm_max = excluded.bpm_max \
        where (f.readings, f.valid_readings, f.bpm_sum, f.bpm_min, f.bpm_max) is distinct from \
            (excluded.readings, excluded.valid_readings, excluded.bpm_sum, excluded.bpm_min, excluded.bpm_max)"
    )
}
