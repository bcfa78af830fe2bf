//! From every earlier version with data in it to this one: nothing is lost, and the figures are there.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use pulseline_runtime::config::{Secret, TimescaleConfig};
use pulseline_sql::{Client, GenericClient};
use pulseline_sql::{connect, migrate, migrate_to, required_version};
use pulseline_stack::{Server, Stack, StackOptions};

const CLEAR: &str =
    "drop schema if exists agg, stage, raw, ops cascade; drop table if exists public.pulseline_migrations";
const ROWS_OF_OPS: &str = "insert into ops.accounted_log (topic, generation, partition, from_offset, to_offset, kind) \
        values ('fitbit.steps', 0, 0, 0, 7, 'loaded'), ('fitbit.steps', 0, 0, 7, 8, 'dead'); \
    insert into ops.accounted values ('fitbit.steps', 0, 1, '{[0,5)}'); \
    insert into ops.checkpoints (collection, shard, token, epoch, seq) values ('steps', 0, '\\x01', 3, 9); \
    insert into ops.dead_letters (origin, item, reason, detail, program_version, created_at) \
        values ('kafka:fitbit.steps/0/0/7', -1, 'undecodable', 'x', '0', now()); \
    insert into ops.compactions (task, relation, reason, rows, seconds) values ('refresh', 'agg.daily_steps', 'x', 1, 1)";
/// Two devices of a person over two days, one of them with an offset of its own.
const ROWS: &str = "insert into raw.users (user_id, email, created_at, synced_at, event_id) \
        values ('00000000-0000-0000-0000-00000000000a', 'a@b.c', now(), now(), gen_random_uuid()); \
    insert into raw.devices select ('00000000-0000-0000-0000-00000000000' || n)::uuid, '00000000-0000-0000-0000-00000000000a', \
        now(), gen_random_uuid() from generate_series(1, 2) n; \
    insert into raw.steps (device_id, local_ts, utc_offset_minutes, steps, synced_at, event_id) \
        select d.device_id, at, 60, 5, now(), gen_random_uuid() from raw.devices d, \
        generate_series(timestamp '2019-11-01 10:00', '2019-11-02 09:59', interval '1 minute') at; \
    insert into raw.heart_rates (device_id, local_ts, utc_offset_minutes, bpm, confidence, synced_at, event_id) \
        select d.device_id, at, 60, 60, 2, now(), gen_random_uuid() from raw.devices d, \
        generate_series(timestamp '2019-11-01 22:00', '2019-11-02 05:59', interval '1 minute') at; \
    insert into raw.sleeps (device_id, log_id, start_local, end_local, start_utc_offset_minutes, end_utc_offset_minutes, date_of_sleep, \
        duration_ms, minutes_to_fall_asleep, minutes_asleep, minutes_awake, minutes_after_wakeup, time_in_bed_minutes, efficiency, type, \
        main_sleep, synced_at, event_id, extra) \
        values ('00000000-0000-0000-0000-000000000001', 1, '2019-11-01 23:00', '2019-11-02 06:00', 60, 60, '2019-11-02', 25200000, 0, 400, \
        20, 0, 420, 95, 'stages', true, now(), gen_random_uuid(), '{\"log_type\": \"auto_detected\", \"other\": 1}')";
/// From version 26 on the loader writes who owns a device.
const OWNED: &str = "insert into raw.device_versions (device_id, synced_at, event_id, user_id) \
        select device_id, synced_at, event_id, user_id from raw.devices; \
    insert into raw.device_owners select device_id, user_id, from_day, until_day \
        from raw.owner_spans(array(select device_id from raw.devices))";
/// From version 5 on the loader knows this field.
const TYPED: &str = "update raw.sleeps set log_type = extra ->> 'log_type', extra = extra - 'log_type'";
/// What the compactor of those days would have stored.
const REFRESHED: &str = "call refresh_continuous_aggregate('stage.steps_15m', null, timestamp '2019-11-02')";

