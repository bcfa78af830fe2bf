//! `status` and `verify`: one report, printed.

use std::time::Duration;

use pulseline_auditor::{Days, Scope, VerifyConfig};
use pulseline_runtime::clock::Clock;
use pulseline_runtime::config::ConfigError;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_sql::periods::number_of;

use crate::args::VerifyArgs;
use crate::exit::Outcome;
use crate::print;
use crate::settings::Settings;

/// Two months: they cover late and corrected uploads, and take minutes however long the history is.
const NEWEST_DAYS: i32 = 62;

pub(crate) async fn status(settings: Settings, json: bool) -> anyhow::Result<Outcome> {
    let status = pulseline_auditor::status(&settings.audited()?).await;
    print::line(&if json {
        serde_json::to_string_pretty(&status)?
    } else {
        status.to_string()
    });
    Ok(Outcome::Done)
}

pub(crate) async fn verify(settings: Settings, arguments: &VerifyArgs) -> anyhow::Result<Outcome> {
    let shutdown = Shutdown::new();
    shutdown.on_signals(settings.drain())?;
    let config = VerifyConfig {
        settle: Duration::from_secs(arguments.settle),
        scope: scope(arguments, Clock::system().now_utc_millis())?,
        repair: arguments.repair,
        limit: arguments.minutes.map(|minutes| Duration::from_secs(60 * minutes)),
    };
    // Progress goes to standard error, so that standard output holds only the verdict.
    let progress = |line: &str| print::error(line);
    let verdict = pulseline_auditor::verify(&config, &settings.audited()?, &shutdown, &progress).await?;
    print::line(&if arguments.json {
        serde_json::to_string_pretty(&verdict)?
    } else {
        verdict.to_string()
    });
    Ok(match (verdict.is_equal(), verdict.is_complete()) {
        (false, _) => Outcome::Different,
        (true, false) => Outcome::Unfinished,
        (true, true) => Outcome::Done,
    })
}

fn scope(arguments: &VerifyArgs, now_utc_millis: i64) -> Result<Scope, ConfigError> {
    let days = match (arguments.from, arguments.to) {
        (Some(from), Some(to)) if from > to => {
            return Err(ConfigError::Invalid(format!("--from {from} is after --to {to}")));
        }
        (Some(from), Some(to)) => Days::Between(number_of(from)..number_of(to) + 1),
        _ if arguments.full => Days::All,
        _ => Days::Newest {
            count: NEWEST_DAYS,
            now_utc_millis,
        },
    };
    Ok(Scope {
        days,
        relations: arguments.relation.iter().cloned().collect(),
        start_at: arguments.start_at.clone(),
    })
}
