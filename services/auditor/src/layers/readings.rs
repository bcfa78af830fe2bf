//! From readings to days: single readings, 15 minutes, days, and the quarters in which a device speaks for a person.

use pulseline_schemas::{Readings, Stream};

use super::check::Check;

const HEART_15M: &str = "device_id, bucket, utc_offset_minutes, starts_at, readings, valid_readings, bpm_sum, bpm_min, bpm_max, worn_mask";
const HEART_1D: &str = "device_id, bucket, readings, valid_readings, bpm_sum, bpm_min, bpm_max, minutes_worn";
const QUARTER: &str = "device_id, bucket, utc_offset_minutes, starts_at, minutes_worn, heart_readings, valid_readings, bpm_sum, \
    bpm_min, bpm_max, steps_readings, steps, steps_min, steps_max, distance_readings, distance_mm, distance_mm_min, distance_mm_max, \
    energy_readings, millikcal, millikcal_min, millikcal_max";

pub(super) fn checks() -> Vec<Check> {
    let mut checks = Vec::new();
    for (stream, readings) in Stream::readings() {
        checks.push(single(stream, readings.value));
        checks.extend(if stream == Stream::HeartRates {
            [heart_15m(readings), heart_1d(readings)]
        } else {
            [minutes_15m(stream, readings), minutes_1d(stream, readings)]
        });
    }
    checks.extend([quarters(), shared_days(), shared_quarters(), user_quarters()]);
    checks.extend(Stream::readings().map(|(stream, readings)| user_1d(stream, readings)));
    checks
}

/// Every reading with its instant: as sums of a day, so that millions of rows need not be laid side by side.
fn single(stream: Stream, value: &str) -> Check {
    let sums = |instant: &str, relation: &str| {
        format!(
            "select device_id, date_trunc('day', local_ts) as bucket, count(*) as readings, sum({value}::bigint) as total, \
             sum(extract(epoch from {instant}) * {value}) as placed from {relation} \
             where local_ts >= $1 and local_ts < $2 group by 1, 2"
        )
    };
    let columns = "device_id, bucket, readings, total, placed";
    let expected = sums(
        "local_ts - utc_offset_minutes * interval '1 minute'",
        stream.raw_table(),
    );
    Check {
        found: Some(sums("read_at", &format!("stage.{stream}"))),
        ..Check::readings(format!("stage.{stream}"), &[], columns, expected)
    }
}

fn heart_15m(readings: Readings) -> Check {
    Check::readings(
        readings.quarters.into(),
        &[Stream::HeartRates],
        HEART_15M,
        pulseline_sql::query!("auditor/stage_heart_rates_15m").into(),
    )
}

fn heart_1d(readings: Readings) -> Check {
    let expected = "select device_id, date_trunc('day', bucket) as bucket, sum(readings)::bigint as readings, \
        sum(valid_readings)::bigint as valid_readings, sum(bpm_sum)::bigint as bpm_sum, min(bpm_min) as bpm_min, \
        max(bpm_max) as bpm_max, sum(length(replace(worn_mask::bit(16)::text, '0', '')))::bigint as minutes_worn \
        from stage.heart_rates_15m where bucket >= $1 and bucket < $2 group by 1, 2";
    Check::readings(
        readings.days.into(),
        &[Stream::HeartRates],
        HEART_1D,
        expected.into(),
    )
}

/// One number a minute.
fn minutes_15m(stream: Stream, readings: Readings) -> Check {
    let Readings { value, quarters, .. } = readings;
    let columns = format!(
        "device_id, bucket, utc_offset_minutes, starts_at, readings, {value}, {value}_min, {value}_max"
    );
    let expected = format!(
        "select device_id, date_bin('15 minutes', local_ts, '2000-01-01') as bucket, utc_offset_minutes, \
         to_timestamp(extract(epoch from date_bin('15 minutes', local_ts, '2000-01-01')) - 60 * utc_offset_minutes) as starts_at, \
         count(*) as readings, sum({value})::bigint as {value}, min({value}) as {value}_min, max({value}) as {value}_max \
         from raw.{stream} where local_ts >= $1 and local_ts < $2 group by 1, 2, 3"
    );
    Check::readings(quarters.into(), &[stream], columns, expected)
}

