//! Days of people on a real server: stored by the cycle that finds a change, and right at every moment while they are open.

use anyhow::{Result, ensure};
use pulseline_compactor::CompactorConfig;
use pulseline_runtime::clock::Clock;
use pulseline_sql::GenericClient;

use crate::warehouse::{HOUR_MS, NOVEMBER_6_MS, Warehouse};

/// A person is said by a number; their first device is 10 times that, the second one more.
const PEOPLE: &str = "insert into raw.device_owners (device_id, user_id, from_day, until_day) \
    select lpad((person * 10 + device)::text, 32, '0')::uuid, lpad(person::text, 32, '0')::uuid, '-infinity', 'infinity' \
    from (values (1, 0), (2, 0), (2, 1)) p(person, device)";

/// A warehouse of these people at this time.
async fn of_people(name: &str, now_ms: i64) -> Result<(Warehouse, CompactorConfig, Clock)> {
    let warehouse = Warehouse::start(name).await?;
    warehouse.client.batch_execute(PEOPLE).await?;
    Ok((warehouse, CompactorConfig::default(), Clock::fixed(now_ms)))
}

async fn load(warehouse: &Warehouse, stream: &str, device: i32, rows: &str) -> Result<()> {
    let (columns, day) = match stream {
        "steps" => ("local_ts, utc_offset_minutes, steps", "local_ts::date"),
        "heart_rates" => ("local_ts, utc_offset_minutes, bpm, confidence", "local_ts::date"),
        "calories" => ("local_ts, utc_offset_minutes, millikcal", "local_ts::date"),
        _ => (
            "log_id, start_local, end_local, start_utc_offset_minutes, end_utc_offset_minutes, date_of_sleep, duration_ms, \
             minutes_to_fall_asleep, minutes_asleep, minutes_awake, minutes_after_wakeup, time_in_bed_minutes, efficiency, type, \
             main_sleep",
            "end_local::date",
        ),
    };
    let sql = format!(
        "with loaded as (insert into raw.{stream} (device_id, {columns}, synced_at, event_id) \
             select lpad('{device}', 32, '0')::uuid, x.*, now(), gen_random_uuid() from ({rows}) x returning device_id, {day} as day) \
         insert into ops.dirty_days (stream, device_id, local_date) select distinct '{stream}', device_id, day from loaded"
    );
    Ok(warehouse.client.batch_execute(&sql).await?)
}

/// A sleep of stages from one time to another.
fn sleep(log_id: i32, start: &str, end: &str) -> String {
    format!(
        "select {log_id}, timestamp '{start}', timestamp '{end}', 60, 60, timestamp '{end}'::date, \
         (extract(epoch from timestamp '{end}' - timestamp '{start}') * 1000)::bigint, 0, 100, 0, 0, 100, 90, 'stages', true"
    )
}

async fn figure(warehouse: &Warehouse, relation: &str, figure: &str, person: i32, day: &str) -> Result<i64> {
    let sql = format!(
        "select coalesce(sum({figure}), -1)::bigint from agg.{relation} \
         where user_id = lpad('{person}', 32, '0')::uuid and bucket = '{day}'"
    );
    warehouse.count(&sql).await
}

