//! Dashboards and alerts on real servers: the metrics they query exist, and a hole shows.

use std::collections::HashSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use pulseline_generator::SimulateConfig;
use pulseline_runtime::config::{Secret, TimescaleConfig};
use pulseline_sql::{Client, GenericClient};
use pulseline_stack::Server;
use pulseline_tests::picture::{self, METRICS, Query, WAREHOUSE};
use pulseline_tests::{Role, Service, World};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio_postgres::SimpleQueryMessage;

/// The cohort's days, with a margin for time zones.
const RANGE: (&str, &str) = ("2019-10-31T00:00:00Z", "2019-11-05T00:00:00Z");
const POLL: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(60);
/// Removes three offsets from the accounting.
const FORGET: &str = "update ops.accounted set offsets = offsets - '{[2,5)}' \
    where (topic, partition) in (select topic, partition from ops.accounted \
    where topic = 'fitbit.heart_rates' and upper(offsets) > 5 order by partition limit 1)";

#[tokio::test]
async fn d_4_a_1_dashboards_and_alerts_show_the_actual_state() -> Result<()> {
    let Some(world) = World::start_owning("picture", &[Server::Timescale]).await? else {
        return Ok(());
    };
    let mut services = Service::start_all(&world)?;
    services.push(Service::start(&world, Role::Healer)?);
    let prometheus = Prometheus::start(&services).await?;
    world
        .simulate(&SimulateConfig {
            participants: 4,
            days: 3,
            ..pulseline_tests::sparse()
        })
        .await?;
    world.until_quiet().await?;
    for service in &mut services {
        service.until_ready().await?;
        ensure!(
            health(service.address()).await?,
            "{:?} is not healthy",
            service.role()
        );
    }
    let reader = reader(&world).await?;
    picture::show_groups_of_one(&world).await?;
    every_query_has_rows(&reader).await?;
    prometheus.until_scraped_and_evaluated().await?;
    prometheus.knows_every_metric().await?;
    prometheus.answers_every_query().await?;
    prometheus.until_calm().await?;
    world.until_folded().await?;
    let forgotten = world.warehouse().await?.execute(FORGET, &[]).await?;
    ensure!(forgotten == 1, "nothing was forgotten");
    prometheus.until_alert("OffsetsUnaccounted", "3").await?;
    ensure!(
        world.status().await.unaccounted() == 3,
        "status counts another number"
    );
    prometheus.stop().await?;
    drop(services);
    world.stop().await
}

/// The health check of the compose file, with this port.
async fn health(address: &str) -> Result<bool> {
    let compose: Value = serde_saphyr::from_str(&picture::read("docker-compose.yml")?)?;
    let test = picture::list(&compose, "/x-service/healthcheck/test").filter_map(Value::as_str);
    let words: Vec<&str> = test.collect();
    let [_, bash, option, script] = words[..] else {
        anyhow::bail!("another health check: {words:?}");
    };
    let port = address.rsplit(':').next().unwrap_or_default();
    let ended = Command::new(bash)
        .args([option, &script.replace("9464", port)])
        .status()
        .await?;
    Ok(ended.success())
}

/// The user that Grafana connects as, created by the container's script.
async fn reader(world: &World) -> Result<Client> {
    let made = Command::new("psql")
        .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--file"])
        .arg(picture::path("deploy/timescale/reader.sql"))
        .arg(&world.endpoints.timescale_url)
        .env("GRAFANA_DB_PASSWORD", "it's \"secret\"")
        .output()
        .await?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let url = &world.endpoints.timescale_url;
    let timescale = TimescaleConfig {
        url: Secret::new(url.replacen("postgres://postgres@", "postgres://grafana@", 1)),
        ..TimescaleConfig::default()
    };
    let client = pulseline_sql::connect(&timescale, "pulseline-tests").await?;
    ensure!(
        client.batch_execute("select * from raw.users").await.is_err(),
        "it sees e-mails"
    );
    Ok(client)
}

async fn every_query_has_rows(client: &Client) -> Result<()> {
    let people = client.query("select user_id::text from stage.users", &[]).await?;
    let people: Vec<String> = people.iter().map(|row| row.get(0)).collect();
    let asked = picture::queries()?;
    let asked: Vec<&Query> = asked.iter().filter(|query| query.source == WAREHOUSE).collect();
    ensure!(asked.len() > 20, "only {} queries", asked.len());
    for query in asked {
        let sql = picture::expand(&query.text, RANGE, &people)?;
        has_rows(client, query, &sql)
            .await
            .with_context(|| format!("{}: {sql}", query.place))?;
    }
    Ok(())
}

