//! Four fresh servers with a migrated warehouse, and their content as tests read it.

use pulseline_sql::GenericClient;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pulseline_auditor::{AuditorConnections, Scope, Status, Verdict, VerifyConfig};
use pulseline_generator::{Counts, SimulateConfig, Summary};
use pulseline_runtime::clock::Clock;
use pulseline_runtime::config::{KafkaConfig, MongoConfig, RegistryConfig, Secret, TimescaleConfig};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_stack::{Endpoints, Extras, Server, Stack, StackOptions};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::own;
use crate::shared;
use crate::template::template;
use crate::times::Times;

/// How often a condition on the stores is checked.
const POLL: Duration = Duration::from_millis(250);
/// No wait in these tests takes longer on two cores: a longer one means that the condition never becomes true.
const PATIENCE: Duration = Duration::from_secs(240);

/// Longest wait of `verify` for messages in flight.
const SETTLE: Duration = Duration::from_secs(60);

/// The embedded servers that start anew for each world: both do within seconds.
const OWN: [Server; 2] = [Server::Mongo, Server::Timescale];

/// Most sets of servers at once: more would need much memory.
const WORLDS_MAX: usize = 4;

/// Allows one more set of servers at once than there are cores, because a scenario waits as long as it computes; a set
/// needs about 2 GB. An external server allows only one set, because each scenario empties it.
static WORLDS: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let given = Server::ALL
        .into_iter()
        .any(|server| own::address(server).is_some());
    Semaphore::new(if given { 1 } else { WORLDS_MAX.min(cores + 1) })
});

/// The running servers of a test.
pub struct World {
    /// The servers that only this world uses, for tests that kill and restart them.
    pub stack: Stack,
    /// The servers' addresses, for the services.
    pub endpoints: Endpoints,
    /// Kafka and the registry, which a later scenario uses too.
    shared: Option<Stack>,
    name: String,
    times: Times,
    _permit: SemaphorePermit<'static>,
}

impl World {
    /// Starts a world with a name of its own: new servers, but Kafka and the registry only emptied.
    ///
    /// # Errors
    /// A server that does not come up.
    pub async fn start(name: &str) -> Result<Self> {
        let mut world = Self::launch(name, template().await?, &own::embedded(&OWN)).await?;
        let shared = shared::take().await?;
        let Endpoints {
            kafka_brokers,
            registry_url,
            ..
        } = shared.endpoints().clone();
        world.endpoints.kafka_brokers = kafka_brokers;
        world.endpoints.registry_url = registry_url;
        world.shared = Some(shared);
        world.emptied().await
    }

    /// Starts servers that only this world uses, for a benchmark. The server that migrates the warehouse is also the
    /// one that is measured, so that its code is compiled as in a server that has run for long.
    ///
    /// # Errors
    /// As [`World::start`].
    pub async fn start_warm(name: &str) -> Result<Self> {
        Self::launch(name, Extras::fast(), &own::embedded(&Server::ALL))
            .await?
            .emptied()
            .await
    }

    /// [`World::start`] for a scenario that kills servers, puts proxies in front of them, or logs in under other
    /// names. If one of them is not embedded, it prints a line for the summary and returns none.
    ///
    /// # Errors
    /// As [`World::start`].
    pub async fn start_owning(name: &str, servers: &[Server]) -> Result<Option<Self>> {
        if let Some(server) = servers.iter().find(|server| own::address(**server).is_some()) {
            return own::skip(name, *server).map(|()| None);
        }
        if servers.iter().all(|server| OWN.contains(server)) {
            return Self::start(name).await.map(Some);
        }
        let world = Self::launch(name, template().await?, &own::embedded(&Server::ALL)).await?;
        world.emptied().await.map(Some)
    }

    /// Starts fresh embedded servers with further options, even if external servers are given.
    ///
    /// # Errors
    /// As [`World::start`].
    pub async fn start_with(name: &str, extras: Extras) -> Result<Self> {
        let Extras {
            timescale_template, ..
        } = template().await?;
        let extras = Extras {
            timescale_template,
            ..extras
        };
        Self::launch(name, extras, &Server::ALL).await?.migrate().await
    }

