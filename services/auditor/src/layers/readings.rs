//! From readings to days of devices: single readings, 15 minutes, days.

use pulseline_schemas::{Readings, Stream};

use super::check::Check;

const HEART_15M: &str = "device_id, bucket, utc_offset_minutes, starts_at, readings, valid_readings, bpm_sum, bpm_min, bpm_max, worn_mask";
const HEART_1D: &str = "device_id, bucket, readings, valid_readings, bpm_sum, bpm_min, bpm_max, minutes_worn";
pub(super) const QUARTER: &str = "device_id, bucket, utc_offset_minutes, starts_at, minutes_worn, heart_readings, valid_readings, bpm_sum, \
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
    checks.push(quarters());
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
