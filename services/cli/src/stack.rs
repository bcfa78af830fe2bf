//! `stack up`, `down`, `status`, `env`.

use pulseline_runtime::shutdown::Shutdown;
use pulseline_stack::{Endpoints, StackOptions};

use crate::args::{Cli, StackCommand};
use crate::exit::Outcome;
use crate::print;

/// The stack's name when none is given.
const DEFAULT: &str = "default";

/// The stack's name: `--name` takes precedence over the global `--stack`.
fn name<'a>(own: Option<&'a String>, of_line: Option<&'a String>) -> &'a str {
    own.or(of_line).map_or(DEFAULT, String::as_str)
}

pub(crate) async fn run(cli: &Cli, command: &StackCommand) -> anyhow::Result<Outcome> {
    let (StackCommand::Up { name: own, .. }
    | StackCommand::Down { name: own }
    | StackCommand::Status { name: own, .. }
    | StackCommand::Env { name: own }) = command;
    let name = name(own.as_ref(), cli.stack.as_ref());
    match command {
        StackCommand::Up { detach, fresh, .. } => {
            let options = StackOptions {
                root: cli.stack_root.clone(),
                name: name.to_owned(),
                fresh: *fresh,
            };
            up(&options, *detach).await?;
        }
        StackCommand::Down { .. } => {
            pulseline_stack::down(&cli.stack_root, name).await?;
            print::line(&format!("stack \"{name}\" has stopped; its data is kept"));
        }
        StackCommand::Status { json, .. } => {
            let status = pulseline_stack::status(&cli.stack_root, name)?;
            print::line(&match (&status.endpoints, json) {
                (_, true) => serde_json::to_string_pretty(&status)?,
                (None, false) => format!("stack \"{name}\" is not running"),
                (Some(endpoints), false) => format!("stack \"{name}\" is running\n{}", exports(endpoints)),
            });
        }
        StackCommand::Env { .. } => {
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
        print::error("starting the servers; the first start downloads about 300 MB");
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

/// The servers' addresses as shell exports.
pub(crate) fn exports(endpoints: &Endpoints) -> String {
    endpoints
        .environment()
        .map(|(name, value)| format!("export {name}=\"{value}\""))
        .join("\n")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::Command;

    /// The stack that a command line selects.
    fn meant(line: &str) -> String {
        let cli = Cli::parse_from(line.split_whitespace());
        let Command::Stack(command) = &cli.command else {
            panic!("{line}")
        };
        let (StackCommand::Up { name: own, .. }
        | StackCommand::Down { name: own }
        | StackCommand::Status { name: own, .. }
        | StackCommand::Env { name: own }) = command;
        name(own.as_ref(), cli.stack.as_ref()).to_owned()
    }

    #[test]
    fn every_subcommand_uses_the_stack_of_its_command_line() {
        for subcommand in ["up", "down", "status", "env"] {
            let line = |before: &str, after: &str| format!("pulseline {before} stack {subcommand} {after}");
            assert_eq!(meant(&line("", "")), "default");
            assert_eq!(meant(&line("--stack two", "")), "two");
            assert_eq!(meant(&line("", "--stack two")), "two");
            assert_eq!(meant(&line("", "--name three")), "three");
            assert_eq!(meant(&line("--stack two", "--name three")), "three");
        }
    }
}