    async fn emptied(mut self) -> Result<Self> {
        own::use_given(&mut self.endpoints);
        own::empty(&self.endpoints).await?;
        self.migrate().await
    }

    async fn launch(name: &str, extras: Extras, servers: &[Server]) -> Result<Self> {
        // The HTTP client needs a crypto provider; a second installation fails without harm.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let permit = WORLDS.acquire().await?;
        let name = format!("test-{name}");
        let times = Times::new(&name);
        let options = StackOptions {
            root: stack_root(),
            name: name.clone(),
            fresh: true,
        };
        let stack = Stack::start_with(&options, extras, servers, &|_: &str| ()).await?;
        let endpoints = stack.endpoints().clone();
        Ok(Self {
            stack,
            endpoints,
            shared: None,
            name,
            times,
            _permit: permit,
        })
    }

    async fn migrate(mut self) -> Result<Self> {
        pulseline_sql::migrate(&self.timescale()).await?;
        self.times.started();
        Ok(self)
    }

    /// Kills the servers that only this world uses, without a clean stop, and removes their data: no test reads it again.
    ///
    /// # Errors
    /// A process that cannot be killed.
    pub async fn stop(mut self) -> Result<()> {
        for server in Server::ALL {
            self.stack.kill(server)?;
        }
        let _removed = std::fs::remove_dir_all(stack_root().join("run").join(&self.name).join("data"));
        if let Some(shared) = self.shared.take() {
            shared::give_back(shared);
        }
        Ok(())
    }

