//! Sleep sessions: replaced whole, levels and all, where the upload is not older than what is there.

use std::collections::BTreeMap;

use tokio_postgres::Transaction;
use uuid::Uuid;

use super::copying::copy;
use crate::batch::{DirtyDay, session_days};
use crate::copy::CopyRows;
use crate::error::LoaderError;
use crate::map::SleepRow;

const CREATE: &str = "create temporary table incoming_sleeps (like raw.sleeps) on commit drop; \
    create temporary table incoming_sleep_levels (like raw.sleep_levels) on commit drop";
const COPY_SLEEPS: &str = "copy pg_temp.incoming_sleeps (device_id, log_id, start_local, end_local, \
    start_utc_offset_minutes, end_utc_offset_minutes, date_of_sleep, duration_ms, minutes_to_fall_asleep, \
    minutes_asleep, minutes_awake, minutes_after_wakeup, time_in_bed_minutes, efficiency, type, info_code, \
    main_sleep, synced_at, event_id, extra) from stdin (format binary)";
const COPY_LEVELS: &str = "copy pg_temp.incoming_sleep_levels (device_id, log_id, source, seq, local_ts, level, \
    seconds) from stdin (format binary)";
/// Where the sessions lie now: an edited session may move in time, and its old days have to be made anew too.
const OLD_DAYS: &str = "select t.device_id, t.start_local::date - date '1970-01-01', \
    t.end_local::date - date '1970-01-01', t.date_of_sleep - date '1970-01-01' \
    from raw.sleeps t join pg_temp.incoming_sleeps i using (device_id, log_id)";
/// Equal versions are written again: a session whose levels were damaged is repaired by loading it once more.
const UPSERT: &str = "insert into raw.sleeps as t (device_id, log_id, start_local, end_local, \
    start_utc_offset_minutes, end_utc_offset_minutes, date_of_sleep, duration_ms, minutes_to_fall_asleep, \
    minutes_asleep, minutes_awake, minutes_after_wakeup, time_in_bed_minutes, efficiency, type, info_code, \
    main_sleep, synced_at, event_id, extra) \
    select device_id, log_id, start_local, end_local, start_utc_offset_minutes, end_utc_offset_minutes, \
    date_of_sleep, duration_ms, minutes_to_fall_asleep, minutes_asleep, minutes_awake, minutes_after_wakeup, \
    time_in_bed_minutes, efficiency, type, info_code, main_sleep, synced_at, event_id, extra \
    from pg_temp.incoming_sleeps order by device_id, log_id \
    on conflict (device_id, log_id) do update set start_local = excluded.start_local, \
    end_local = excluded.end_local, start_utc_offset_minutes = excluded.start_utc_offset_minutes, \
    end_utc_offset_minutes = excluded.end_utc_offset_minutes, date_of_sleep = excluded.date_of_sleep, \
    duration_ms = excluded.duration_ms, minutes_to_fall_asleep = excluded.minutes_to_fall_asleep, \
    minutes_asleep = excluded.minutes_asleep, minutes_awake = excluded.minutes_awake, \
    minutes_after_wakeup = excluded.minutes_after_wakeup, time_in_bed_minutes = excluded.time_in_bed_minutes, \
    efficiency = excluded.efficiency, type = excluded.type, info_code = excluded.info_code, \
    main_sleep = excluded.main_sleep, synced_at = excluded.synced_at, event_id = excluded.event_id, \
    extra = excluded.extra \
    where (excluded.synced_at, excluded.event_id) >= (t.synced_at, t.event_id) \
    returning device_id, log_id";
const DELETE_LEVELS: &str = "delete from raw.sleep_levels l using unnest($1::uuid[], $2::bigint[]) as w(device_id, log_id) \
    where l.device_id = w.device_id and l.log_id = w.log_id";
const INSERT_LEVELS: &str = "insert into raw.sleep_levels (device_id, log_id, source, seq, local_ts, level, seconds) \
    select i.device_id, i.log_id, i.source, i.seq, i.local_ts, i.level, i.seconds \
    from pg_temp.incoming_sleep_levels i \
    join unnest($1::uuid[], $2::bigint[]) as w(device_id, log_id) using (device_id, log_id) \
    order by i.device_id, i.log_id, i.source, i.seq";

