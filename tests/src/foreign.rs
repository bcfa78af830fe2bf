//! A foreign Kafka client: Python in its own environment, beside the embedded servers' programs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Result, ensure};
use tokio::process::Command;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::world::{World, stack_root};

/// Reads a topic to its end and returns the script's output.
///
/// # Errors
/// When the environment cannot be created, or the script fails.
pub async fn read_topic(world: &World, topic: &str) -> Result<serde_json::Value> {
    script(world, "read_topic.py", &[topic]).await
}

/// The uploads of a foreign client.
#[derive(Debug, serde::Deserialize)]
pub struct Written {
    /// Ids of the uploads that must arrive, by topic.
    pub arrive: BTreeMap<String, BTreeSet<Uuid>>,
    /// Ids of the uploads whose transactions were aborted.
    pub stay_away: BTreeSet<Uuid>,
}

/// Writes a day of steps and two large exercises of `device` with this codec.
///
/// # Errors
/// As [`read_topic`], for a topic or schema that may not exist yet.
pub async fn write_events(world: &World, codec: &str, mode: &str, device: Uuid) -> Result<Written> {
    let words = [codec, mode, &device.to_string()];
    let printed = script(world, "write_events.py", &words).await?;
    Ok(serde_json::from_value(printed)?)
}

async fn script(world: &World, name: &str, arguments: &[&str]) -> Result<serde_json::Value> {
    let python = environment().await?;
    let (brokers, registry) = (&world.endpoints.kafka_brokers, &world.endpoints.registry_url);
    let output = Command::new(python)
        .arg(folder().join(name))
        .args([brokers, registry])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign")
}

/// The Python of an environment with exactly the pinned packages; created once.
async fn environment() -> Result<PathBuf> {
    /// Several processes may create the environment at once.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());
    let _alone = ONE_AT_A_TIME.lock().await;
    let venv = stack_root().join("programs/foreign-client");
    let python = venv.join("bin/python");
    let pins = std::fs::read_to_string(folder().join("requirements.txt"))?;
    let stamp = venv.join("stamp");
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == pins) {
        return Ok(python);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv)).await?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "-r",
    ];
    run(Command::new(&python)
        .args(pip)
        .arg(folder().join("requirements.txt")))
    .await?;
    std::fs::write(&stamp, pins)?;
    Ok(python)
}

async fn run(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().await?;
    ensure!(
        output.status.success(),
        "{command:?}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
