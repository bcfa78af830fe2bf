//! The command line by itself: help, exit codes, and readers that leave early.

use std::process::{Command, Output, Stdio};

use anyhow::{Result, ensure};

fn pulseline(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pulseline"));
    command.args(words).env_remove("PULSELINE_STACK");
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[test]
fn help_has_examples_and_names_every_command() -> Result<()> {
    let help = text(&pulseline(&["--help"]).output()?);
    for word in [
        "Examples:",
        "generate",
        "sink",
        "load",
        "compact",
        "migrate",
        "verify",
        "status",
        "demo",
        "stack",
    ] {
        ensure!(help.contains(word), "{word} is missing:\n{help}");
    }
    Ok(())
}

#[test]
fn a_missing_server_is_named_with_what_to_do_and_ends_with_code_2() -> Result<()> {
    let cases = [
        ("sink", "PULSELINE__KAFKA__BROKERS"),
        ("load", "PULSELINE__MONGO__URI"),
        ("migrate", "PULSELINE__TIMESCALE__URL"),
    ];
    for (command, variable) in cases {
        let output = pulseline(&[command]).output()?;
        ensure!(output.status.code() == Some(2), "{command}: {}", text(&output));
        ensure!(text(&output).contains(variable), "{command}: {}", text(&output));
    }
    Ok(())
}

#[test]
fn a_password_in_a_wrong_url_is_not_told() -> Result<()> {
    let mut migrate = pulseline(&["migrate"]);
    let output = migrate
        .env("PULSELINE__TIMESCALE__URL", "nonsense://u:hunter2@h/")
        .output()?;
    ensure!(
        !output.status.success() && !text(&output).contains("hunter2"),
        "{}",
        text(&output)
    );
    Ok(())
}

#[test]
fn a_reader_that_leaves_early_is_no_error() -> Result<()> {
    let root = std::env::temp_dir().join("pulseline-early-reader");
    let mut status = pulseline(&["stack", "status", "--stack-root"]);
    let mut child = status
        .arg(&root)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    drop(child.stdout.take());
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{}", text(&output));
    Ok(())
}
