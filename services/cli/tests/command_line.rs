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
        "console",
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
fn shells_complete_commands_and_each_command_has_a_manual_page() -> Result<()> {
    for shell in ["bash", "zsh", "fish"] {
        let script = text(&pulseline(&["completions", shell]).output()?);
        ensure!(
            script.contains("dead-letters"),
            "{shell} does not know dead-letters:\n{script}"
        );
    }
    let folder = tempfile::tempdir()?;
    let pages = folder.path().join("man1");
    let output = pulseline(&["man"]).arg(&pages).output()?;
    ensure!(output.status.success(), "{}", text(&output));
    let page = std::fs::read_to_string(pages.join("pulseline-dead-letters-replay.1"))?;
    ensure!(page.contains(".SH OPTIONS"), "no page of `man`:\n{page}");
    Ok(())
}

#[test]
fn a_missing_server_is_named_with_what_to_do_and_ends_with_code_2() -> Result<()> {
    let cases = [
        ("sink", "PULSELINE__KAFKA__BROKERS"),
        ("load", "PULSELINE__MONGO__URI"),
        ("console", "PULSELINE__KAFKA__BROKERS"),
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
    let root = tempfile::tempdir()?;
    let mut status = pulseline(&["stack", "status", "--stack-root"]);
    let mut child = status
        .arg(root.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    drop(child.stdout.take());
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "{}", text(&output));
    Ok(())
}

#[test]
fn a_dry_run_of_a_replay_says_what_is_there_and_sends_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let files = folder.path().join("p07/fitbit");
    std::fs::create_dir_all(&files)?;
    std::fs::write(
        files.join("steps.json"),
        r#"[{"dateTime":"2019-11-01 10:00:00","value":"12"},{"dateTime":"yesterday","value":"1"},{"dateTime":"2019-11-01 10:01:00","value":0}]"#,
    )?;
    std::fs::write(files.join("weather.json"), "[]")?;
    let dry = |words: &[&str]| -> Result<(Option<i32>, String)> {
        let mut command = pulseline(&["generate", "replay", "--dry-run"]);
        let output = command.arg(folder.path()).args(words).output()?;
        Ok((output.status.code(), text(&output)))
    };
    let (code, said) = dry(&[])?;
    ensure!(code == Some(0), "{said}");
    for expected in [
        "p07",
        "3 records",
        "2 readings, 1 refused",
        "p07/fitbit/steps.json: 1 refused (date), the first at byte 49",
        "not carried: weather.json",
        "no files of: ",
        "nothing was sent",
    ] {
        ensure!(said.contains(expected), "{expected} is missing:\n{said}");
    }
    let (code, said) = dry(&["--participant", "p99"])?;
    ensure!(
        code == Some(2) && said.contains("no person called p99; they contain p07"),
        "{said}"
    );
    let (code, said) = dry(&["--clock", "steps=lunar"])?;
    ensure!(code == Some(2) && said.contains("lunar"), "{said}");
    std::fs::remove_dir_all(folder.path())?;
    let (code, said) = dry(&[])?;
    ensure!(code == Some(2) && said.contains("No such file"), "{said}");
    Ok(())
}

#[test]
fn a_console_says_that_its_address_is_taken_and_never_its_token() -> Result<()> {
    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let mut console = pulseline(&["console"]);
    console
        .env("PULSELINE__KAFKA__BROKERS", "127.0.0.1:1")
        .env("PULSELINE__MONGO__URI", "mongodb://127.0.0.1:1/?replicaSet=rs0")
        .env(
            "PULSELINE__TIMESCALE__URL",
            "postgres://u@127.0.0.1:1/d?sslmode=disable",
        )
        .env("PULSELINE__CONSOLE__LISTEN", taken.local_addr()?.to_string());
    let mut said = |token: &str| -> Result<(Option<i32>, String)> {
        let output = console.env("PULSELINE__CONSOLE__TOKEN", token).output()?;
        Ok((output.status.code(), text(&output)))
    };
    let (code, text) = said("0123456789-abcdef-hunter2")?;
    ensure!(
        code == Some(3) && text.contains("console.listen") && !text.contains("hunter2"),
        "{text}"
    );
    let (code, text) = said("hunter2")?;
    ensure!(
        code == Some(2) && text.contains("console.token") && !text.contains("hunter2"),
        "{text}"
    );
    Ok(())
}
