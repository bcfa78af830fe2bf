//! `stack up`, `down` and `status`: one supervising process holds the stack's lock and its servers.

use std::fs;
use std::future::Future;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::Progress;
use crate::error::StackError;
use crate::layout::{Endpoints, Layout};
use crate::process::{tail, try_lock};
use crate::stack::{Stack, StackOptions};

const POLL: Duration = Duration::from_millis(200);
/// The first start fetches some 250 MB and builds a server.
const DETACHED_DEADLINE: Duration = Duration::from_secs(1_800);
const DOWN_DEADLINE: Duration = Duration::from_secs(90);

/// What is known of a stack.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StackStatus {
    /// Its name.
    pub name: String,
    /// Process that supervises it; none when it does not run.
    pub supervisor_pid: Option<u32>,
    /// Where its servers are; none when it does not run.
    pub endpoints: Option<Endpoints>,
}

#[derive(Serialize, Deserialize)]
struct Recorded {
    supervisor_pid: u32,
    endpoints: Endpoints,
}

/// Starts the servers and keeps them until `stop` resolves; a server that ends by itself ends all.
///
/// # Errors
/// As [`Stack::start`]; also when a server ends by itself.
pub async fn supervise(
    options: &StackOptions,
    progress: &dyn Progress,
    stop: impl Future<Output = ()>,
) -> Result<(), StackError> {
    let mut stack = Stack::start(options, progress).await?;
    let path = stack.layout().endpoints();
    let recorded = Recorded {
        supervisor_pid: std::process::id(),
        endpoints: stack.endpoints().clone(),
    };
    let text = serde_json::to_string_pretty(&recorded)
        .map_err(|error| StackError::io("record the addresses")(error.into()))?;
    fs::write(&path, text).map_err(StackError::io("record the addresses"))?;
    for (name, value) in recorded.endpoints.environment() {
        progress.step(&format!("{name}={value}"));
    }
    tokio::pin!(stop);
    let ended = loop {
        tokio::select! {
            () = &mut stop => break None,
            () = tokio::time::sleep(POLL) => if let Some(error) = stack.ended() { break Some(error) },
        }
    };
    progress.step("stopping the servers");
    fs::remove_file(&path).map_err(StackError::io("forget the addresses"))?;
    stack.stop().await?;
    ended.map_or(Ok(()), Err)
}

/// Starts `arguments` of this program in the background and waits until its stack is up.
///
/// # Errors
/// When it ends instead, with the end of its log.
pub async fn detach(options: &StackOptions, arguments: &[String]) -> Result<Endpoints, StackError> {
    let layout = Layout::new(&options.root, &options.name)?;
    if current(&layout)?.is_some() {
        return Err(StackError::Running {
            name: options.name.clone(),
        });
    }
    let log = layout.log("supervisor");
    let output = fs::File::create(&log).map_err(StackError::io("open the supervisor's log"))?;
    let again = output
        .try_clone()
        .map_err(StackError::io("open the supervisor's log"))?;
    let program = std::env::current_exe().map_err(StackError::io("find this program"))?;
    // setsid: the servers must outlive the terminal that started them.
    let mut child = tokio::process::Command::new("setsid")
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(again)
        .spawn()
        .map_err(StackError::io("start the supervisor"))?;
    let deadline = Instant::now() + DETACHED_DEADLINE;
    loop {
        if let Some(recorded) = current(&layout)? {
            return Ok(recorded.endpoints);
        }
        let ended = child.try_wait().map_err(StackError::io("watch the supervisor"))?;
        let late = (Instant::now() >= deadline)
            .then(|| format!("not ready within {} s", DETACHED_DEADLINE.as_secs()));
        if let Some(reason) = ended.map(|status| status.to_string()).or(late) {
            return Err(StackError::NotReady {
                server: "the stack",
                reason,
                tail: tail(&log),
                log,
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Stops a running stack and waits until it is gone.
///
/// # Errors
/// When it does not run, or does not stop.
pub async fn down(root: &Path, name: &str) -> Result<(), StackError> {
    let layout = Layout::new(root, name)?;
    let recorded = current(&layout)?.ok_or_else(|| StackError::NotRunning {
        name: name.to_owned(),
    })?;
    if let Some(pid) = i32::try_from(recorded.supervisor_pid)
        .ok()
        .and_then(Pid::from_raw)
    {
        kill_process(pid, Signal::TERM)
            .map_err(|error| StackError::io("stop the supervisor")(error.into()))?;
    }
    let deadline = Instant::now() + DOWN_DEADLINE;
    while try_lock(&layout.lock())
        .map_err(StackError::io("watch the stack's lock"))?
        .is_none()
    {
        if Instant::now() >= deadline {
            let log = layout.log("supervisor");
            let reason = "still running".to_owned();
            return Err(StackError::NotReady {
                server: "the stack",
                reason,
                tail: tail(&log),
                log,
            });
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// What is known of the stack `name`.
///
/// # Errors
/// When its files cannot be read.
pub fn status(root: &Path, name: &str) -> Result<StackStatus, StackError> {
    let recorded = current(&Layout::new(root, name)?)?;
    let supervisor_pid = recorded.as_ref().map(|recorded| recorded.supervisor_pid);
    Ok(StackStatus {
        name: name.to_owned(),
        supervisor_pid,
        endpoints: recorded.map(|recorded| recorded.endpoints),
    })
}

/// Where the servers of the running stack `name` are.
///
/// # Errors
/// When it does not run.
pub fn endpoints(root: &Path, name: &str) -> Result<Endpoints, StackError> {
    status(root, name)?
        .endpoints
        .ok_or_else(|| StackError::NotRunning {
            name: name.to_owned(),
        })
}

/// What the supervisor recorded, if it still holds its lock: a killed one leaves its file behind.
fn current(layout: &Layout) -> Result<Option<Recorded>, StackError> {
    if try_lock(&layout.lock())
        .map_err(StackError::io("look at the stack's lock"))?
        .is_some()
    {
        return Ok(None);
    }
    let text = fs::read_to_string(layout.endpoints()).unwrap_or_default();
    Ok(serde_json::from_str(&text).ok())
}
