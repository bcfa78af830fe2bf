//! Services as they run in production: processes of the real binary.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use pulseline_stack::free_port;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::measures::Measures;
use crate::world::World;

const POLL: Duration = Duration::from_millis(100);
const READY: Duration = Duration::from_secs(90);

/// A service of the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Kafka → MongoDB.
    Sink,
    /// MongoDB → raw.
    Loader,
    /// raw → stage, agg.
    Compactor,
    /// Repairs missing offsets.
    Healer,
    /// Shows the state of the flow.
    Console,
}

impl Role {
    /// The services of the flow, in order.
    pub const ALL: [Self; 3] = [Self::Sink, Self::Loader, Self::Compactor];

    fn command(self) -> &'static [&'static str] {
        match self {
            Self::Sink => &["sink"],
            Self::Loader => &["load"],
            Self::Compactor => &["compact"],
            // One round at the start, and none during a test.
            Self::Healer => &["heal", "--every", "3600"],
            Self::Console => &["console"],
        }
    }

    /// Settings that differ from the defaults in every test: cycles follow each other quickly; chunks are packed at
    /// once, so that later readings meet packed chunks; and the console takes any free port.
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Sink | Self::Loader | Self::Healer => &[],
            Self::Compactor => &[
                ("PULSELINE__COMPACTOR__INTERVAL_MS", "500"),
                ("PULSELINE__COMPACTOR__PAUSE_FACTOR", "1"),
                ("PULSELINE__COMPACTOR__QUIET_MS", "0"),
            ],
            Self::Console => &[("PULSELINE__CONSOLE__LISTEN", "127.0.0.1:0")],
        }
    }
}

/// A running service; it is killed when dropped.
pub struct Service {
    role: Role,
    child: Child,
    address: String,
    log: PathBuf,
}

impl Service {
    /// Starts a service against the servers of `world`.
    ///
    /// # Errors
    /// When the binary is missing or older than the sources.
    pub fn start(world: &World, role: Role) -> Result<Self> {
        Self::start_with(world, role, &[])
    }

