//! The Pulseline binary: wiring only.

mod args;
mod backfill;
mod config_check;
mod config_show;
mod dead_letters;
mod demo;
mod exit;
mod forget;
mod heal;
mod manual;
mod print;
mod rebuild;
mod renamed;
mod replay;
mod report;
mod services;
mod settings;
mod stack;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command, ConfigCommand, Generate};
use exit::Outcome;
use settings::Settings;

#[tokio::main]
async fn main() -> ExitCode {
    // All TLS clients of this process use it. A second installation fails harmlessly.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let cli = Cli::parse();
    exit::code(Box::pin(run(cli)).await)
}

async fn run(cli: Cli) -> anyhow::Result<Outcome> {
    let settings = || Settings::load(&cli);
    match &cli.command {
        Command::Generate(Generate::Simulate(arguments)) => match &arguments.write {
            Some(dir) => replay::write(services::simulate_config(arguments)?, dir).await,
            None => services::simulate(settings()?, arguments).await,
        },
        Command::Generate(Generate::Replay(arguments)) => replay::replay(settings()?, arguments).await,
        Command::Sink => services::sink(settings()?).await,
        Command::Load => services::load(settings()?).await,
        Command::Compact(arguments) => services::compact(settings()?, arguments).await,
        Command::Backfill(arguments) => backfill::run(settings()?, arguments).await,
        Command::DeadLetters(command) => dead_letters::run(settings()?, command).await,
        Command::Heal(arguments) => heal::run(settings()?, arguments).await,
        Command::Forget(arguments) => forget::run(settings()?, arguments).await,
        Command::Rebuild(arguments) => rebuild::run(settings()?, arguments).await,
        Command::Console => services::console(settings()?).await,
        Command::Config(ConfigCommand::Show(arguments)) => config_show::run(&cli, arguments),
        Command::Config(ConfigCommand::Check(arguments)) => config_check::run(settings()?, arguments).await,
        Command::Migrate => services::migrate(settings()?).await,
        Command::Verify(arguments) => report::verify(settings()?, arguments).await,
        Command::Status(arguments) => report::status(settings()?, arguments.json).await,
        Command::Demo(arguments) => demo::run(&cli.stack_root, arguments).await,
        Command::Stack(command) => stack::run(&cli, command).await,
        Command::Completions { shell } => manual::completions(*shell),
        Command::Man { folder } => manual::pages(folder),
    }
}
