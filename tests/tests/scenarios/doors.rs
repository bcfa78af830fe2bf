//! Secured servers: each command connects in each way, and a refusal names its cause at once.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use pulseline_generator::ensure_topics;
use pulseline_schemas::Stream;
use pulseline_sql::GenericClient;
use pulseline_tests::doors::{PASSWORD, USER};
use pulseline_tests::fortress::{Fortress, Settings};
use pulseline_tests::producer::Hand;
use pulseline_tests::servers::{nginx, tokens};
use pulseline_tests::service::command;
use pulseline_tests::{Role, Service, World};

/// A refusal is known at once, but librdkafka needs a connection for it, and a busy machine needs time.
const REFUSED_WITHIN: Duration = Duration::from_secs(20);
/// A case that must be refused: its name, its settings, and the text that the error must contain.
type Refusal = (&'static str, Settings, &'static str);
/// The commands that use Kafka and the registry, and no other server.
const GENERATE: [&str; 4] = ["generate", "simulate", "--days", "1"];

/// Output and exit code of a command.
async fn run(world: &World, settings: &Settings, arguments: &[&str]) -> Result<(Option<i32>, String)> {
    let output = command(world)?
        .envs(settings.iter().map(|(name, value)| (name, value)))
        .args(arguments)
        .output()
        .await?;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok((output.status.code(), said))
}

async fn succeeds(world: &World, settings: &Settings, arguments: &[&str]) -> Result<String> {
    let (code, said) = run(world, settings, arguments).await?;
    ensure!(code == Some(0), "{arguments:?} ended with {code:?}: {said}");
    Ok(said)
}

fn start(world: &World, role: Role, settings: &Settings) -> Result<Service> {
    let settings: Vec<_> = settings
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    Service::start_with(world, role, &settings)
}

async fn generate(world: &World, settings: &Settings, seed: u64) -> Result<String> {
    let seed = seed.to_string();
    let words = [
        "generate",
        "simulate",
        "--participants",
        "1",
        "--days",
        "1",
        "--seed",
        &seed,
    ];
    succeeds(world, settings, &words).await
}

/// Every command that connects to Kafka, in one way.
async fn every_command(fortress: &Fortress, settings: &Settings, seed: u64) -> Result<()> {
    let world = &fortress.world;
    let (mut sink, mut loader) = (
        start(world, Role::Sink, settings)?,
        start(world, Role::Loader, settings)?,
    );
    sink.until_ready().await?;
    loader.until_ready().await?;
    generate(world, settings, seed).await?;
    Hand::new(world)
        .await?
        .bytes(Stream::Steps, "a device", b"no event")
        .await?;
    world.until_quiet().await?;
    let said = succeeds(world, settings, &["status"]).await?;
    ensure!(!said.contains("not reached"), "{said}");
    succeeds(world, settings, &["verify", "--settle", "60"]).await?;
    let replay = ["dead-letters", "replay", "--reason", "undecodable"];
    let said = succeeds(world, settings, &replay).await?;
    ensure!(said.contains("sent to its topic again"), "{said}");
    world.until_quiet().await?;
    let discard = [
        "dead-letters",
        "discard",
        "--reason",
        "undecodable",
        "--why",
        "a test",
    ];
    succeeds(world, settings, &discard).await?;
    let user = "select user_id::text from raw.devices order by 1 limit 1";
    let user: String = world.warehouse().await?.query_one(user, &[]).await?.get(0);
    let said = succeeds(world, settings, &["forget", &user, "--yes"]).await?;
    ensure!(said.contains("Kafka keeps messages"), "{said}");
    ensure!(sink.terminate().await? == Some(0) && loader.terminate().await? == Some(0));
    Ok(())
}

/// Settings that waiting cannot fix, and the part of them that the error must name.
fn of_kafka(fortress: &Fortress) -> Vec<Refusal> {
    let certificates = &fortress.certificates;
    let (right, other) = (certificates.authority_file(), certificates.other_authority_file());
    let client = certificates.client();
    let doors = &fortress.doors;
    let tls = |brokers: &str, authority: &Path, client| fortress.tls(brokers, authority, client);
    vec![
        (
            "wrong SCRAM password",
            fortress.sasl("SCRAM-SHA-512", USER, "wrong"),
            "kafka.sasl_password",
        ),
        (
            "wrong PLAIN password",
            fortress.sasl("PLAIN", USER, "wrong"),
            "kafka.sasl_password",
        ),
        (
            "wrong client secret",
            fortress.bearer("wrong"),
            "kafka.oauth_client_secret",
        ),
        (
            "no client certificate",
            tls(&doors.mutual, &right, None),
            "kafka.ssl_certificate",
        ),
        (
            "a stranger's certificate",
            tls(&doors.mutual, &right, Some(&certificates.stranger())),
            "kafka.ssl_certificate",
        ),
        (
            "unknown authority",
            tls(&doors.mutual, &other, Some(&client)),
            "kafka.ssl_ca",
        ),
        (
            "wrong host name",
            tls(&doors.wrong_host, &right, None),
            "host name",
        ),
        ("expired", tls(&doors.expired, &right, None), "kafka.ssl_ca"),
    ]
}

