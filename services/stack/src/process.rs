//! Child processes that never outlive their parent.
//!
//! `setpriv --pdeathsig` makes the kernel kill the child when the THREAD that started it ends, so all children are
//! started by one thread that lives as long as the process.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How long a server may take to stop before it is killed.
const STOP_DEADLINE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(50);

type Order = (Command, SyncSender<io::Result<Child>>);

/// The thread that starts children; it ends with the process.
fn starter() -> &'static SyncSender<Order> {
    static STARTER: OnceLock<SyncSender<Order>> = OnceLock::new();
    STARTER.get_or_init(|| {
        let (orders, taken) = sync_channel::<Order>(4);
        std::thread::spawn(move || {
            for (mut command, answer) in taken {
                // The caller waits for the answer; if it has gone, the child can only be dropped.
                drop(answer.send(command.spawn()));
            }
        });
        orders
    })
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` so that it dies with this process; its output goes to `log`.
    pub(crate) fn start(program: &Program, log: &Path) -> io::Result<Self> {
        let output = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).args(&program.words);
        command.envs(program.environment.iter().map(|(name, value)| (name, value)));
        command
            .current_dir(&program.folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        // Ctrl-C in a terminal reaches the whole process group, but the servers must run until they are stopped in
        // order.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let (answer, started) = sync_channel(1);
        let gone = || io::Error::other("the thread that starts servers has ended");
        starter().send((command, answer)).map_err(|_| gone())?;
        let child = started.recv().map_err(|_| gone())??;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<String> {
        self.child
            .try_wait()
            .ok()
            .flatten()
            .map(|status| status.to_string())
    }

    /// SIGKILL, and waits until the process is gone.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// SIGTERM, and SIGKILL when the deadline has passed; true when it ran and no signal ended it.
    pub(crate) async fn stop(&mut self) -> io::Result<bool> {
        let was_running = self.ended().is_none();
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let (true, Some(pid)) = (was_running, pid) {
            kill_process(pid, Signal::TERM)?;
        }
        let deadline = tokio::time::Instant::now() + STOP_DEADLINE;
        while self.ended().is_none() {
            if tokio::time::Instant::now() >= deadline {
                tracing::warn!(pid = self.pid(), "server did not stop in time: killing it");
                self.kill()?;
                break;
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(was_running && self.child.wait()?.signal().is_none())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            // There is no further way to stop a child that cannot be killed.
            drop(self.kill());
        }
    }
}

/// What to run: words of the command line, environment, working folder.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) words: Vec<String>,
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) folder: PathBuf,
}

/// Words of a command line.
pub(crate) fn words(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Last lines of a log, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    const LINES: usize = 15;
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// An exclusive lock on a file, held until dropped; none when another process holds it.
pub(crate) fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}
