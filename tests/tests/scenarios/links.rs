//! The network fails while data flows: each link is cut, reset, half-open or slow, and the registry's ingress sends
//! wrong answers.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use pulseline_clients::registry::Registry;
use pulseline_generator::{Payload, SimulateConfig, plan};
use pulseline_schemas::{UtcMillis, encode, frame};
use pulseline_tests::certificates::Certificates;
use pulseline_tests::doors::behind;
use pulseline_tests::link::{Link, Mode};
use pulseline_tests::producer::Hand;
use pulseline_tests::servers::{Nginx, free_port};
use pulseline_tests::{Oracle, Role, Service, World, truth};

/// Longest time until a service names the server that it waits for.
const NAMED_WITHIN: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(200);
/// Bytes per second of a slow link: a cohort's data passes within seconds, but far slower than it is sent.
const SLOW: Mode = Mode::Slow(100_000);

/// A server behind its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hop {
    Kafka,
    Registry,
    Mongo,
    Timescale,
}

impl Hop {
    /// The name in services' logs and metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Registry => "registry",
            Self::Mongo => "mongo",
            Self::Timescale => "timescale",
        }
    }
}

fn cohort(seed: u64) -> SimulateConfig {
    SimulateConfig {
        participants: 1,
        days: 1,
        seed,
        broken: 0.0,
        ..pulseline_tests::sparse()
    }
}

/// A world whose services reach every server through a link; the test itself connects directly.
struct Net {
    world: World,
    links: [Link; 4],
    nginx: Nginx,
    hand: Hand,
    settings: Vec<(&'static str, String)>,
    oracle: Oracle,
    seed: u64,
}

impl Net {
    async fn start() -> Result<Self> {
        let port = free_port()?;
        let kafka = Link::start(&format!("127.0.0.1:{port}")).await?;
        let world = World::start_with("links", behind(&kafka.address(), port)).await?;
        let nginx = Nginx::start(&host(&world.endpoints.registry_url)?, &Certificates::make()?).await?;
        let registry = Link::start(&host(&nginx.plain())?.replace("localhost", "127.0.0.1")).await?;
        let mongo = Link::start(&host(&world.endpoints.mongo_uri)?).await?;
        let timescale = Link::start(&host(&world.endpoints.timescale_url)?).await?;
        let through = |url: &str, link: &Link| anyhow::Ok(url.replace(&host(url)?, &link.address()));
        let settings = vec![
            ("PULSELINE__KAFKA__BROKERS", kafka.address()),
            (
                "PULSELINE__REGISTRY__URL",
                through(&world.endpoints.registry_url, &registry)?,
            ),
            // A direct connection: with the replica set's own address the driver would bypass the link.
            (
                "PULSELINE__MONGO__URI",
                format!("mongodb://{}/?directConnection=true", mongo.address()),
            ),
            (
                "PULSELINE__TIMESCALE__URL",
                through(&world.endpoints.timescale_url, &timescale)?,
            ),
        ];
        Ok(Self {
            hand: Hand::new(&world).await?,
            world,
            links: [kafka, registry, mongo, timescale],
            nginx,
            settings,
            oracle: Oracle::default(),
            seed: 0,
        })
    }

    fn service(&self, role: Role) -> Result<Service> {
        let settings: Vec<_> = self
            .settings
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        Service::start_with(&self.world, role, &settings)
    }

    fn set(&self, hop: Hop, mode: Mode) {
        self.links[hop as usize].set(mode);
    }

    /// Sends a cohort's day.
    async fn send(&mut self) -> Result<()> {
        self.seed += 1;
        let config = cohort(self.seed);
        self.world.simulate(&config).await?;
        for planned in plan(&config, UtcMillis(0)).map_err(anyhow::Error::msg)? {
            self.oracle.observe(&planned);
        }
        Ok(())
    }