    /// Starts a service with further settings, as environment variables.
    ///
    /// # Errors
    /// As [`Service::start`].
    pub fn start_with(world: &World, role: Role, settings: &[(&str, &str)]) -> Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let log = world
            .logs()
            .join(format!("{}-{}.log", role.command()[0], address.replace(':', "-")));
        let output = File::create(&log)?;
        let child = command(world)?
            .args(role.command())
            .env("PULSELINE__TELEMETRY__LISTEN", &address)
            .envs(role.settings().iter().copied())
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        Ok(Self {
            role,
            child,
            address,
            log,
        })
    }

    /// Starts all three services.
    ///
    /// # Errors
    /// As [`Service::start`].
    pub fn start_all(world: &World) -> Result<Vec<Self>> {
        Role::ALL
            .into_iter()
            .map(|role| Self::start(world, role))
            .collect()
    }

    /// Its role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Address of its metrics and health endpoints.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its process id; none when it has ended.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Kills it with SIGKILL and waits for its end.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Sends SIGTERM and returns the exit code.
    ///
    /// # Errors
    /// When it does not end within the grace period of an orchestrator.
    pub async fn terminate(mut self) -> Result<Option<i32>> {
        self.signal()?;
        self.ended().await
    }

    /// Sends SIGTERM.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn signal(&self) -> Result<()> {
        self.send(Signal::TERM)
    }

    /// Sends SIGSTOP: the process exists, and does nothing.
    ///
    /// # Errors
    /// As [`Service::signal`].
    pub fn freeze(&self) -> Result<()> {
        self.send(Signal::STOP)
    }

    /// Sends SIGCONT: the process continues.
    ///
    /// # Errors
    /// As [`Service::signal`].
    pub fn thaw(&self) -> Result<()> {
        self.send(Signal::CONT)
    }

    fn send(&self, signal: Signal) -> Result<()> {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        let pid = pid
            .and_then(Pid::from_raw)
            .context("the service has ended already")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Waits until the log contains this text.
    ///
    /// # Errors
    /// When it ends, or does not log the text in time.
    pub async fn until_logged(&mut self, text: &str) -> Result<()> {
        let deadline = tokio::time::Instant::now() + READY;
        while !self.log()?.contains(text) {
            ensure!(self.is_running()?, "{:?} ended:\n{}", self.role, self.log()?);
            ensure!(
                tokio::time::Instant::now() < deadline,
                "never logged: {text}\n{}",
                self.log()?
            );
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Waits until it ends by itself; returns its exit code.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn ended(&mut self) -> Result<Option<i32>> {
        let ended = tokio::time::timeout(READY, self.child.wait()).await;
        Ok(ended
            .with_context(|| format!("{:?} does not end", self.role))??
            .code())
    }

    /// True while it runs.
    ///
    /// # Errors
    /// An I/O error of the system.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// The log so far.
    ///
    /// # Errors
    /// An I/O error of the system.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// Requests `path` from its HTTP server; returns status and body.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn get(&self, path: &str) -> Result<(u16, String)> {
        let answer = reqwest::get(format!("http://{}{path}", self.address)).await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// Its current metrics.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn measures(&self) -> Result<Measures> {
        let (status, text) = self.get("/metrics").await?;
        ensure!(status == 200, "/metrics: {status}: {text}");
        Ok(Measures::new(text))
    }

    /// Waits until the sum of a metric fulfils a condition.
    ///
    /// # Errors
    /// When there is no such metric, or it does not fulfil it in time.
    pub async fn until_measured(&self, name: &str, is_right: impl Fn(f64) -> bool) -> Result<()> {
        let deadline = tokio::time::Instant::now() + READY;
        loop {
            let sum = self.measures().await?.sum(name)?;
            if is_right(sum) {
                return Ok(());
            }
            ensure!(tokio::time::Instant::now() < deadline, "{name} stays at {sum}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until it says that it waits for this server.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn until_waits_for(&self, hop: &str) -> Result<()> {
        let deadline = tokio::time::Instant::now() + READY;
        while self
            .measures()
            .await?
            .of("pulseline_waiting_seconds", "hop", hop)?
            == 0.0
        {
            ensure!(tokio::time::Instant::now() < deadline, "never waits for {hop}");
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Waits until it is ready, active or on standby.
    ///
    /// # Errors
    /// As [`Service::until_ready`].
    pub async fn until_works_or_stands_by(&mut self) -> Result<()> {
        self.until_says(|_| true).await
    }

    /// Waits until it is ready and active itself: a standby is ready too.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub async fn until_ready(&mut self) -> Result<()> {
        self.until_says(|said| !said.contains("standing by")).await
    }

    async fn until_says(&mut self, is_enough: impl Fn(&str) -> bool) -> Result<()> {
        let deadline = tokio::time::Instant::now() + READY;
        loop {
            let is_ready = |(status, said): (u16, String)| status == 200 && is_enough(&said);
            if self.get("/readyz").await.is_ok_and(is_ready) {
                return Ok(());
            }
            ensure!(self.is_running()?, "{:?} ended:\n{}", self.role, self.log()?);
            if tokio::time::Instant::now() >= deadline {
                bail!("{:?} is never ready:\n{}", self.role, self.log()?);
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

/// The program under test with the servers of `world`; it is killed when dropped.
///
/// # Errors
/// As [`binary`].
pub fn command(world: &World) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command
        .envs(world.endpoints.environment())
        .env("PULSELINE__SINK__GROUP", world.group())
        .kill_on_drop(true);
    Ok(command)
}

/// The program under test, built by the same `cargo test` that runs this test.
///
/// # Errors
/// When it is missing, or older than a source: then the tests would test an old program.
pub fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    // Test programs are in a subfolder of its folder, others beside it.
    let folders = own.ancestors().skip(1).take(2);
    let binary = folders
        .map(|folder| folder.join("pulseline"))
        .find(|binary| binary.is_file());
    let binary = binary.context("the program is missing: run the whole suite with scripts/test")?;
    let built = std::fs::metadata(&binary).and_then(|file| file.modified());
    let built = built.with_context(|| binary.display().to_string())?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for folder in ["services", "schemas", "sql"] {
        if let Some(path) = newer(&root.join(folder), built)? {
            bail!(
                "{} is newer than the program: build the program first, as `scripts/test` does",
                path.display()
            );
        }
    }
    Ok(binary)
}

/// Sources that are part of the program.
const COMPILED: [&str; 5] = ["rs", "sql", "html", "css", "js"];

/// A source below `folder` that changed after `time`, without tests.
fn newer(folder: &Path, time: SystemTime) -> Result<Option<PathBuf>> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            if path.ends_with("tests") {
                continue;
            }
            if let Some(found) = newer(&path, time)? {
                return Ok(Some(found));
            }
        } else if path
            .extension()
            .is_some_and(|ending| COMPILED.iter().any(|compiled| ending == *compiled))
            && std::fs::metadata(&path)?.modified()? > time
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