    /// The sink's group, one for each world: Kafka keeps a killed sink as a member of its group for a while.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.name
    }

    /// Folder of the services' logs.
    #[must_use]
    pub fn logs(&self) -> PathBuf {
        stack_root().join("run").join(&self.name).join("logs")
    }

    /// Address of Kafka.
    #[must_use]
    pub fn kafka(&self) -> KafkaConfig {
        KafkaConfig {
            brokers: self.endpoints.kafka_brokers.clone(),
            ..KafkaConfig::default()
        }
    }

    /// Address of the registry.
    #[must_use]
    pub fn registry(&self) -> RegistryConfig {
        RegistryConfig {
            url: Secret::new(self.endpoints.registry_url.clone()),
            ..RegistryConfig::default()
        }
    }

    /// Address of MongoDB.
    #[must_use]
    pub fn mongo(&self) -> MongoConfig {
        MongoConfig {
            uri: Secret::new(self.endpoints.mongo_uri.clone()),
            ..MongoConfig::default()
        }
    }

    /// Address of TimescaleDB.
    #[must_use]
    pub fn timescale(&self) -> TimescaleConfig {
        TimescaleConfig {
            url: Secret::new(self.endpoints.timescale_url.clone()),
            ..TimescaleConfig::default()
        }
    }

    /// A connection to the warehouse.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn warehouse(&self) -> Result<pulseline_sql::Client> {
        Ok(pulseline_sql::connect(&self.timescale(), "pulseline-tests").await?)
    }

    /// The database of the documents.
    ///
    /// # Errors
    /// An invalid address.
    pub async fn documents(&self) -> Result<mongodb::Database> {
        let opened = pulseline_clients::mongo::open(&self.mongo(), "pulseline-tests").await?;
        Ok(opened.driver().clone())
    }

    /// The warehouse and databases that `status` and `verify` compare.
    #[must_use]
    pub fn audited(&self) -> AuditorConnections {
        AuditorConnections {
            kafka: self.kafka(),
            mongo: self.mongo(),
            timescale: self.timescale(),
            group: self.group().to_owned(),
        }
    }

    /// Sends a cohort's uploads and waits for every acknowledgement.
    ///
    /// # Errors
    /// An error of the generator, or a message without acknowledgement.
    pub async fn simulate(&self, config: &SimulateConfig) -> Result<Summary> {
        let connections = pulseline_generator::GeneratorConnections {
            kafka: self.kafka(),
            registry: self.registry(),
        };
        let summary = pulseline_generator::simulate(
            config,
            &connections,
            Clock::system(),
            Arc::new(Counts::new()),
            Shutdown::new(),
        )
        .await?;
        let total = summary.total();
        ensure!(total.issued == total.acknowledged, "not acknowledged: {total:?}");
        Ok(summary)
    }

    /// Waits until a number of the warehouse has this value.
    ///
    /// # Errors
    /// When it does not in time; the error shows the last number.
    pub async fn until_count(&self, sql: &str, expected: i64) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.count(sql).await?;
            if found == expected {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{found} instead of {expected}: {sql}");
            tokio::time::sleep(POLL).await;
        }
    }

    /// `status`, as the program prints it.
    pub async fn status(&self) -> Status {
        pulseline_auditor::status(&self.audited()).await
    }

    /// Waits until the status fulfils `is_so`.
    ///
    /// # Errors
    /// When it does not in time; the error shows the last status.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Status) -> bool) -> Result<Status> {
        let began = Instant::now();
        let deadline = began + PATIENCE;
        loop {
            let status = self.status().await;
            if is_so(&status) {
                self.times.waited(began);
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!("{what}: not within {} s:\n{status}", PATIENCE.as_secs());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until every produced message is accounted for.
    ///
    /// # Errors
    /// When this does not happen in time.
    pub async fn until_accounted(&self) -> Result<Status> {
        self.until("everything is accounted for", |status| {
            status.unreachable.is_empty() && status.unaccounted() == 0 && status.produced() > 0
        })
        .await
    }

    /// Waits until everything is accounted for and refreshed.
    ///
    /// # Errors
    /// When this does not happen in time.
    pub async fn until_quiet(&self) -> Result<Status> {
        self.until("everything is accounted for and refreshed", |status| {
            status.is_quiet() && status.produced() > 0
        })
        .await
    }

    /// Waits until the compactor has moved the whole log of the accounting into `ops.accounted`: before a scenario
    /// reads or changes that table.
    ///
    /// # Errors
    /// When this does not happen in time.
    pub async fn until_folded(&self) -> Result<()> {
        self.until_count("select count(*) from ops.accounted_log", 0)
            .await
    }

    /// `verify` of what is stored, with a wait of at most `settle` for messages in flight.
    ///
    /// # Errors
    /// An unreachable store.
    pub async fn compare_stored(&self, settle: Duration) -> Result<Verdict> {
        self.verify_scope(settle, Scope::of_stored()).await
    }

    async fn verify_scope(&self, settle: Duration, scope: Scope) -> Result<Verdict> {
        let config = VerifyConfig {
            settle,
            scope,
            ..VerifyConfig::default()
        };
        let began = Instant::now();
        let verdict =
            pulseline_auditor::verify(&config, &self.audited(), &Shutdown::new(), &|_: &str| ()).await;
        self.times.verified(began);
        Ok(verdict?)
    }

    /// Verifies, and fails on any difference.
    ///
    /// # Errors
    /// The differences.
    pub async fn verify_equal(&self) -> Result<()> {
        equal(&self.verify_scope(SETTLE, Scope::default()).await?)
    }

    /// [`World::verify_equal`] without the views: for scenarios of delivery, which can damage only what is stored.
    ///
    /// # Errors
    /// As [`World::verify_equal`].
    pub async fn verify_stored(&self) -> Result<()> {
        equal(&self.compare_stored(SETTLE).await?)
    }

    /// One number of the warehouse.
    ///
    /// # Errors
    /// An error of the server.
    pub async fn count(&self, sql: &str) -> Result<i64> {
        let warehouse = pulseline_sql::open_reader(&self.timescale(), "pulseline-tests", PATIENCE).await?;
        let row = warehouse.query_one(sql, &[]).await;
        Ok(row.with_context(|| sql.to_owned())?.get(0))
    }
}

fn equal(verdict: &Verdict) -> Result<()> {
    ensure!(verdict.is_equal() && verdict.in_flight == 0, "{verdict}");
    Ok(())
}

/// Folder of the embedded servers' programs and data, shared by all tests.
#[must_use]
pub fn stack_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../.stack")
}