#[tokio::test]
async fn p_16_a_day_of_a_person_is_stored_by_the_cycle_and_shown_at_once_while_it_is_open() -> Result<()> {
    let (warehouse, config, clock) = of_people("people", NOVEMBER_6_MS + 13 * HOUR_MS).await?;
    let open = "2019-11-06";
    warehouse.work(&config, &clock).await?;
    load(
        &warehouse,
        "steps",
        10,
        "select timestamp '2019-11-06 12:00', 60, 10",
    )
    .await?;
    ensure!(
        figure(&warehouse, "user_daily_steps", "steps", 1, open).await? == 10,
        "before any cycle"
    );
    ensure!(figure(&warehouse, "stored_user_days", "steps", 1, open).await? == -1);
    warehouse.work(&config, &clock).await?;
    let stored = "select count(*) from agg.stored_user_days where is_open and steps = 10";
    ensure!(
        warehouse.count(stored).await? == 1,
        "an open day is stored, and said to be open"
    );
    load(
        &warehouse,
        "steps",
        10,
        "select timestamp '2019-11-06 13:00', 60, 5",
    )
    .await?;
    ensure!(figure(&warehouse, "user_daily_steps", "steps", 1, open).await? == 15);
    ensure!(
        figure(&warehouse, "stored_user_days", "steps", 1, open).await? == 10,
        "as of the last cycle"
    );
    warehouse.stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn p_16_a_day_of_a_person_closes_changes_late_and_goes() -> Result<()> {
    let (warehouse, config, clock) = of_people("late-people", NOVEMBER_6_MS + 13 * HOUR_MS).await?;
    load(
        &warehouse,
        "steps",
        10,
        "select timestamp '2019-11-06 12:00', 60, 15",
    )
    .await?;
    warehouse.work(&config, &clock).await?;
    let day = "2019-11-06";
    // It closes, and nothing of it changes any more.
    clock.set(NOVEMBER_6_MS + 36 * HOUR_MS);
    warehouse.work(&config, &clock).await?;
    let closed = "select count(*) from agg.stored_user_days where not is_open and steps = 15";
    ensure!(warehouse.count(closed).await? == 1);
    load(
        &warehouse,
        "steps",
        10,
        "select timestamp '2019-11-06 14:00', 60, 7",
    )
    .await?;
    warehouse.work(&config, &clock).await?;
    for relation in ["user_daily_steps", "user_days", "stored_user_days"] {
        ensure!(
            figure(&warehouse, relation, "steps", 1, day).await? == 22,
            "{relation}: a late reading"
        );
    }
    // All that the person had of the day is gone.
    let gone = "delete from raw.steps; insert into ops.dirty_days (stream, device_id, local_date) \
        select 'steps', device_id, '2019-11-06' from raw.device_owners";
    warehouse.client.batch_execute(gone).await?;
    warehouse.work(&config, &clock).await?;
    ensure!(figure(&warehouse, "stored_user_days", "steps", 1, day).await? == -1);
    // A clock that is set back opens the day again.
    load(
        &warehouse,
        "steps",
        10,
        "select timestamp '2019-11-06 12:00', 60, 10",
    )
    .await?;
    warehouse.work(&config, &clock).await?;
    clock.set(NOVEMBER_6_MS + 13 * HOUR_MS);
    warehouse.work(&config, &clock).await?;
    ensure!(
        warehouse
            .count("select count(*) from agg.stored_user_days where is_open and steps = 10")
            .await?
            == 1
    );
    ensure!(
        warehouse
            .count("select count(*) from ops.dirty_user_days")
            .await?
            == 0
    );
    warehouse.stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn b_11_of_several_devices_the_one_worn_longer_speaks_then_the_one_that_moved() -> Result<()> {
    let (warehouse, config, clock) = of_people("several", NOVEMBER_6_MS).await?;
    // A watch in a drawer burns calories; the one with the greater id walks.
    load(
        &warehouse,
        "calories",
        20,
        "select timestamp '2019-11-01 12:00', 60, 1000",
    )
    .await?;
    load(
        &warehouse,
        "steps",
        21,
        "select timestamp '2019-11-01 12:01', 60, 100",
    )
    .await?;
    // Worn, the first one speaks again, though what it says reaches over midnight.
    load(
        &warehouse,
        "steps",
        20,
        "select timestamp '2019-11-02 12:01', 60, 7",
    )
    .await?;
    load(
        &warehouse,
        "heart_rates",
        20,
        "select timestamp '2019-11-02 12:01', 60, 60, 3",
    )
    .await?;
    load(
        &warehouse,
        "steps",
        21,
        "select timestamp '2019-11-03 00:01', 780, 50",
    )
    .await?;
    warehouse.work(&config, &clock).await?;
    let steps = async |day: &str| figure(&warehouse, "stored_user_days", "steps", 2, day).await;
    ensure!(steps("2019-11-01").await? == 100 && steps("2019-11-02").await? == 7);
    ensure!(
        steps("2019-11-03").await? == -1,
        "the same instant by another clock"
    );
    ensure!(figure(&warehouse, "stored_user_days", "millikcal", 2, "2019-11-01").await? == -1);
    // Without its heart rate the day of the other device counts too, though nothing of it changed.
    let taken_off = "delete from raw.heart_rates; delete from raw.steps where local_ts = '2019-11-02 12:01'; \
        insert into ops.dirty_days (stream, device_id, local_date) \
        select s, lpad('20', 32, '0')::uuid, '2019-11-02' from unnest(array['heart_rates', 'steps']) s";
    warehouse.client.batch_execute(taken_off).await?;
    warehouse.work(&config, &clock).await?;
    ensure!(steps("2019-11-02").await? == -1 && steps("2019-11-03").await? == 50);
    warehouse.stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn b_10_a_chain_of_overlapping_sleeps_loses_only_what_a_longer_one_covers() -> Result<()> {
    let (warehouse, config, clock) = of_people("sleeps", NOVEMBER_6_MS).await?;
    // The third is the longest, covers the second, and so the first stays.
    for (log_id, start, end) in [
        (1, "2019-11-03 21:00", "2019-11-04 02:00"),
        (2, "2019-11-04 01:30", "2019-11-04 07:00"),
        (3, "2019-11-04 06:30", "2019-11-04 12:30"),
    ] {
        load(&warehouse, "sleeps", 10, &sleep(log_id, start, end)).await?;
    }
    warehouse.work(&config, &clock).await?;
    let sleeps = async || figure(&warehouse, "stored_user_days", "sleeps", 1, "2019-11-04").await;
    ensure!(
        sleeps().await? == 2,
        "the third covers the second, and the first stays"
    );
    ensure!(
        warehouse
            .count("select sum(log_id)::bigint from stage.sleeps")
            .await?
            == 4
    );
    let cut = "update raw.sleeps set end_local = '2019-11-04 06:40' where log_id = 3; \
        insert into ops.dirty_days (stream, device_id, local_date) values ('sleeps', lpad('10', 32, '0')::uuid, '2019-11-04')";
    warehouse.client.batch_execute(cut).await?;
    warehouse.work(&config, &clock).await?;
    ensure!(sleeps().await? == 1, "the second is the longest now");
    ensure!(
        warehouse
            .count("select sum(log_id)::bigint from stage.user_sleeps")
            .await?
            == 2
    );
    // Short stretches that overlap each other are counted once.
    let levels = "insert into raw.sleep_levels (device_id, log_id, source, seq, local_ts, level, seconds) values \
        (lpad('10', 32, '0')::uuid, 2, 'data', 0, '2019-11-04 01:30', 'deep', 600), \
        (lpad('10', 32, '0')::uuid, 2, 'short', 0, '2019-11-04 01:31', 'wake', 360), \
        (lpad('10', 32, '0')::uuid, 2, 'short', 1, '2019-11-04 01:34', 'wake', 360)";
    warehouse.client.batch_execute(levels).await?;
    let minutes = "select (deep_minutes * 10 + wake_minutes)::bigint from stage.sleeps";
    ensure!(warehouse.count(minutes).await? == 19, "1 minute deep, 9 awake");
    warehouse.stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn b_12_b_13_shares_of_long_days_and_groups_of_few_people() -> Result<()> {
    let warehouse = Warehouse::start("groups").await?;
    let config = CompactorConfig::default();
    let clock = Clock::fixed(NOVEMBER_6_MS);
    // Six people of one age; the sixth takes the watch off after an hour. The day has 25 hours.
    let people = "insert into raw.device_owners (device_id, user_id, from_day, until_day) \
            select lpad((p * 10)::text, 32, '0')::uuid, lpad(p::text, 32, '0')::uuid, '-infinity', 'infinity' from generate_series(1, 6) p; \
        insert into raw.users (user_id, date_of_birth, created_at, synced_at, event_id) \
            select lpad(p::text, 32, '0')::uuid, '1990-01-01', now(), now(), gen_random_uuid() from generate_series(1, 6) p; \
        insert into raw.heart_rates (device_id, local_ts, utc_offset_minutes, bpm, confidence, synced_at, event_id) \
            select lpad((p * 10)::text, 32, '0')::uuid, date '2019-10-27' + m * interval '1 minute', o, 60, 3, now(), gen_random_uuid() \
            from generate_series(1, 6) p, generate_series(0, 1439) m, (values (60), (120)) as t(o) \
            where (o = 60 or m between 120 and 179) and (p < 6 or m < 60); \
        insert into raw.resting_heart_rates (device_id, local_date, bpm, synced_at, event_id) \
            select lpad((p * 10)::text, 32, '0')::uuid, '2019-10-27', 50, now(), gen_random_uuid() from generate_series(1, 4) p; \
        insert into ops.dirty_days (stream, device_id, local_date) \
            select s, device_id, '2019-10-27' from raw.device_owners, unnest(array['heart_rates', 'resting_heart_rates']) s";
    warehouse.client.batch_execute(people).await?;
    warehouse.work(&config, &clock).await?;
    let longest = "select max(minutes_worn) from agg.stored_user_days";
    ensure!(warehouse.count(longest).await? == 1_500);
    for relation in ["agg.user_daily_summary", "agg.daily_summary"] {
        let whole = format!("select count(*) from {relation} where worn_share = 1");
        ensure!(warehouse.count(&whole).await? == 5, "{relation}");
    }
    let shown = "select count(*) from agg.by_age_group_daily where people = 5 and minutes_worn = 1500 and resting_bpm is null \
        and resting_bpm_people = 4";
    ensure!(
        warehouse.count(shown).await? == 1,
        "four people's mean would show too much"
    );
    warehouse
        .client
        .batch_execute("update ops.settings set min_group = 4")
        .await?;
    ensure!(
        warehouse
            .count("select count(*) from agg.by_age_group_weekly where resting_bpm = 50")
            .await?
            == 1
    );
    warehouse
        .client
        .batch_execute("update ops.settings set min_group = 6")
        .await?;
    ensure!(
        warehouse
            .count("select count(*) from agg.by_age_group_monthly")
            .await?
            == 0
    );
    warehouse.stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn b_10_many_sleeps_that_hang_together_cost_little_each() -> Result<()> {
    let (warehouse, config, clock) = of_people("chain", NOVEMBER_6_MS).await?;
    // Each of 300 overlaps the one before and is a second shorter, so that every other one counts; each of 60 overlaps many.
    let chain = "select n, timestamp '2019-11-01' + n * interval '9 minutes', timestamp '2019-11-01' + n * interval '9 minutes' \
        + interval '10 minutes' - n * interval '0.1 seconds', 60, 60, date '2019-11-01', 1, 0, 1, 0, 0, 1, 90, 'stages', true \
        from generate_series(0, 299) n";
    load(&warehouse, "sleeps", 10, chain).await?;
    let staircase = "select n, timestamp '2019-11-01' + n * interval '20 minutes', timestamp '2019-11-01' + n * interval '20 minutes' \
        + interval '5 hours' - n * interval '1 minute', 60, 60, date '2019-11-01', 1, 0, 1, 0, 0, 1, 90, 'stages', true \
        from generate_series(0, 59) n";
    load(&warehouse, "sleeps", 20, staircase).await?;
    warehouse.work(&config, &clock).await?;
    let counted =
        "select sum(sleeps)::bigint from agg.stored_user_days where user_id = lpad('1', 32, '0')::uuid";
    ensure!(warehouse.count(counted).await? == 150);
    // From 0:00 to 5:00, then the first that begins after it: 15 from 5:00 to 9:45, 30 from 10:00 to 14:30, 44 from 14:40, 57.
    let counted =
        "select sum(log_id)::bigint from stage.user_sleeps where user_id = lpad('2', 32, '0')::uuid";
    ensure!(warehouse.count(counted).await? == 15 + 30 + 44 + 57);
    warehouse.stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn p_17_a_device_that_changes_hands_changes_the_days_that_it_had_a_part_in() -> Result<()> {
    let (warehouse, config, clock) = of_people("hands", NOVEMBER_6_MS).await?;
    // The second person's other device hid the end of a night that it saw longer; it goes to the first person.
    load(
        &warehouse,
        "sleeps",
        20,
        &sleep(1, "2019-11-01 21:30", "2019-11-01 23:50"),
    )
    .await?;
    load(
        &warehouse,
        "sleeps",
        21,
        &sleep(2, "2019-11-01 21:00", "2019-11-02 03:00"),
    )
    .await?;
    load(
        &warehouse,
        "steps",
        21,
        "select timestamp '2019-11-04 12:00', 60, 100",
    )
    .await?;
    warehouse.work(&config, &clock).await?;
    let sleeps = async |person, day| figure(&warehouse, "stored_user_days", "sleeps", person, day).await;
    ensure!(sleeps(2, "2019-11-01").await? == -1 && sleeps(2, "2019-11-02").await? == 1);
    let passed_on = "update raw.device_owners set until_day = '2019-11-02' where device_id = lpad('21', 32, '0')::uuid; \
        insert into raw.device_owners values (lpad('21', 32, '0')::uuid, lpad('1', 32, '0')::uuid, '2019-11-02', 'infinity'); \
        insert into raw.device_versions (device_id, synced_at, event_id, user_id) \
            select lpad('21', 32, '0')::uuid, now(), gen_random_uuid(), lpad(p::text, 32, '0')::uuid from generate_series(1, 2) p; \
        insert into ops.dirty_days (stream, device_id, local_date) values ('users', lpad('21', 32, '0')::uuid, '2019-11-02')";
    warehouse.client.batch_execute(passed_on).await?;
    warehouse.work(&config, &clock).await?;
    ensure!(sleeps(2, "2019-11-01").await? == 1 && sleeps(2, "2019-11-02").await? == -1);
    ensure!(sleeps(1, "2019-11-02").await? == 1);
    ensure!(figure(&warehouse, "stored_user_days", "steps", 1, "2019-11-04").await? == 100);
    warehouse.stack.stop().await?;
    Ok(())
}