async fn has_rows(client: &Client, query: &Query, sql: &str) -> Result<()> {
    let columns = client.bare().prepare(sql).await?;
    let columns: Vec<(&str, &str)> = columns
        .columns()
        .iter()
        .map(|column| (column.name(), column.type_().name()))
        .collect();
    if query.format == "time_series" {
        ensure!(columns.first() == Some(&("time", "timestamp")), "{columns:?}");
        let texts = columns.iter().filter(|(_, kind)| *kind == "text");
        ensure!(texts.clone().all(|(name, _)| *name == "metric"), "{columns:?}");
    }
    let answered = client.bare().simple_query(sql).await?;
    let rows = answered.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    ensure!(rows.clone().next().is_some(), "no rows");
    for (index, (name, _)) in columns.iter().enumerate() {
        ensure!(
            rows.clone().any(|row| row.get(index).is_some()),
            "{name} is null everywhere"
        );
    }
    Ok(())
}

/// A real Prometheus that scrapes the services and evaluates the rules.
struct Prometheus {
    child: Child,
    url: String,
    folder: TempDir,
    services: usize,
}

impl Prometheus {
    async fn start(services: &[Service]) -> Result<Self> {
        let folder = TempDir::new()?;
        let rules = picture::path("deploy/prometheus/alerts.yml").canonicalize()?;
        let mut config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [{rules:?}]\nscrape_configs:\n"
        );
        for service in services {
            let job = match service.role() {
                Role::Sink => "sink",
                Role::Loader => "load",
                Role::Compactor => "compact",
                Role::Healer => "heal",
                Role::Console => "console",
            };
            config += &format!(
                "  - job_name: {job}\n    static_configs: [{{ targets: [\"{}\"] }}]\n",
                service.address()
            );
        }
        std::fs::write(folder.path().join("prometheus.yml"), config)?;
        let address = format!("127.0.0.1:{}", pulseline_stack::free_port()?);
        let child = Command::new("prometheus")
            .arg(format!(
                "--config.file={}",
                folder.path().join("prometheus.yml").display()
            ))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("prometheus is missing: scripts/test installs it")?;
        Ok(Self {
            child,
            url: format!("http://{address}/api/v1"),
            folder,
            services: services.len(),
        })
    }

    async fn stop(mut self) -> Result<()> {
        self.child.kill().await?;
        Ok(self.folder.close()?)
    }

    async fn get(&self, path: &str) -> Result<Value> {
        let text = reqwest::get(format!("{}/{path}", self.url)).await?.text().await?;
        let answer: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        ensure!(answer["status"] == "success", "{path}: {text}");
        Ok(answer)
    }

    async fn until(&self, what: &str, path: &str, is_so: impl Fn(&Value) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path).await;
            if answer.as_ref().is_ok_and(&is_so) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{what}: never; {answer:?}");
            tokio::time::sleep(POLL).await;
        }
    }

    async fn until_scraped_and_evaluated(&self) -> Result<()> {
        self.until("every target is up", "targets?state=active", |answer| {
            let targets = picture::list(answer, "/data/activeTargets");
            targets.filter(|target| target["health"] == "up").count() == self.services
        })
        .await?;
        self.until("every rule is evaluated", "rules", |answer| {
            let mut rules = picture::list(answer, "/data/groups/0/rules").peekable();
            rules.peek().is_some() && rules.all(|rule| rule["health"] == "ok")
        })
        .await
    }

    /// Every metric that a service exports from its start is present, and enough histograms have observations.
    async fn knows_every_metric(&self) -> Result<()> {
        let answer = self.get("label/__name__/values").await?;
        let known: HashSet<&str> = picture::list(&answer, "/data")
            .filter_map(Value::as_str)
            .collect();
        let used = picture::used_metrics()?;
        // The generator does not run as a service here.
        let used = used
            .iter()
            .filter(|name| !name.starts_with("pulseline_generator_"));
        let missing: Vec<_> = used
            .clone()
            .filter(|name| !known.contains(name.as_str()))
            .collect();
        let (histograms, others): (Vec<_>, Vec<_>) = missing
            .into_iter()
            .partition(|name| picture::histogram_of(name).is_some());
        ensure!(others.is_empty(), "no service has {others:?}");
        let asked = used.filter(|name| picture::histogram_of(name).is_some()).count();
        ensure!(histograms.len() < asked / 2, "never observed: {histograms:?}");
        Ok(())
    }

    async fn answers_every_query(&self) -> Result<()> {
        let queries = picture::queries()?;
        for query in queries.iter().filter(|query| query.source == METRICS) {
            let expression = query.text.replace("$__rate_interval", "1m");
            let encoded: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
            self.get(&format!("query?query={encoded}"))
                .await
                .with_context(|| query.place.clone())?;
        }
        Ok(())
    }

    /// No alert is active: those of the services' start have ended.
    async fn until_calm(&self) -> Result<()> {
        self.until("no alert", "alerts", |answer| {
            // The cohort sends broken uploads.
            picture::list(answer, "/data/alerts").all(|alert| alert["labels"]["alertname"] == "DeadLetters")
        })
        .await
    }

    /// Waits until the alert has this value, pending or firing.
    async fn until_alert(&self, name: &str, value: &str) -> Result<()> {
        self.until(name, "alerts", |answer| {
            picture::list(answer, "/data/alerts").any(|alert| {
                let number = picture::text(alert, "/value").parse::<f64>();
                alert["labels"]["alertname"] == name && number.ok() == value.parse().ok()
            })
        })
        .await
    }
}
