//! `config check`: each server's reachability, TLS version, our identity, and missing permissions.

use pulseline_clients::{HopReport, kafka, mongo, registry};
use serde::Serialize;

use crate::args::ConfigCheckArgs;
use crate::exit::{Outcome, is_configuration};
use crate::print;
use crate::settings::Settings;

/// The result of checking one server.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Check {
    Reached(HopReport),
    Failed {
        hop: &'static str,
        error: String,
        #[serde(skip)]
        is_configuration: bool,
    },
}

impl Check {
    fn of<E>(hop: &'static str, checked: Result<HopReport, E>) -> Self
    where
        anyhow::Error: From<E>,
    {
        checked.map_or_else(
            |error| {
                let error = anyhow::Error::from(error);
                Self::Failed {
                    hop,
                    error: crate::exit::describe(&error),
                    is_configuration: is_configuration(&error),
                }
            },
            Self::Reached,
        )
    }
}

pub(crate) async fn run(settings: Settings, arguments: &ConfigCheckArgs) -> anyhow::Result<Outcome> {
    settings.require_kafka()?;
    settings.require_registry()?;
    settings.require_mongo()?;
    settings.require_timescale()?;
    let (kafka, registry, mongo, timescale) = tokio::join!(
        kafka::check(&settings.kafka, &settings.sink.group),
        registry::check(&settings.registry),
        mongo::check(&settings.mongo),
        pulseline_sql::check(&settings.timescale),
    );
    let checks = [
        Check::of("Kafka", kafka),
        Check::of("registry", registry),
        Check::of("MongoDB", mongo),
        Check::of("TimescaleDB", timescale),
    ];
    if arguments.json {
        print::line(&serde_json::to_string_pretty(&checks)?);
    } else {
        table(&checks).iter().for_each(|line| print::line(line));
    }
    Ok(outcome(&checks))
}

/// A wrong setting takes precedence over a server's refusal: it is fixed here, the rest elsewhere.
fn outcome(checks: &[Check]) -> Outcome {
    let is_wrong = |check: &Check| {
        matches!(
            check,
            Check::Failed {
                is_configuration: true,
                ..
            }
        )
    };
    let is_short = |check: &Check| match check {
        Check::Failed { .. } => true,
        Check::Reached(report) => !report.missing.is_empty(),
    };
    if checks.iter().any(is_wrong) {
        Outcome::Misconfigured
    } else if checks.iter().any(is_short) {
        Outcome::Refused
    } else {
        Outcome::Done
    }
}

/// One line per server, and one per missing permission.
fn table(checks: &[Check]) -> Vec<String> {
    let mut lines = vec![format!(
        "{:<12} {:<28} {:<10} {}",
        "server", "reached", "TLS", "identity"
    )];
    for check in checks {
        match check {
            Check::Reached(report) => {
                let tls = report.tls.as_deref().unwrap_or("none");
                lines.push(format!(
                    "{:<12} {:<28} {tls:<10} {}",
                    report.hop, report.server, report.identity
                ));
                lines.extend(
                    report
                        .missing
                        .iter()
                        .map(|missing| format!("{:<12} needs: {missing}", "")),
                );
            }
            Check::Failed { hop, error, .. } => lines.push(format!("{hop:<12} failed: {error}")),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reached(missing: &[&str]) -> Check {
        Check::Reached(HopReport {
            hop: "Kafka",
            server: "1 brokers".into(),
            tls: Some("TLSv1.3".into()),
            identity: "pulseline".into(),
            missing: missing.iter().map(|text| (*text).to_owned()).collect(),
        })
    }

    fn failed(is_configuration: bool) -> Check {
        Check::Failed {
            hop: "MongoDB",
            error: "away".into(),
            is_configuration,
        }
    }

    #[test]
    fn a_wrong_setting_counts_before_a_server_that_refuses() {
        assert_eq!(outcome(&[reached(&[])]), Outcome::Done);
        assert_eq!(outcome(&[reached(&["x"])]), Outcome::Refused);
        assert_eq!(outcome(&[failed(false), failed(true)]), Outcome::Misconfigured);
    }

    #[test]
    fn the_table_says_who_we_are_and_what_is_missing() {
        let lines = table(&[reached(&["reading the group"]), failed(false)]).join("\n");
        for part in ["TLSv1.3", "pulseline", "needs: reading the group", "failed: away"] {
            assert!(lines.contains(part), "{part}\n{lines}");
        }
    }
}