/// What the compactor does of days of people: all that a migration marks, or what the loader's mark would.
const COMPUTED: &str = "insert into agg.stored_user_days select d.* from \
    stage.compute_user_days(array(select user_id from raw.device_owners), '2019-10-01', '2019-12-01') d";

async fn figure(client: &Client, sql: &str) -> Result<i64> {
    let row = client.query_one(sql, &[]).await.with_context(|| sql.to_owned())?;
    Ok(row.get(0))
}

async fn filled(client: &Client, version: i32) -> Result<()> {
    client.batch_execute(ROWS_OF_OPS).await.context("rows of ops")?;
    if version >= 2 {
        client.batch_execute(ROWS).await.context("rows")?;
    }
    if version >= 5 {
        client.batch_execute(TYPED).await.context("types of sleeps")?;
    }
    if version >= 26 {
        client.batch_execute(OWNED).await.context("owners of devices")?;
    }
    if version >= 3 {
        client.batch_execute(REFRESHED).await.context("refreshing")?;
    }
    Ok(())
}

async fn unharmed(client: &Client, version: i32) -> Result<()> {
    let rows_of_ops = "select (select count(*) from ops.accounted_log) + (select count(*) from ops.accounted) \
        + (select count(*) from ops.checkpoints where token is not null) + (select count(*) from ops.compactions) \
        + (select count(*) from ops.dead_letters where resolved_at is null)";
    ensure!(figure(client, rows_of_ops).await? == 6, "rows of ops");
    let dead = "select sum(upper(r) - lower(r))::bigint from ops.accounted_offsets, unnest(dead) r";
    ensure!(figure(client, dead).await? == 1, "dead offsets");
    if version < 2 {
        return Ok(());
    }
    if version < 27 {
        let marked = "select count(*) from ops.dirty_user_days where local_date = '2019-11-01'";
        ensure!(
            figure(client, marked).await? == 1,
            "the days of people are not marked"
        );
    }
    client.batch_execute(COMPUTED).await.context("days of people")?;
    for (sql, expected) in [
        ("select count(*) from raw.steps", 2 * 1_440),
        ("select count(*) from raw.heart_rates", 2 * 480),
        (
            "select count(*) from raw.sleeps where log_type = 'auto_detected' and extra = '{\"other\": 1}'",
            1,
        ),
        ("select sum(steps)::bigint from agg.daily_steps", 2 * 1_440 * 5),
        ("select sum(steps)::bigint from agg.user_monthly_steps", 1_440 * 5),
        (
            "select sum(minutes_worn)::bigint from agg.daily_heart_rates",
            2 * 480,
        ),
        ("select count(*) from stage.sleeps", 1),
        (
            "select count(*) from raw.device_versions v join raw.devices d using (device_id, user_id, synced_at, event_id)",
            2,
        ),
        (
            "select count(*) from raw.device_owners join raw.devices using (device_id, user_id) \
             where from_day = '-infinity' and until_day = 'infinity'",
            2,
        ),
    ] {
        let found = figure(client, sql).await?;
        ensure!(found == expected, "{found} instead of {expected}: {sql}");
    }
    Ok(())
}

#[tokio::test]
async fn every_earlier_version_with_data_migrates_to_this_one() -> Result<()> {
    let options = StackOptions {
        root: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.stack"),
        name: "test-upgrades".into(),
        fresh: true,
    };
    let stack = Stack::start_one(&options, Server::Timescale, &|_: &str| ()).await?;
    let timescale = TimescaleConfig {
        url: Secret::new(stack.endpoints().timescale_url.clone()),
        ..TimescaleConfig::default()
    };
    for version in 1..required_version() {
        let tried = async {
            let client = connect(&timescale, "test").await?;
            client.batch_execute(CLEAR).await?;
            migrate_to(&timescale, version).await?;
            filled(&client, version).await?;
            migrate(&timescale).await?;
            unharmed(&client, version).await
        };
        tried.await.with_context(|| format!("from version {version}"))?;
    }
    stack.stop().await?;
    Ok(())
}
