//! The four servers as one unit: started together, stopped in order.

use std::fs::{self, File};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::Instant;

use crate::Progress;
use crate::error::StackError;
use crate::extras::Extras;
use crate::layout::{Endpoints, Layout};
use crate::ports::{Ports, free_port};
use crate::process::{Process, tail, try_lock};
use crate::provision::provision;
use crate::servers::Server;

/// Java on a busy machine takes its time; a server that ended is noticed at once.
const READY_DEADLINE: Duration = Duration::from_secs(120);
const READY_POLL: Duration = Duration::from_millis(100);

/// Which stack, and whether its data is kept.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// Folder of programs and data, `.stack` by default.
    pub root: PathBuf,
    /// Several stacks run side by side under different names.
    pub name: String,
    /// Clear the data of all four servers first.
    pub fresh: bool,
}

/// Running servers; they are killed when this is dropped, stopped cleanly by [`Stack::stop`].
#[derive(Debug)]
pub struct Stack {
    layout: Layout,
    ports: Ports,
    endpoints: Endpoints,
    extras: Extras,
    servers: Vec<(Server, Process)>,
    _lock: File,
}

impl Stack {
    /// Provisions what is missing, starts the four servers and waits until they answer.
    ///
    /// # Errors
    /// A missing tool, a failed download, a stack of this name that runs already, a server that does not come up.
    pub async fn start(options: &StackOptions, progress: &dyn Progress) -> Result<Self, StackError> {
        Self::start_with(options, Extras::default(), &Server::ALL, progress).await
    }

    /// Starts these of the servers, with more than their defaults.
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub async fn start_with(
        options: &StackOptions,
        extras: Extras,
        servers: &[Server],
        progress: &dyn Progress,
    ) -> Result<Self, StackError> {
        let mut stack = Self::prepare(options, extras, progress).await?;
        stack.copy_template().await?;
        let names: Vec<_> = servers.iter().map(|server| server.name()).collect();
        progress.step(&format!("starting {}", names.join(", ")));
        for server in servers {
            stack.launch(*server)?;
        }
        for server in servers {
            stack.wait_until_ready(*server).await?;
        }
        progress.step("all servers answer");
        Ok(stack)
    }

    /// Starts one server alone, for tests of that server.
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub async fn start_one(
        options: &StackOptions,
        server: Server,
        progress: &dyn Progress,
    ) -> Result<Self, StackError> {
        Self::start_with(options, Extras::default(), &[server], progress).await
    }

    async fn prepare(
        options: &StackOptions,
        extras: Extras,
        progress: &dyn Progress,
    ) -> Result<Self, StackError> {
        let layout = Layout::new(&options.root, &options.name)?;
        let lock = try_lock(&layout.lock()).map_err(StackError::io("lock the stack"))?;
        let lock = lock.ok_or_else(|| StackError::Running {
            name: options.name.clone(),
        })?;
        // A killed supervisor left this file; another process would use its outdated addresses.
        let _ = fs::remove_file(layout.endpoints());
        provision(&layout, extras.mongo_program, progress).await?;
        if options.fresh && layout.data().exists() {
            fs::remove_dir_all(layout.data()).map_err(StackError::io("clear the stack's data"))?;
        }
        let port = || free_port().map_err(StackError::io("find a free port"));
        let ports = Ports {
            kafka: port()?,
            controller: port()?,
            registry: port()?,
            mongo: port()?,
            timescale: port()?,
        };
        Ok(Self {
            layout,
            ports,
            endpoints: ports.endpoints(),
            extras,
            servers: Vec::new(),
            _lock: lock,
        })
    }

    async fn copy_template(&self) -> Result<(), StackError> {
        let data = self.layout.data().join(Server::Timescale.name());
        let Some(template) = self.extras.timescale_template.as_ref() else {
            return Ok(());
        };
        if data.exists() {
            return Ok(());
        }
        fs::create_dir_all(self.layout.data()).map_err(StackError::io("create the folder of data"))?;
        let copied = Command::new("cp")
            .arg("--archive")
            .args([template, &data])
            .status()
            .await;
        let copied = copied.map_err(StackError::io("copy a template"))?;
        if copied.success() {
            return Ok(());
        }
        Err(StackError::io("copy a template")(io::Error::other(
            copied.to_string(),
        )))
    }

    /// Where the servers are.
    #[must_use]
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Process id of a running server.
    #[must_use]
    pub fn pid(&self, server: Server) -> Option<u32> {
        self.servers
            .iter()
            .find(|(which, _)| *which == server)
            .map(|(_, process)| process.pid())
    }

    /// SIGKILL for one server; its data stays.
    ///
    /// # Errors
    /// When the process cannot be killed.
    pub fn kill(&mut self, server: Server) -> Result<(), StackError> {
        while let Some(index) = self.servers.iter().position(|(which, _)| *which == server) {
            let (_, mut process) = self.servers.remove(index);
            process
                .kill()
                .map_err(StackError::io(format!("kill {}", server.name())))?;
        }
        Ok(())
    }

    /// Kills one server if it runs, and starts it on the same port with the same data.
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub async fn restart(&mut self, server: Server) -> Result<(), StackError> {
        self.kill(server)?;
        self.launch(server)?;
        self.wait_until_ready(server).await
    }

    /// Restarts MongoDB with further arguments, which it keeps: users are made before `--auth` asks for one.
    ///
    /// # Errors
    /// As [`Stack::start`].
    pub async fn restart_mongo_with(&mut self, arguments: &[&str]) -> Result<(), StackError> {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        self.extras.mongo_arguments.extend(arguments);
        self.restart(Server::Mongo).await
    }

    /// The first server that ended by itself, with what its log says.
    #[must_use]
    pub fn ended(&mut self) -> Option<StackError> {
        self.servers.iter_mut().find_map(|(server, process)| {
            let reason = process.ended()?;
            let log = process.log().to_owned();
            Some(StackError::NotReady {
                server: server.name(),
                reason,
                tail: tail(&log),
                log,
            })
        })
    }

    /// Stops all servers cleanly; their data stays.
    ///
    /// # Errors
    /// When a process can be neither stopped nor killed.
    pub async fn stop(mut self) -> Result<(), StackError> {
        for (server, process) in &mut self.servers {
            let stopped = process.stop().await;
            if stopped.map_err(StackError::io(format!("stop {}", server.name())))? {
                server.has_stopped(&self.layout);
            }
        }
        Ok(())
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    fn launch(&mut self, server: Server) -> Result<(), StackError> {
        let program = server.program(&self.layout, &self.ports, &self.extras)?;
        let log = self.layout.log(server.name());
        let process =
            Process::start(&program, &log).map_err(StackError::io(format!("start {}", server.name())))?;
        self.servers.push((server, process));
        Ok(())
    }

    async fn wait_until_ready(&mut self, server: Server) -> Result<(), StackError> {
        let deadline = Instant::now() + READY_DEADLINE;
        loop {
            if let Some(error) = self.ended() {
                return Err(error);
            }
            if server.is_ready(&self.ports).await {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let log = self.layout.log(server.name());
                let reason = format!("no answer within {} s", READY_DEADLINE.as_secs());
                return Err(StackError::NotReady {
                    server: server.name(),
                    reason,
                    tail: tail(&log),
                    log,
                });
            }
            tokio::time::sleep(READY_POLL).await;
        }
    }
}
