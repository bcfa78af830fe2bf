//! `stack up`, `down`, `status`, `env`.

use pulseline_runtime::shutdown::Shutdown;
use pulseline_stack::{Endpoints, StackOptions};

use crate::args::{Cli, StackCommand};
use crate::exit::Outcome;
use crate::print;

pub(crate) async fn run(cli: &Cli, command: &StackCommand) -> anyhow::Result<Outcome> {
    match command {
        StackCommand::Up { detach, fresh, name } => {
            let options = StackOptions {
                root: cli.stack_root.clone(),
                name: name.clone(),
                fresh: *fresh,
            };
            up(&options, *detach).await?;
        }
        StackCommand::Down { name } => {
            pulseline_stack::down(&cli.stack_root, name).await?;
            print::line(&format!("stack \"{name}\" is stopped; its data stays"));
        }
        StackCommand::Status { name, json } => {
            let status = pulseline_stack::status(&cli.stack_root, name)?;
            print::line(&match (&status.endpoints, json) {
                (_, true) => serde_json::to_string_pretty(&status)?,
                (None, false) => format!("stack \"{name}\" does not run"),
                (Some(endpoints), false) => format!("stack \"{name}\" runs\n{}", exports(endpoints)),
            });
        }
        StackCommand::Env { name } => {
            print::line(&exports(&pulseline_stack::endpoints(&cli.stack_root, name)?))
        }
    }
    Ok(Outcome::Done)
}

async fn up(options: &StackOptions, detach: bool) -> anyhow::Result<()> {
    if detach {
        let mut arguments = vec!["--stack-root".to_owned(), options.root.display().to_string()];
        arguments.extend(["stack", "up", "--name", &options.name].map(str::to_owned));
        arguments.extend(options.fresh.then(|| "--fresh".to_owned()));
        print::error(
            "starting the servers; the first time fetches about 250 MB and builds one of them, which takes some minutes",
        );
        let endpoints = pulseline_stack::detach(options, &arguments).await?;
        print::line(&exports(&endpoints));
        return Ok(());
    }
    let shutdown = Shutdown::new();
    shutdown.on_signals(std::time::Duration::from_secs(60))?;
    let progress = |line: &str| print::line(line);
    pulseline_stack::supervise(options, &progress, shutdown.stopping()).await?;
    Ok(())
}

/// Lines for a shell.
pub(crate) fn exports(endpoints: &Endpoints) -> String {
    endpoints
        .environment()
        .map(|(name, value)| format!("export {name}=\"{value}\""))
        .join("\n")
}
