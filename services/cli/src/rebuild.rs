//! `rebuild`: builds a second warehouse from MongoDB and swaps it in.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pulseline_admin::rebuilder::{RebuildReport, Rebuilder, Step};
use pulseline_runtime::config::ConfigError;
use pulseline_runtime::telemetry;
use pulseline_sql::periods::date_of;

use crate::args::RebuildArgs;
use crate::exit::Outcome;
use crate::heal;
use crate::print;
use crate::settings::Settings;

const BAR: &str = "{bar:30} {percent:>3} %  {human_pos} of {human_len} uploads, {per_sec}, {eta} left  {msg}";

pub(crate) async fn run(settings: Settings, arguments: &RebuildArgs) -> anyhow::Result<Outcome> {
    if !settings.timescale.schema_prefix.is_empty() {
        let text = "timescale.schema_prefix must be empty: rebuild replaces the warehouse in use";
        return Err(ConfigError::Invalid(text.into()).into());
    }
    telemetry::init_logs();
    let rebuilder = Rebuilder {
        healer: heal::healer(&settings)?,
        compactor: settings.compactor.clone(),
        settle: Duration::from_secs(arguments.settle),
    };
    rebuilder.healer.shutdown.on_signals(settings.drain())?;
    if arguments.drop_old || arguments.discard {
        let dropped = if arguments.drop_old {
            rebuilder.drop_old().await?
        } else {
            rebuilder.discard().await?
        };
        print::line(if dropped { "dropped" } else { "nothing to drop" });
        return Ok(Outcome::Done);
    }
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template(BAR)?);
    let tell = |step: Step| show(&bar, &step);
    let built = rebuilder.run(&tell).await;
    bar.finish_and_clear();
    let report = built?;
    if arguments.json {
        print::line(&serde_json::to_string_pretty(&report)?);
    } else {
        conclude(&report);
    }
    Ok(outcome(&report))
}

/// Progress goes to standard error, so that standard output holds only the result.
fn show(bar: &ProgressBar, step: &Step) {
    match step {
        Step::Begun(false) => {
            print::error("building the new warehouse in next_raw, next_stage, next_agg, next_ops")
        }
        Step::Begun(true) => print::error("resuming the rebuild in next_raw, next_stage, next_agg, next_ops"),
        Step::Carrying(until) => bar.set_message(format!(
            "carrying over rows without documents, up to {}",
            date_of(*until)
        )),
        Step::Filling(standing) => {
            bar.set_length(u64::try_from(standing.offsets).unwrap_or_default());
            bar.set_position(u64::try_from(standing.built).unwrap_or_default());
            bar.set_message(match standing.unread {
                0 => format!("refreshing: {:.0} s behind", standing.oldest_seconds),
                unread => format!("{unread} collections left to read"),
            });
        }
        Step::Healed(healed) => bar.suspend(|| print::error(&heal::said(healed))),
        Step::Verifying(line) => bar.suspend(|| print::error(line)),
        Step::Swapping => {
            bar.suspend(|| print::error("no difference: waiting until the new warehouse has caught up"))
        }
    }
}

fn conclude(report: &RebuildReport) {
    if let Some(verdict) = &report.verdict {
        print::line(&verdict.to_string());
    }
    let uploads = print::thousands(report.offsets);
    print::line(&format!(
        "loaded {uploads} uploads in {:.1} s",
        report.fill_seconds
    ));
    if report.carried_days > 0 {
        let days = print::thousands(report.carried_days);
        print::line(&format!(
            "carried over the rows of {days} days, whose documents are no longer kept"
        ));
    }
    print::line(match (report.is_swapped, &report.verdict) {
        (true, _) => {
            "swapped: the new warehouse is in use; `rebuild --drop-old` drops the previous one (old_…)"
        }
        (false, Some(verdict)) if !verdict.differences.is_empty() => {
            "NOT swapped: the new warehouse differs; inspect it with timescale.schema_prefix = \"next_\", then run this again, or \
             `rebuild --discard`"
        }
        (false, _) => "stopped before the swap: run the command again to resume",
    });
}

fn outcome(report: &RebuildReport) -> Outcome {
    match &report.verdict {
        _ if report.is_swapped => Outcome::Done,
        Some(verdict) if !verdict.differences.is_empty() => Outcome::Different,
        _ => Outcome::Unfinished,
    }
}
