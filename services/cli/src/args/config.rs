//! `config show`, `config check`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the effective settings with their origin; secrets show as ***.
    #[command(after_help = "Examples:
  pulseline config show                               all settings
  pulseline config show --changed                     only settings that differ from the default
  pulseline --config pulseline.toml config show --json")]
    Show(ConfigShowArgs),
    /// Connect to all four servers and report TLS, identity and missing permissions; exit 2 or 3 on a problem.
    #[command(after_help = "Examples:
  pulseline --config pulseline.toml config check      run this before the services start
  pulseline --stack default config check

Exit codes: 0 all checks passed, 2 a setting is wrong or missing, 3 a server is unreachable or denies a permission.")]
    Check(ConfigCheckArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ConfigShowArgs {
    /// Print only settings that differ from the default.
    #[arg(long)]
    pub(crate) changed: bool,
    /// Print as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigCheckArgs {
    /// Print as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}
