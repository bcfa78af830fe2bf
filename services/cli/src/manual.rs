//! Shell completions and manual pages, generated from the command definitions.

use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::Outcome;
use crate::print;

/// Prints shell completions.
pub(crate) fn completions(shell: Shell) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pulseline", &mut script);
    print::line(String::from_utf8(script)?.trim_end());
    Ok(Outcome::Done)
}

/// Writes one manual page per command into a folder, which is created when missing.
pub(crate) fn pages(folder: &Path) -> Result<Outcome> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("cannot write into {}", folder.display()))?;
    Ok(Outcome::Done)
}
