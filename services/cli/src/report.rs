//! `status` and `verify`: asked once, printed.

use std::time::Duration;

use pulseline_auditor::VerifyConfig;
use pulseline_runtime::shutdown::Shutdown;

use crate::args::VerifyArgs;
use crate::exit::Outcome;
use crate::print;
use crate::settings::Settings;

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
    };
    // Steps go to standard error: with --json, standard output holds nothing else.
    let progress = |line: &str| print::error(line);
    let verdict = pulseline_auditor::verify(config, &settings.audited()?, &shutdown, &progress).await?;
    print::line(&if arguments.json {
        serde_json::to_string_pretty(&verdict)?
    } else {
        verdict.to_string()
    });
    Ok(if verdict.is_equal() {
        Outcome::Done
    } else {
        Outcome::Different
    })
}