fn minutes_1d(stream: Stream, readings: Readings) -> Check {
    let Readings {
        value,
        quarters,
        days,
        ..
    } = readings;
    let columns = format!("device_id, bucket, readings, {value}, {value}_min, {value}_max");
    let expected = format!(
        "select device_id, date_trunc('day', bucket) as bucket, sum(readings)::bigint as readings, sum({value})::bigint as {value}, \
         min({value}_min) as {value}_min, max({value}_max) as {value}_max \
         from {quarters} where bucket >= $1 and bucket < $2 group by 1, 2"
    );
    Check::readings(days.into(), &[stream], columns, expected)
}

fn quarters() -> Check {
    Check::figures(
        "stage.quarters".into(),
        pulseline_sql::periods::Level::Day,
        QUARTER,
        pulseline_sql::query!("auditor/stage_quarters").into(),
    )
}

fn shared_days() -> Check {
    let expected = "with days as (select distinct o.user_id, q.device_id, q.bucket::date as day \
        from stage.quarters q join raw.devices o on o.device_id = q.device_id) \
        select distinct a.user_id, a.device_id, a.day::timestamp as bucket from days a join days b on b.user_id = a.user_id \
        and b.device_id <> a.device_id and abs(b.day - a.day) <= 2 where a.day >= $1 and a.day < $2";
    Check::figures(
        "stage.shared_days".into(),
        pulseline_sql::periods::Level::Day,
        "user_id, device_id, bucket",
        expected.into(),
    )
}

/// Days do not matter here: at each instant the device with the better quarter counts.
fn speaking() -> String {
    format!(
        "with owned as materialized (select o.user_id, q.* from stage.quarters q join raw.devices o on o.device_id = q.device_id), \
         best as (select distinct on (user_id, starts_at) user_id, starts_at, device_id from owned \
             order by user_id, starts_at, minutes_worn desc, device_id) \
         select user_id, {QUARTER} from owned join best using (user_id, starts_at, device_id) \
         where bucket >= $1 and bucket < $2"
    )
}

fn user_quarters() -> Check {
    let columns = format!("user_id, {QUARTER}");
    Check::figures(
        "stage.user_quarters".into(),
        pulseline_sql::periods::Level::Day,
        columns,
        speaking(),
    )
}

fn shared_quarters() -> Check {
    let columns = format!("user_id, {QUARTER}");
    let expected = format!(
        "select * from ({}) q where (device_id, date_trunc('day', bucket)) in (select device_id, bucket from stage.shared_days)",
        speaking()
    );
    Check::figures(
        "stage.shared_quarters".into(),
        pulseline_sql::periods::Level::Day,
        columns,
        expected,
    )
}

fn user_1d(stream: Stream, readings: Readings) -> Check {
    let Readings { value, counted, .. } = readings;
    let sums: &[&str] = if stream == Stream::HeartRates {
        &["valid_readings", "bpm_sum", "minutes_worn"]
    } else {
        &[value]
    };
    let summed = sums
        .iter()
        .map(|sum| format!("sum({sum})::bigint as {sum}, "))
        .collect::<String>();
    let columns = format!(
        "user_id, bucket, readings, {}, {value}_min, {value}_max",
        sums.join(", ")
    );
    let expected = format!(
        "select user_id, date_trunc('day', bucket) as bucket, sum({counted})::bigint as readings, {summed} \
         min({value}_min) as {value}_min, max({value}_max) as {value}_max \
         from stage.user_quarters where {counted} is not null and bucket >= $1 and bucket < $2 group by 1, 2"
    );
    let relation = format!("agg.user_{stream}_1d");
    Check {
        // A view, but over days and quarters, which are refreshed one after the other; what is worn a day before decides too.
        unsure: (Stream::readings().map(|(stream, _)| stream).collect(), 1),
        ..Check::figures(relation, pulseline_sql::periods::Level::Day, columns, expected)
    }
}
