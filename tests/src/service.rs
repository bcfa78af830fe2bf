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
    /// Holes in the accounting.
    Healer,
    /// Looks on.
    Console,
}

impl Role {
    /// The services that carry the flow, in its order.
    pub const ALL: [Self; 3] = [Self::Sink, Self::Loader, Self::Compactor];

    fn command(self) -> &'static [&'static str] {
        match self {
            Self::Sink => &["sink"],
            Self::Loader => &["load"],
            Self::Compactor => &["compact"],
            // Once, and then not while a test looks.
            Self::Healer => &["heal", "--every", "3600"],
            Self::Console => &["console"],
        }
    }

    /// What differs from the defaults in every test: chunks are packed at once, so that later readings meet packed ones; and
    /// nobody needs a port that another may have.
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Sink | Self::Loader | Self::Healer => &[],
            Self::Compactor => &[("PULSELINE__COMPACTOR__QUIET_MS", "0")],
            Self::Console => &[("PULSELINE__CONSOLE__LISTEN", "127.0.0.1:0")],
        }
    }
}

/// A running service; killed when dropped.
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

    /// Starts a service with settings of its own, as environment variables.
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

    /// Which service it is.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Where it serves metrics and health.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its process; none when it has ended.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// SIGTERM, and its exit code.
    ///
    /// # Errors
    /// When it does not end within the time that an orchestrator gives.
    pub async fn terminate(mut self) -> Result<Option<i32>> {
        self.signal()?;
        self.ended().await
    }

    /// SIGTERM.
    ///
    /// # Errors
    /// When it has ended already.
    pub fn signal(&self) -> Result<()> {
        self.send(Signal::TERM)
    }

    /// SIGSTOP: it is there, and does nothing.
    ///
    /// # Errors
    /// As [`Service::signal`].
    pub fn freeze(&self) -> Result<()> {
        self.send(Signal::STOP)
    }

    /// SIGCONT: it goes on.
    ///
    /// # Errors
    /// As [`Service::signal`].
    pub fn thaw(&self) -> Result<()> {
        self.send(Signal::CONT)
    }

    fn send(&self, signal: Signal) -> Result<()> {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        let pid = pid.and_then(Pid::from_raw).context("it has ended already")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Waits until it has logged this.
    ///
    /// # Errors
    /// When it ends, or never logs it.
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

    /// Waits until it ends by itself; gives its exit code.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ended(&mut self) -> Result<Option<i32>> {
        let ended = tokio::time::timeout(READY, self.child.wait()).await;
        Ok(ended
            .with_context(|| format!("{:?} does not end", self.role))??
            .code())
    }

    /// True while it runs.
    ///
    /// # Errors
    /// What the system says.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// What it logged so far.
    ///
    /// # Errors
    /// What the system says.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(&self.log)?)
    }

    /// Asks its HTTP server for `path`; gives status and body.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn get(&self, path: &str) -> Result<(u16, String)> {
        let answer = reqwest::get(format!("http://{}{path}", self.address)).await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// What it measures at present.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn measures(&self) -> Result<Measures> {
        let (status, text) = self.get("/metrics").await?;
        ensure!(status == 200, "/metrics: {status}: {text}");
        Ok(Measures::new(text))
    }

    /// Waits until the sum of one of its metrics is as it should be.
    ///
    /// # Errors
    /// When there is no such metric, or it never is.
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

    /// Waits until it says that it is ready, whether it works or stands by.
    ///
    /// # Errors
    /// As [`Service::until_ready`].
    pub async fn until_works_or_stands_by(&mut self) -> Result<()> {
        self.until_says(|_| true).await
    }

    /// Waits until it says that it is ready, and works itself: a stand-by is ready too.
    ///
    /// # Errors
    /// When it ends, or never says so.
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

/// The program under test with the servers of `world`; dropped, it is killed.
///
/// # Errors
/// As [`binary`].
pub fn command(world: &World) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command.envs(world.endpoints.environment()).kill_on_drop(true);
    Ok(command)
}

/// The program under test: built by the same `cargo test` that runs this.
///
/// # Errors
/// When it is not there, or older than a source: a test of yesterday's program proves nothing.
pub fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    // Test programs stand in a folder below it, others beside it.
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
                "{} is newer than the program: run `cargo build --release` first",
                path.display()
            );
        }
    }
    Ok(binary)
}

/// What ends up in the binary.
const COMPILED: [&str; 5] = ["rs", "sql", "html", "css", "js"];

/// A source below `folder` that was changed after `time`, tests left out.
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
