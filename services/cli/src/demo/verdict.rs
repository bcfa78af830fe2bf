//! Verifies all layers, prints a few figures, and gives the verdict.

use pulseline_sql::GenericClient;
use std::time::Duration;

use pulseline_auditor::VerifyConfig;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::Stream;

use super::flow::Flowed;
use crate::print;
use crate::settings::Settings;

const SETTLE: Duration = Duration::from_secs(30);
const SAMPLE: &str = "select left(device_id::text, 8), bucket::date::text, minutes_worn, coalesce(steps, 0), \
    coalesce(bpm_avg::text, '-'), coalesce(minutes_asleep::text, '-') from agg.daily_summary \
    where device_id in (select device_id from raw.devices order by device_id limit 3) order by 1, 2 limit 24";
/// Prints the verdict; true when it is good.
pub(super) async fn tell(
    settings: &Settings,
    flowed: &Flowed,
    memory: &[(&'static str, u64)],
    shutdown: &Shutdown,
) -> anyhow::Result<bool> {
    print::line(&format!("\n{}", flowed.status));
    let verdict = pulseline_auditor::verify(
        &VerifyConfig {
            settle: SETTLE,
            ..VerifyConfig::default()
        },
        &settings.audited()?,
        shutdown,
        &|line: &str| print::line(line),
    )
    .await?;
    print::line(&verdict.to_string());
    sample(settings).await?;
    let total = flowed.summary.total();
    let sum = |value: fn(&pulseline_auditor::Flow) -> i64| flowed.status.flows.iter().map(value).sum::<i64>();
    let (produced, loaded) = (sum(|flow| flow.produced), sum(|flow| flow.loaded));
    let (duplicate, dead, void) = (
        sum(|flow| flow.duplicate),
        sum(|flow| flow.dead),
        sum(|flow| flow.void),
    );
    let is_complete = u64::try_from(produced) == Ok(total.acknowledged)
        && total.acknowledged == total.issued
        && produced == sum(|flow| flow.stored)
        && produced == loaded + duplicate + dead + void;
    let is_good = is_complete && verdict.is_equal();
    let seconds = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
    print::line(&format!(
        "\nproduced in {}, accounted for after {}, refreshed after {}; peak memory {}",
        seconds(flowed.produced_in),
        seconds(flowed.accounted_in),
        seconds(flowed.refreshed_in),
        memory
            .iter()
            .map(|(service, mb)| format!("{service} {mb} MB"))
            .collect::<Vec<_>>()
            .join(", ")
    ));
    print::line(&format!(
        "verdict: {}: {produced} produced = {loaded} loaded + {duplicate} duplicate + {dead} dead; layers {}",
        if is_good { "GOOD" } else { "BAD" },
        if verdict.is_equal() { "equal" } else { "DIFFERENT" }
    ));
    Ok(is_good)
}

async fn sample(settings: &Settings) -> anyhow::Result<()> {
    let client = pulseline_sql::open(&settings.timescale, "pulseline-demo").await?;
    print::line("");
    for stream in Stream::ALL {
        let table = stream.raw_table();
        let count = client
            .query_one(&format!("select count(*) from {table}"), &[])
            .await?;
        print::line(&format!(
            "{table:<24} {:>12} rows",
            print::thousands(count.get(0))
        ));
    }
    print::line("");
    print::line("device    day         minutes worn   steps   bpm avg   minutes asleep");
    for row in client.query(SAMPLE, &[]).await? {
        let (device, day, worn, steps): (&str, &str, i64, i64) =
            (row.get(0), row.get(1), row.get(2), row.get(3));
        let (bpm, asleep): (&str, &str) = (row.get(4), row.get(5));
        print::line(&format!(
            "{device}  {day}  {worn:>12}  {steps:>6}  {bpm:>8}  {asleep:>15}"
        ));
    }
    Ok(())
}
