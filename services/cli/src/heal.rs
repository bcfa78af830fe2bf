//! `heal`: holes in the accounting, mended from what is still there.

use std::time::Duration;

use pulseline_healer::{Healed, Healer, Report};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_runtime::telemetry;

use crate::args::HealArgs;
use crate::exit::Outcome;
use crate::print;
use crate::settings::Settings;

pub(crate) async fn run(settings: Settings, arguments: &HealArgs) -> anyhow::Result<Outcome> {
    telemetry::init_logs();
    let shutdown = Shutdown::new();
    shutdown.on_signals(settings.drain())?;
    let healer = Healer {
        audited: &settings.audited()?,
        loader: &settings.loader,
        shutdown: &shutdown,
    };
    // Standard output holds the result and nothing else.
    print::error("looking for offsets that nobody has accounted for");
    let (holes, in_flight) = healer.find(Duration::from_secs(arguments.grace)).await?;
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
    let report = Report {
        holes: healer.mend(holes, &mut tell).await?,
        in_flight,
    };
    if arguments.json {
        print::line(&serde_json::to_string_pretty(&report)?);
    } else {
        let mended = report.holes.iter().filter(|healed| healed.left.is_none()).count();
        print::line(&format!(
            "{found} holes, {mended} mended, {in_flight} offsets in flight"
        ));
    }
    Ok(outcome(report.is_whole() && report.holes.len() == found))
}

fn said(healed: &Healed) -> String {
    let Healed {
        hole,
        documents,
        left,
    } = healed;
    match left {
        None => format!("{hole}: mended from {documents} documents"),
        Some(left) => format!("{hole}: {documents} documents were there; MongoDB has nothing at {left}"),
    }
}

fn outcome(is_whole: bool) -> Outcome {
    if is_whole {
        Outcome::Done
    } else {
        Outcome::Different
    }
}