    /// Sends an upload whose schema no sink has requested from the registry yet.
    async fn send_with_new_schema(&mut self) -> Result<()> {
        self.seed += 1;
        let mut planned = plan(&cohort(self.seed), UtcMillis(0)).map_err(anyhow::Error::msg)?;
        let planned = planned.find(|planned| matches!(planned.payload, Payload::Event(_)));
        let planned = planned.context("a cohort without events")?;
        self.oracle.observe(&planned);
        let Payload::Event(event) = &planned.payload else {
            bail!("no event");
        };
        let stream = event.stream();
        let mut schema: serde_json::Value = serde_json::from_str(stream.schema_json())?;
        schema["doc"] = format!("Version {} of a foreign writer.", self.seed).into();
        let registry = Registry::new(&self.world.registry())?;
        let id = registry.register_schema(stream, &schema.to_string()).await?;
        let payload = frame(id, &encode(event)?);
        self.hand
            .bytes(stream, &event.key().to_string(), &payload)
            .await?;
        Ok(())
    }
}

fn host(url: &str) -> Result<String> {
    let rest = url.split("//").nth(1).and_then(|rest| rest.split('/').next());
    let host = rest.and_then(|rest| rest.rsplit('@').next());
    Ok(host.context("no host")?.to_owned())
}

/// Waits until the service reports that it waits for the hop; returns how long that took.
async fn named(service: &mut Service, hop: Hop) -> Result<Duration> {
    let started = Instant::now();
    let text = format!("waiting for {}", hop.name());
    loop {
        let (status, said) = service.get("/readyz").await?;
        if status == 503 && said.contains(&text) {
            return Ok(started.elapsed());
        }
        ensure!(
            service.is_running()?,
            "{:?} ended:\n{}",
            service.role(),
            service.log()?
        );
        ensure!(
            started.elapsed() < NAMED_WITHIN,
            "{:?} does not say that it waits for {hop:?}, but {said}\n{}",
            service.role(),
            service.log()?
        );
        tokio::time::sleep(POLL).await;
    }
}

/// The hops that are switched together.
const GROUPS: [&[Hop]; 2] = [&[Hop::Kafka, Hop::Timescale], &[Hop::Registry, Hop::Mongo]];

struct Flow {
    sink: Service,
    loader: Service,
    compactor: Service,
}

impl Flow {
    /// The sink waits for Kafka and the registry, the loader for MongoDB and the warehouse.
    fn waiting(&mut self, hop: Hop) -> &mut Service {
        match hop {
            Hop::Kafka | Hop::Registry => &mut self.sink,
            Hop::Mongo | Hop::Timescale => &mut self.loader,
        }
    }
}

/// A link fails while a day flows, is named, and recovers; messages sent meanwhile are accounted for. Returns the
/// times.
async fn fail(net: &mut Net, flow: &mut Flow, hops: &[Hop], mode: Mode) -> Result<String> {
    let mut report = format!("{mode:?}:");
    net.send_with_new_schema().await?;
    for hop in hops {
        net.set(*hop, mode);
    }
    // A sink that needs no schema does not notice a missing registry.
    net.send_with_new_schema().await?;
    net.send().await?;
    if mode != SLOW {
        for hop in hops {
            let took = named(flow.waiting(*hop), *hop).await?;
            report += &format!(" {hop:?} named after {took:?},");
        }
    }
    let started = Instant::now();
    if mode != SLOW {
        for hop in hops {
            net.set(*hop, Mode::Pass);
        }
    }
    net.world.until_accounted().await?;
    for hop in hops {
        net.set(*hop, Mode::Pass);
    }
    Ok(report + &format!(" {hops:?} accounted for after {:?}", started.elapsed()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d_3_a_link_that_fails_in_any_way_is_named_and_waited_out() -> Result<()> {
    let mut net = Net::start().await?;
    let mut flow = Flow {
        sink: net.service(Role::Sink)?,
        loader: net.service(Role::Loader)?,
        compactor: net.service(Role::Compactor)?,
    };
    for service in [&mut flow.sink, &mut flow.loader, &mut flow.compactor] {
        service.until_ready().await?;
    }
    for mode in [Mode::Cut, Mode::Reset, SLOW, Mode::HalfOpen] {
        for hops in GROUPS {
            println!("{}", fail(&mut net, &mut flow, hops, mode).await?);
        }
    }
    ingress(&mut net, &mut flow).await?;
    let status = net.world.until_quiet().await?;
    ensure!(
        status.dead_letters == 0,
        "an outage became dead letters:\n{status}"
    );
    let findings = truth::compare(&net.world, &net.oracle).await?;
    ensure!(findings.is_clean(), "{findings}");
    net.world.verify_stored().await?;
    for service in [&mut flow.sink, &mut flow.loader, &mut flow.compactor] {
        ensure!(
            service.is_running()?,
            "{:?} ended:\n{}",
            service.role(),
            service.log()?
        );
        service.until_ready().await?;
    }
    drop(flow);
    net.world.stop().await
}

/// A registry whose ingress answers 404 with another body, and one whose answers are truncated: both are outages.
async fn ingress(net: &mut Net, flow: &mut Flow) -> Result<()> {
    net.nginx.set_outage(true)?;
    net.send_with_new_schema().await?;
    named(&mut flow.sink, Hop::Registry).await?;
    net.nginx.set_outage(false)?;
    net.world.until_accounted().await?;
    net.set(Hop::Registry, Mode::BreakOff);
    net.send_with_new_schema().await?;
    named(&mut flow.sink, Hop::Registry).await?;
    net.set(Hop::Registry, Mode::Pass);
    net.world.until_accounted().await?;
    Ok(())
}
