//! Runs what fetches a program, and writes the files that it needs.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::error::StackError;

pub(crate) fn write(path: &Path, text: &str) -> Result<(), StackError> {
    fs::write(path, text).map_err(StackError::io(format!("write {}", path.display())))
}

pub(crate) async fn run(what: &str, folder: &Path, words: &[&str]) -> Result<(), StackError> {
    let output = Command::new(if words[0].contains('/') {
        folder.join(words[0])
    } else {
        words[0].into()
    })
    .args(&words[1..])
    .current_dir(folder)
    .stdin(Stdio::null())
    .kill_on_drop(true)
    .output()
    .await
    .map_err(StackError::io(format!("run {}", words[0])))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let lines: Vec<_> = text.lines().collect();
    let output = lines[lines.len().saturating_sub(20)..].join("\n");
    Err(StackError::Command {
        what: what.to_owned(),
        output,
    })
}
