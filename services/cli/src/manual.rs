//! What a shell and `man` know of the command line, made from its own definition.

use std::path::Path;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Cli;
use crate::exit::Outcome;
use crate::print;

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell) -> Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pulseline", &mut script);
    print::line(String::from_utf8(script)?.trim_end());
    Ok(Outcome::Done)
}

/// Writes one manual page for each command into a folder, which is made when it is missing.
pub(crate) fn pages(folder: &Path) -> Result<Outcome> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    clap_mangen::generate_to(Cli::command(), folder)
        .with_context(|| format!("cannot write into {}", folder.display()))?;
    Ok(Outcome::Done)
}