/// The winner of each session, sorted by key.
pub(super) fn winners(sleeps: &[SleepRow]) -> Vec<&SleepRow> {
    let mut winners: BTreeMap<(Uuid, i64), &SleepRow> = BTreeMap::new();
    for sleep in sleeps {
        let winner = winners.entry((sleep.device_id, sleep.log_id)).or_insert(sleep);
        if (sleep.synced_at, sleep.event_id) >= (winner.synced_at, winner.event_id) {
            *winner = sleep;
        }
    }
    winners.into_values().collect()
}

/// Writes sessions with their levels; gives the days they lay on before.
pub(super) async fn apply(tx: &Transaction<'_>, sleeps: &[&SleepRow]) -> Result<Vec<DirtyDay>, LoaderError> {
    tx.batch_execute(CREATE)
        .await
        .map_err(LoaderError::statement("making room for sleeps"))?;
    copy(tx, COPY_SLEEPS, encode_sleeps(sleeps).finish(), "copying sleeps").await?;
    let old_days = old_days(tx).await?;
    let written = tx
        .query(UPSERT, &[])
        .await
        .map_err(LoaderError::statement("writing sleeps"))?;
    let devices: Vec<Uuid> = written.iter().map(|row| row.get(0)).collect();
    let log_ids: Vec<i64> = written.iter().map(|row| row.get(1)).collect();
    if devices.is_empty() {
        return Ok(old_days);
    }
    let levels = encode_levels(sleeps);
    tx.execute(DELETE_LEVELS, &[&devices, &log_ids])
        .await
        .map_err(LoaderError::statement("replacing sleep levels"))?;
    if !levels.is_empty() {
        copy(tx, COPY_LEVELS, levels.finish(), "copying sleep levels").await?;
        tx.execute(INSERT_LEVELS, &[&devices, &log_ids])
            .await
            .map_err(LoaderError::statement("writing sleep levels"))?;
    }
    Ok(old_days)
}

async fn old_days(tx: &Transaction<'_>) -> Result<Vec<DirtyDay>, LoaderError> {
    let rows = tx
        .query(OLD_DAYS, &[])
        .await
        .map_err(LoaderError::statement("reading the old days of sleeps"))?;
    let mut days = Vec::new();
    for row in rows {
        let device_id = row.get(0);
        let on = session_days(row.get(1), row.get(2), row.get(3));
        days.extend(on.map(|local_date| DirtyDay {
            device_id,
            local_date,
        }));
    }
    Ok(days)
}

fn encode_sleeps(sleeps: &[&SleepRow]) -> CopyRows {
    let mut copy = CopyRows::with_capacity(sleeps.len(), 256);
    for sleep in sleeps {
        copy.row(20).uuid(sleep.device_id).int8(sleep.log_id);
        copy.millis(sleep.start_local).millis(sleep.end_local);
        copy.int2(sleep.start_utc_offset_minutes)
            .int2(sleep.end_utc_offset_minutes);
        copy.date(sleep.date_of_sleep).int8(sleep.duration_ms);
        copy.int4(sleep.minutes_to_fall_asleep)
            .int4(sleep.minutes_asleep)
            .int4(sleep.minutes_awake);
        copy.int4(sleep.minutes_after_wakeup)
            .int4(sleep.time_in_bed_minutes);
        copy.int2(sleep.efficiency)
            .text(&sleep.kind)
            .optional(sleep.info_code, CopyRows::int2);
        copy.boolean(sleep.main_sleep)
            .millis(sleep.synced_at)
            .uuid(sleep.event_id);
        copy.optional(sleep.extra.as_deref(), CopyRows::jsonb);
    }
    copy
}

fn encode_levels(sleeps: &[&SleepRow]) -> CopyRows {
    let mut copy = CopyRows::with_capacity(sleeps.iter().map(|sleep| sleep.levels.len()).sum(), 88);
    for sleep in sleeps {
        for level in &sleep.levels {
            copy.row(7)
                .uuid(sleep.device_id)
                .int8(sleep.log_id)
                .text(level.source)
                .int4(level.seq);
            copy.millis(level.local_ts).text(&level.level).int4(level.seconds);
        }
    }
    copy
}
