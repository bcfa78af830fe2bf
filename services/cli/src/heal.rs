//! `heal`: repairs lost offsets from MongoDB and Kafka.

use std::time::Duration;

use pulseline_admin::healer::{HealReport, Healed, Healer, Rounds};
use pulseline_runtime::config::ConfigError;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::telemetry;

use crate::args::HealArgs;
use crate::exit::Outcome;
use crate::print;
use crate::services;
use crate::settings::Settings;

pub(crate) async fn run(settings: Settings, arguments: &HealArgs) -> anyhow::Result<Outcome> {
    let grace = Duration::from_secs(arguments.grace);
    if let Some(every) = arguments.every {
        settings.healer.validate().map_err(ConfigError::Invalid)?;
        let rounds = Rounds {
            retain_documents_days: settings.healer.retain_documents_days,
            pause: Duration::from_secs(every),
            grace,
            offsets: arguments.round,
        };
        let healer = healer(&settings)?;
        return services::serve(&settings, "healer", |health, shutdown| {
            pulseline_admin::healer::run(Healer { shutdown, ..healer }, rounds, health)
        })
        .await;
    }
    telemetry::init_logs();
    let healer = healer(&settings)?;
    healer.shutdown.on_signals(settings.drain())?;
    // Progress goes to standard error, so that standard output holds only the result.
    print::error("searching for offsets that are not accounted for");
    let (holes, in_flight) = healer.find(grace).await?;
    let found = holes.len();
    if arguments.dry_run {
        for hole in &holes {
            print::line(&format!("{hole} is lost"));
        }
        print::line(&format!(
            "{found} holes, {in_flight} offsets in flight; nothing was changed: --dry-run"
        ));
        return Ok(outcome(holes.is_empty()));
    }
    let mut tell = |healed: &Healed| {
        if !arguments.json {
            print::line(&said(healed));
        }
    };
    let report = HealReport {
        holes: healer.repair(holes, &mut tell).await?,
        in_flight,
    };
    if arguments.json {
        print::line(&serde_json::to_string_pretty(&report)?);
    } else {
        let repaired = report.holes.iter().filter(|healed| healed.left.is_none()).count();
        print::line(&format!(
            "{found} holes, {repaired} repaired, {in_flight} offsets in flight"
        ));
    }
    Ok(outcome(report.is_whole() && report.holes.len() == found))
}

/// A healer with these settings.
pub(crate) fn healer(settings: &Settings) -> anyhow::Result<Healer> {
    settings.require_registry()?;
    Ok(Healer {
        audited: settings.audited()?,
        registry: settings.registry.clone(),
        sink: settings.sink.clone(),
        loader: settings.loader.clone(),
        shutdown: Shutdown::new(),
    })
}

/// Describes the outcome of one repair.
pub(crate) fn said(healed: &Healed) -> String {
    let Healed {
        hole,
        documents,
        messages,
        left,
        are_removed,
        ..
    } = healed;
    let from = format!("{documents} documents and {messages} Kafka messages");
    match left {
        None => format!("{hole}: repaired from {from}"),
        Some(left) if *are_removed => format!(
            "{hole}: found {from}; no store has {left}: documents of such offsets were removed for their age \
             (healer.retain_documents_days)"
        ),
        Some(left) => format!("{hole}: found {from}; no store has {left}"),
    }
}

fn outcome(is_whole: bool) -> Outcome {
    if is_whole {
        Outcome::Done
    } else {
        Outcome::Different
    }
}
