//! `demo`: the whole flow on embedded servers, with a verdict.

mod children;
mod flow;
mod verdict;

use std::path::Path;

use pulseline_runtime::shutdown::Shutdown;
use pulseline_stack::{Stack, StackOptions};

use crate::args::DemoArgs;
use crate::exit::Outcome;
use crate::print;
use crate::settings::Settings;
use crate::stack::exports;
use children::Children;

/// How long a graceful stop may take after Ctrl-C.
const DRAIN: std::time::Duration = std::time::Duration::from_secs(60);

pub(crate) async fn run(root: &Path, arguments: &DemoArgs) -> anyhow::Result<Outcome> {
    let shutdown = Shutdown::new();
    shutdown.on_signals(DRAIN)?;
    let options = StackOptions {
        root: root.to_owned(),
        name: arguments.name.clone(),
        fresh: true,
    };
    let stack = Stack::start(&options, &|line: &str| print::line(line)).await?;
    let settings = Settings::at(stack.endpoints());
    let report = pulseline_sql::migrate(&settings.timescale).await?;
    print::line(&format!("the schema is at version {}", report.version));
    let logs = root.join("run").join(&arguments.name).join("logs");
    let mut children = Children::start(&logs, stack.endpoints()).await?;
    let console = children.start_console()?;
    print::line(&format!("console: {} (token: {})", console.0, console.1));
    let ended = flow_and_watch(&settings, arguments, &mut children, &shutdown).await;
    let is_good = match ended {
        Ok(is_good) => is_good,
        Err(error) => {
            children.stop().await;
            stack.stop().await?;
            return Err(error);
        }
    };
    if !arguments.once && !shutdown.is_stopping() {
        print::line(&addresses(&exports(stack.endpoints()), &console, &children));
        children.start_live(arguments).await?;
        let died = tokio::select! {
            () = shutdown.stopping() => None,
            died = children.first_end() => Some(died),
        };
        if let Some(reason) = died {
            print::error(&reason);
        }
    }
    children.stop().await;
    stack.stop().await?;
    Ok(if is_good {
        Outcome::Done
    } else {
        Outcome::Different
    })
}

/// Simulates, waits until all messages are processed, and verifies. Fails when a service ends meanwhile.
async fn flow_and_watch(
    settings: &Settings,
    arguments: &DemoArgs,
    children: &mut Children,
    shutdown: &Shutdown,
) -> anyhow::Result<bool> {
    let (flowed, memory) = tokio::select! {
        biased;
        died = children.first_end() => anyhow::bail!(died),
        flowed = flow::run(settings, arguments, shutdown) => (flowed?, children.memory()),
    };
    verdict::tell(settings, &flowed, &memory, shutdown).await
}

fn addresses(exports: &str, (page, token): &(String, String), children: &Children) -> String {
    let metrics = children
        .metrics()
        .map(|(service, url)| format!("  {service:<10} {url}"))
        .collect::<Vec<_>>()
        .join("\n");
    format!(
        "\nThe services keep running at real-time speed until Ctrl-C.\n\n\
         console   {page}\n\
         token     {token}   (allows replays of dead letters in this demo)\n\n\
         In another terminal:\n\n{exports}\n\n\
         metrics\n{metrics}\n\n\
         psql \"$PULSELINE__TIMESCALE__URL\" -c 'select * from agg.daily_summary order by bucket desc limit 10'\n\
         {program} status\n\
         logs: {logs}\n",
        program = std::env::args().next().unwrap_or_default(),
        logs = children.logs().display()
    )
}