/// Runs a command that must be refused; returns how the refusal was wrong.
async fn refused(
    fortress: &Fortress,
    case: &str,
    settings: &Settings,
    arguments: &[&str],
    named: &str,
) -> Result<()> {
    let started = Instant::now();
    let ran = tokio::time::timeout(2 * REFUSED_WITHIN, run(&fortress.world, settings, arguments)).await;
    let (code, said) = ran.with_context(|| format!("{case}: {arguments:?} is never refused"))??;
    let took = started.elapsed();
    ensure!(
        code == Some(3) && said.contains(named),
        "{case}: {arguments:?} ended with {code:?} and does not name {named}: {said}"
    );
    ensure!(took < REFUSED_WITHIN, "{case}: {arguments:?} took {took:?}");
    ensure!(
        !said.contains("wrong@") && !said.contains(PASSWORD),
        "the error contains a secret: {said}"
    );
    Ok(())
}

fn of_mongo(fortress: &Fortress) -> Vec<Refusal> {
    let (right, other) = (
        fortress.certificates.authority_file(),
        fortress.certificates.other_authority_file(),
    );
    let (known, wrong) = (format!("{USER}:{PASSWORD}@"), format!("{USER}:wrong@"));
    let by = |who: &str, authority: &Path| fortress.mongo(who, "authSource=admin", authority);
    vec![
        ("wrong password", by(&wrong, &right), "mongo.uri"),
        ("unknown authority", by(&known, &other), "mongo.uri"),
        (
            "a stranger's certificate",
            fortress.mongo_certificate(&fortress.certificates.stranger()),
            "mongo.uri",
        ),
    ]
}

fn of_registry(fortress: &Fortress) -> Vec<Refusal> {
    let at = |url: &str| fortress.registry(url, Vec::new());
    let nginx = &fortress.nginx;
    vec![
        (
            "wrong password",
            fortress.registry_password("wrong"),
            "registry.password",
        ),
        ("no password", at(&nginx.basic()), "registry."),
        ("no certificate", at(&nginx.mutual()), "registry."),
        ("wrong host name", at(&nginx.wrong_host()), "registry."),
        ("expired", at(&nginx.expired()), "registry."),
    ]
}

/// Runs every case with each command concurrently: most of the time they wait.
async fn all_refused(fortress: &Fortress, cases: &[Refusal], commands: &[&[&str]]) -> Result<()> {
    let each = cases.iter().map(async |(case, settings, named)| {
        for arguments in commands {
            refused(fortress, case, settings, arguments, named).await?;
        }
        anyhow::Ok(())
    });
    try_join_all(each).await.map(drop)
}

#[tokio::test]
async fn every_command_works_over_every_listener_and_a_refusal_names_its_cause() -> Result<()> {
    let fortress = Fortress::build().await?;
    let world = &fortress.world;
    // A sink is ready once it has partitions.
    ensure_topics(&world.kafka(), 1).await?;
    let compactor = Service::start(world, Role::Compactor)?;
    let who = format!("{USER}:{PASSWORD}@");
    let authority = fortress.certificates.authority_file();
    let by_password = fortress.mongo(&who, "authSource=admin", &authority);
    let first = [
        fortress.sasl("SCRAM-SHA-512", USER, PASSWORD),
        fortress.registry_password(nginx::PASSWORD),
        by_password.clone(),
    ];
    every_command(&fortress, &first.concat(), 1).await?;
    let second = [
        fortress.mutual(),
        fortress.registry_certificate(),
        fortress.mongo_certificate(&fortress.certificates.client()),
    ];
    every_command(&fortress, &second.concat(), 2).await?;

    // The other ways differ only in how they connect.
    let loader = start(world, Role::Loader, &by_password)?;
    for (seed, kafka) in (3..).zip([
        fortress.sasl("SCRAM-SHA-256", USER, PASSWORD),
        fortress.sasl("PLAIN", USER, PASSWORD),
        fortress.bearer(tokens::CLIENT_SECRET),
    ]) {
        let settings = [kafka, fortress.registry_token(), by_password.clone()].concat();
        let sink = start(world, Role::Sink, &settings)?;
        generate(world, &settings, seed).await?;
        world.until_accounted().await?;
        ensure!(sink.terminate().await? == Some(0), "the sink's exit code");
    }
    world.until_quiet().await?;
    all_refused(&fortress, &of_kafka(&fortress), &[&["sink"], &GENERATE]).await?;
    all_refused(&fortress, &of_mongo(&fortress), &[&["sink"], &["load"]]).await?;
    all_refused(&fortress, &of_registry(&fortress), &[&GENERATE]).await?;
    world.until_quiet().await?;
    world.verify_stored().await?;
    drop((loader, compactor));
    fortress.world.stop().await
}
