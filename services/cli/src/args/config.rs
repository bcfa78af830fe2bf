//! `config show`, `config check`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the settings that are in force, and where each came from; secrets show as ***.
    #[command(after_help = "Examples:
  pulseline config show                               everything, with its origin
  pulseline config show --changed                     only what is not a default
  pulseline --config pulseline.toml config show --json")]
    Show(ConfigShowArgs),
    /// Connect to all four servers: are they there, is it TLS, who are we, what may we not do; exit 2 or 3 otherwise.
    #[command(after_help = "Examples:
  pulseline --config pulseline.toml config check      before the services start
  pulseline --stack default config check

Exit codes: 0 all is well, 2 a setting is wrong or missing, 3 a server is away or refuses something that is needed.")]
    Check(ConfigCheckArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigShowArgs {
    /// Only what is not a default.
    #[arg(long)]
    pub(crate) changed: bool,
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigCheckArgs {
    /// As JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
