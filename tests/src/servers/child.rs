//! A process that ends with the test; it is ready when it listens.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::net::TcpStream;
use tokio::process::{Child as Process, Command};

use crate::world::stack_root;

const READY: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
/// `nobody` on Debian: PostgreSQL and PgBouncer refuse to run as root.
const NOBODY: u32 = 65_534;
/// Libraries of the packages that this machine lacks.
const LIBRARIES: &str = "libraries";

/// The program and its arguments.
pub(super) struct Program {
    pub(super) words: Vec<OsString>,
    /// Its working directory, with its log.
    pub(super) folder: PathBuf,
    /// Its own folder, readable for an unprivileged user.
    pub(super) brought: Option<PathBuf>,
}

/// A running server; it is killed when dropped.
pub(super) struct Child {
    process: Process,
    log: PathBuf,
}

impl Child {
    /// Starts it and waits until it listens.
    pub(super) async fn start(program: &Program, port: u16) -> Result<Self> {
        let log = program.folder.join("server.log");
        let output = File::create(&log)?;
        let process = command(program)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true)
            .spawn()?;
        let mut child = Self { process, log };
        let deadline = Instant::now() + READY;
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            let ended = child.process.try_wait()?;
            ensure!(
                ended.is_none() && Instant::now() < deadline,
                "the server does not listen:\n{}",
                std::fs::read_to_string(&child.log)?
            );
            tokio::time::sleep(POLL).await;
        }
        Ok(child)
    }

    /// Kills it with SIGKILL and waits for its end.
    pub(super) async fn kill(&mut self) -> Result<()> {
        Ok(self.process.kill().await?)
    }
}

/// Runs a program to its end.
pub(super) async fn run(program: &Program, input: Stdio) -> Result<()> {
    let output = command(program).stdin(input).output().await?;
    ensure!(
        output.status.success(),
        "{:?}:\n{}",
        program.words,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn command(program: &Program) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if program.brought.is_some() && is_root() {
        let nobody = NOBODY.to_string();
        command.args(["--reuid", &nobody, "--regid", &nobody, "--clear-groups"]);
    }
    command
        .arg("--")
        .args(&program.words)
        .current_dir(&program.folder);
    let home = program.brought.clone().unwrap_or_else(packages);
    command.env("LD_LIBRARY_PATH", home.join(LIBRARIES));
    command
}

/// Copies a part of the unpacked packages, and the missing libraries, into a folder that an unprivileged server can
/// read, independent of the location of this checkout.
pub(super) fn bring(part: &str, folder: &Path) -> Result<PathBuf> {
    let (from, to) = (packages(), folder.join(part));
    let parent = to.parent().context("no parent")?;
    std::fs::create_dir_all(parent)?;
    for (source, target) in [(from.join(part), parent), (from.join(LIBRARIES), folder)] {
        let copied = std::process::Command::new("cp")
            .args(["-rL", "--"])
            .args([&source, target])
            .status()?;
        ensure!(
            copied.success(),
            "{} is missing: scripts/test unpacks it",
            source.display()
        );
    }
    Ok(to)
}

/// The only subfolder of a folder, such as a version's.
pub(super) fn sole(folder: &Path) -> Result<PathBuf> {
    let mut entries = std::fs::read_dir(folder)?;
    let entry = entries.next().context("an empty folder")??;
    Ok(entry.path())
}

/// Gives a folder and its content to the user of an unprivileged server.
pub(super) fn give_away(path: &Path) -> Result<()> {
    if !is_root() {
        return Ok(());
    }
    chown(path, Some(NOBODY), Some(NOBODY))?;
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            give_away(&entry?.path())?;
        }
    }
    Ok(())
}

/// Writes a file that only its owner can read.
pub(super) fn copy_private(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to)?;
    Ok(std::fs::set_permissions(
        to,
        std::fs::Permissions::from_mode(0o600),
    )?)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Folder of the unpacked packages.
fn packages() -> PathBuf {
    stack_root().join("programs/test-servers")
}

/// A program of the unpacked packages.
pub(super) fn program(path: &str) -> Result<PathBuf> {
    let found = packages().join(path);
    found
        .canonicalize()
        .with_context(|| format!("{} is missing: scripts/test unpacks it", found.display()))
}
