//! The services as child processes, as in production.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use pulseline_stack::{Endpoints, free_port};
use tokio::process::{Child, Command};
use uuid::Uuid;

use crate::args::DemoArgs;

const POLL: Duration = Duration::from_millis(200);
/// A service drains for 20 s at most by default.
const STOP_DEADLINE: Duration = Duration::from_secs(30);

struct Service {
    name: &'static str,
    child: Child,
    listen: String,
}

fn free_address() -> anyhow::Result<String> {
    Ok(format!("127.0.0.1:{}", free_port()?))
}

/// Running services.
pub(crate) struct Children {
    logs: PathBuf,
    environment: Vec<(String, String)>,
    services: Vec<Service>,
}

impl Children {
    /// Starts sink, loader and compactor.
    pub(crate) async fn start(logs: &Path, endpoints: &Endpoints) -> anyhow::Result<Self> {
        let environment = endpoints
            .environment()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        let mut children = Self {
            logs: logs.to_owned(),
            environment,
            services: Vec::new(),
        };
        for (name, arguments) in [
            ("sink", ["sink"]),
            ("loader", ["load"]),
            ("compactor", ["compact"]),
        ] {
            children.launch(name, &arguments.map(str::to_owned), &[])?;
        }
        Ok(children)
    }

    /// Starts the console on a free port with a random token; returns its address and the token.
    pub(crate) fn start_console(&mut self) -> anyhow::Result<(String, String)> {
        let (listen, token) = (free_address()?, Uuid::new_v4().to_string());
        let settings = [
            ("PULSELINE__CONSOLE__LISTEN", listen.as_str()),
            ("PULSELINE__CONSOLE__TOKEN", token.as_str()),
        ];
        self.launch("console", &["console".to_owned()], &settings)?;
        Ok((format!("http://{listen}/"), token))
    }

    /// Simulates the same people from now on, at real-time speed.
    pub(crate) async fn start_live(&mut self, arguments: &DemoArgs) -> anyhow::Result<()> {
        let (participants, seed) = (arguments.participants.to_string(), arguments.seed.to_string());
        let words = [
            "generate",
            "simulate",
            "--from",
            "now",
            "--days",
            "365",
            "--speed",
            "realtime",
            "--window-secs",
            "60",
            "--participants",
            &participants,
            "--seed",
            &seed,
        ];
        self.launch("generator", &words.map(str::to_owned), &[])
    }

    fn launch(
        &mut self,
        name: &'static str,
        arguments: &[String],
        settings: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        let listen = free_address()?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log(name))
            .with_context(|| format!("cannot open the log of the {name}"))?;
        // The kernel stops the service when the spawning thread ends: the main one, which lives as long as the process.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "--"])
            .arg(std::env::current_exe()?)
            .args(arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("PULSELINE__TELEMETRY__LISTEN", &listen)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C signals the whole process group; the services must stop in order instead.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start the {name}"))?;
        self.services.push(Service { name, child, listen });
        Ok(())
    }

    /// Folder of the services' logs.
    pub(crate) fn logs(&self) -> &Path {
        &self.logs
    }

    fn log(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{name}.log"))
    }

    /// Waits until a service ends by itself; returns its name and the end of its log.
    pub(crate) async fn first_end(&mut self) -> String {
        loop {
            let logs = self.logs.clone();
            for service in &mut self.services {
                if let Ok(Some(status)) = service.child.try_wait() {
                    let text = std::fs::read_to_string(logs.join(format!("{}.log", service.name)))
                        .unwrap_or_default();
                    let lines: Vec<_> = text.lines().collect();
                    let end = lines[lines.len().saturating_sub(5)..].join("\n");
                    return format!(
                        "the {} ended unexpectedly ({status}); its log ends with:\n{end}",
                        service.name
                    );
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The address of each service's metrics.
    pub(crate) fn metrics(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.services
            .iter()
            .map(|service| (service.name, format!("http://{}/metrics", service.listen)))
    }

    /// Peak resident memory of each service in MB, on systems that report it.
    pub(crate) fn memory(&self) -> Vec<(&'static str, u64)> {
        let peak = |service: &Service| {
            let status = std::fs::read_to_string(format!("/proc/{}/status", service.child.id()?)).ok()?;
            let kilobytes = status
                .lines()
                .find_map(|line| line.strip_prefix("VmHWM:"))?
                .split_whitespace()
                .next()?;
            Some((service.name, kilobytes.parse::<u64>().ok()? / 1024))
        };
        self.services.iter().filter_map(peak).collect()
    }

    /// Sends SIGTERM to each service in flow order, and waits.
    pub(crate) async fn stop(&mut self) {
        for service in &mut self.services {
            if let Some(pid) = service.child.id() {
                let sent = Command::new("kill")
                    .args(["-TERM", &pid.to_string()])
                    .status()
                    .await;
                tracing::debug!(?sent, service = service.name, "asked to stop");
            }
        }
        for service in &mut self.services {
            if tokio::time::timeout(STOP_DEADLINE, service.child.wait())
                .await
                .is_err()
            {
                tracing::warn!(service = service.name, "did not stop in time: killing it");
                let killed = service.child.kill().await;
                tracing::debug!(?killed, service = service.name, "killed");
            }
        }
    }
}
