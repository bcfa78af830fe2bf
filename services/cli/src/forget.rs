//! `forget`: erases a person from every store, and proves it.

use std::ops::Range;
use std::time::Duration;

use pulseline_admin::eraser::{Count, Eraser, EraserConnections, ErasureReport, PassedOn, Person};
use pulseline_runtime::telemetry;
use pulseline_sql::periods::date_of;

use crate::args::ForgetArgs;
use crate::exit::Outcome;
use crate::print;
use crate::settings::Settings;

pub(crate) async fn run(settings: Settings, arguments: &ForgetArgs) -> anyhow::Result<Outcome> {
    settings.require_kafka()?;
    settings.require_mongo()?;
    settings.require_timescale()?;
    telemetry::init_logs();
    let connections = EraserConnections {
        kafka: settings.kafka,
        mongo: settings.mongo,
        timescale: settings.timescale,
    };
    let mut eraser = Eraser::open(&connections).await?;
    let person = eraser.person(arguments.user, &arguments.device).await?;
    let outcome = if arguments.dry_run {
        let found = eraser.search(&person).await?;
        if arguments.json {
            print::line(&serde_json::to_string_pretty(&found)?);
        } else {
            introduce(&person);
            found
                .iter()
                .for_each(|count| print::line(&format!("  {}", said(count))));
            print::line("nothing was changed: --dry-run");
        }
        Outcome::Done
    } else {
        remove(&mut eraser, person, arguments).await?
    };
    eraser.close().await;
    Ok(outcome)
}

async fn remove(eraser: &mut Eraser, person: Person, arguments: &ForgetArgs) -> anyhow::Result<Outcome> {
    if !arguments.json {
        introduce(&person);
    }
    let mut tell = |count: &Count| {
        if !arguments.json {
            print::line(&format!("  removed {}", said(count)));
        }
    };
    let settle = Duration::from_secs(arguments.settle);
    let report = eraser.forget(person, settle, &mut tell).await?;
    if arguments.json {
        print::line(&serde_json::to_string_pretty(&report)?);
    } else {
        conclude(&report);
    }
    Ok(if report.is_erased() {
        Outcome::Done
    } else {
        Outcome::Different
    })
}

fn introduce(person: &Person) {
    let devices: Vec<String> = person.devices.iter().map(ToString::to_string).collect();
    print::line(&format!(
        "{} with {} devices: {}",
        person.user,
        devices.len(),
        devices.join(" ")
    ));
    for PassedOn { device, days } in &person.passed_on {
        let days: Vec<String> = days.iter().map(said_of_days).collect();
        let days = if days.is_empty() {
            "nothing of it is theirs".into()
        } else {
            format!("only data {} is theirs", days.join(" and "))
        };
        print::line(&format!("  {device} belongs to another person too: {days}"));
    }
}

/// The days of an owner in words.
fn said_of_days(days: &Range<i32>) -> String {
    match (days.start, days.end) {
        (i32::MIN, i32::MAX) => "of all days".into(),
        (i32::MIN, until) => format!("before {}", date_of(until)),
        (from, i32::MAX) => format!("from {} on", date_of(from)),
        (from, until) => format!("from {} until {}", date_of(from), date_of(until - 1)),
    }
}

fn conclude(report: &ErasureReport) {
    let total: u64 = report.removed.iter().map(|count| count.count).sum();
    print::line(&format!(
        "removed {} documents and rows",
        print::thousands(i64::try_from(total).unwrap_or(i64::MAX))
    ));
    if report.pending_days > 0 {
        print::line(&format!(
            "{} days wait for the compactor: run `pulseline compact --once`, then run this again",
            report.pending_days
        ));
    }
    for count in &report.found {
        print::line(&format!("STILL THERE: {}", said(count)));
    }
    if report.found.is_empty() {
        print::line("searched every collection, table and view: nothing is found");
    }
    for kept in &report.kafka {
        let until = kept.until.map_or_else(
            || "forever: the topic deletes nothing by age; set its retention.ms".into(),
            |until| format!("until {} at the latest", until.strftime("%Y-%m-%d %H:%M UTC")),
        );
        print::line(&format!("Kafka keeps messages of {} {until}", kept.topic));
    }
    print::line("MongoDB's oplog and the backups of both stores keep copies until they are overwritten");
}

fn said(count: &Count) -> String {
    format!(
        "{} of {}",
        print::thousands(i64::try_from(count.count).unwrap_or(i64::MAX)),
        count.place
    )
}
