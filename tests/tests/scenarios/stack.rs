//! `pulseline stack` on the command line.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pulseline_tests::service::binary;
use pulseline_tests::world::stack_root;
use tokio::process::Command;

const NAME: &str = "test-command";
const POLL: Duration = Duration::from_millis(200);
const POLLS: usize = 600;

fn stack(words: &[&str]) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command
        .arg("--stack-root")
        .arg(stack_root())
        .arg("stack")
        .args(words)
        .args(["--name", NAME]);
    command.stdin(Stdio::null()).kill_on_drop(true);
    Ok(command)
}

async fn output(words: &[&str]) -> Result<String> {
    let output = stack(words)?.output().await?;
    ensure!(
        output.status.success(),
        "{words:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

/// Number of processes with the stack's data directory on their command line.
fn servers() -> Result<usize> {
    let data = format!("run/{NAME}/data/");
    let mut count = 0;
    for entry in std::fs::read_dir("/proc")? {
        // Processes may end during the scan.
        let line = std::fs::read(entry?.path().join("cmdline")).unwrap_or_default();
        count += usize::from(String::from_utf8_lossy(&line).contains(&data));
    }
    Ok(count)
}

async fn until_servers(wanted: impl Fn(usize) -> bool) -> Result<()> {
    for _ in 0..POLLS {
        if wanted(servers()?) {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
    bail!("{} servers, not the expected number", servers()?)
}

#[tokio::test]
async fn up_status_down_and_no_orphans_of_a_killed_supervisor() -> Result<()> {
    // Three of the four servers have the data directory on the command line; the registry has it in its
    // environment.
    ensure!(output(&["status"]).await?.contains("is not running"));
    let exports = output(&["up", "--detach", "--fresh"]).await?;
    ensure!(
        exports.lines().count() == 4 && exports.contains("PULSELINE__KAFKA__BROKERS"),
        "{exports}"
    );
    ensure!(output(&["env"]).await? == exports);
    let again = stack(&["up", "--detach"])?.output().await?;
    ensure!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains("already running"));
    until_servers(|count| count >= 3).await?;
    output(&["down"]).await?;
    until_servers(|count| count == 0).await?;
    let mut supervisor = stack(&["up"])?.stdout(Stdio::null()).spawn()?;
    for _ in 0..POLLS {
        if output(&["status"]).await?.contains("PULSELINE__") {
            break;
        }
        ensure!(supervisor.try_wait()?.is_none(), "the supervisor ended by itself");
        tokio::time::sleep(POLL).await;
    }
    until_servers(|count| count >= 3).await?;
    let registry: serde_json::Value = serde_json::from_str(&output(&["status", "--json"]).await?)?;
    let registry = registry["endpoints"]["registry_url"]
        .as_str()
        .context("no registry")?
        .to_owned();
    let _installed = rustls::crypto::ring::default_provider().install_default();
    ensure!(
        reqwest::get(format!("{registry}/subjects"))
            .await?
            .status()
            .is_success()
    );
    supervisor.kill().await?;
    until_servers(|count| count == 0).await?;
    for _ in 0..POLLS {
        if reqwest::get(format!("{registry}/subjects")).await.is_err() {
            ensure!(output(&["status"]).await?.contains("is not running"));
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
    bail!("the registry outlived its supervisor")
}
