//! Checks that the deployment files agree with the binary: compose file, image, dashboards, scrape targets, alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use pulseline_tests::measures;
use pulseline_tests::picture::{self, METRICS, WAREHOUSE, list, read, text};
use pulseline_tests::service::binary;
use serde_json::{Map, Value};

/// One heading per alert.
const RUNBOOK: &str = "docs/operations/runbook.md";

fn yaml(name: &str) -> Result<Value> {
    serde_saphyr::from_str(&read(name)?).with_context(|| name.to_owned())
}

/// Services of the compose file, with inherited settings.
fn services() -> Result<Map<String, Value>> {
    let compose = yaml("docker-compose.yml")?;
    let services = compose["services"].as_object().context("no services")?;
    Ok(services.clone())
}

fn words(service: &Value) -> Vec<&str> {
    list(service, "/command").filter_map(Value::as_str).collect()
}

fn is_ours(service: &Value) -> bool {
    text(service, "/image").starts_with("pulseline:")
}

fn is_pinned(image: &str) -> bool {
    let tag = image.rsplit('/').next().and_then(|name| name.split_once(':'));
    tag.is_some_and(|(_, tag)| tag.contains('.') && tag.contains(|c: char| c.is_ascii_digit()))
}

#[test]
fn every_image_is_pinned_and_every_service_is_watched() -> Result<()> {
    for (name, service) in services()? {
        ensure!(is_pinned(text(&service, "/image")), "{name} is not pinned");
        ensure!(service["restart"].is_string(), "{name} has no restart policy");
        let is_one_shot = words(&service) == ["migrate"];
        ensure!(
            is_one_shot || service.pointer("/healthcheck/test").is_some(),
            "{name} has no health check"
        );
        for port in list(&service, "/ports") {
            let port = port.as_str().unwrap_or_default();
            ensure!(
                port.starts_with("127.0.0.1:"),
                "{name} listens on every interface: {port}"
            );
        }
    }
    for line in read("deploy/Dockerfile")?
        .lines()
        .filter(|line| line.starts_with("FROM "))
    {
        let image = line.split_whitespace().nth(1).unwrap_or_default();
        ensure!(is_pinned(image), "{image} is not pinned");
    }
    Ok(())
}

#[test]
fn the_conditions_that_a_service_waits_for_exist_and_can_become_true() -> Result<()> {
    let services = services()?;
    for (name, service) in &services {
        let waits = service["depends_on"].as_object().into_iter().flatten();
        for (other, wait) in waits {
            let other = services
                .get(other)
                .with_context(|| format!("{name} waits for {other}"))?;
            let is_one_shot = words(other) == ["migrate"];
            let expected = if is_one_shot {
                "service_completed_successfully"
            } else {
                "service_healthy"
            };
            ensure!(wait["condition"] == expected, "{name}: {wait}");
        }
    }
    Ok(())
}

#[test]
fn volumes_are_declared_and_mounted_files_exist() -> Result<()> {
    let compose = yaml("docker-compose.yml")?;
    let declared = compose["volumes"].as_object().context("no volumes")?;
    for (name, service) in services()? {
        for volume in list(&service, "/volumes").filter_map(Value::as_str) {
            let from = volume.split(':').next().unwrap_or_default();
            let is_there =
                declared.contains_key(from) || from.starts_with("./") && picture::path(from).exists();
            ensure!(is_there, "{name} mounts {volume}");
        }
    }
    Ok(())
}

/// Keys `section.key` of the file that lists every setting; another test checks that the list is complete.
fn settings() -> Result<BTreeSet<String>> {
    let (mut section, mut keys) = (String::new(), BTreeSet::new());
    for line in read("deploy/pulseline.toml")?.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") {
            keys.insert(format!("{section}{key}"));
        }
    }
    Ok(keys)
}

#[test]
fn every_setting_and_command_exists_in_the_program() -> Result<()> {
    let (keys, mut commands) = (settings()?, BTreeSet::new());
    for (name, service) in services()?.into_iter().filter(|(_, service)| is_ours(service)) {
        let environment = service["environment"].as_object().context("no environment")?;
        for variable in environment.keys() {
            let key = variable
                .strip_prefix("PULSELINE__")
                .map(|key| key.replace("__", ".").to_lowercase());
            ensure!(key.is_some_and(|key| keys.contains(&key)), "{name}: {variable}");
            // All services listen on other interfaces than loopback.
            let said = variable.replace("__LISTEN", "__ALLOW_UNAUTHENTICATED");
            ensure!(environment.contains_key(&said), "{name} is refused: {said}");
        }
        let words = words(&service);
        let asked = Command::new(binary()?).args(&words).arg("--help").output()?;
        ensure!(asked.status.success(), "{name}: {words:?}");
        commands.insert(words[0].to_owned());
    }
    let expected = [
        "compact", "console", "generate", "heal", "load", "migrate", "sink",
    ];
    ensure!(commands.iter().eq(expected), "{commands:?}");
    let image = read("deploy/Dockerfile")?;
    ensure!(image.contains("ENTRYPOINT [\"/usr/local/bin/pulseline\"]"));
    ensure!(image.contains("\nUSER 10001:10001\n"), "it runs as root");
    Ok(())
}

#[test]
fn the_image_and_the_servers_are_of_the_versions_that_tests_run() -> Result<()> {
    let toolchain = read("rust-toolchain.toml")?;
    let rust = toolchain.split('"').nth(1).context("no channel")?;
    ensure!(
        read("deploy/Dockerfile")?.contains(&format!("FROM rust:{rust}-")),
        "{rust}"
    );
    let (context, workspace) = (read(".dockerignore")?, read("Cargo.toml")?);
    let members = workspace.lines().take_while(|line| *line != "]");
    let members = members.filter_map(|line| line.trim().strip_prefix('"'));
    for folder in members.filter_map(|member| member.split(['/', '"']).next()) {
        let is_sent = context.lines().any(|line| line.strip_prefix('!') == Some(folder));
        ensure!(is_sent, "the image cannot be built without {folder}");
    }
    let services = services()?;
    let tag = |name: &str| {
        text(&services[name], "/image")
            .rsplit(':')
            .next()
            .unwrap_or_default()
    };
    let kafka = format!("kafka_2.13</artifactId><version>{}<", tag("kafka"));
    ensure!(
        read("services/stack/artifacts/pom.xml")?.contains(&kafka),
        "{kafka}"
    );
    let registry = format!("apicurio-registry-app:{}:", tag("registry"));
    ensure!(
        read("services/stack/src/provision.rs")?.contains(&registry),
        "{registry}"
    );
    ensure!(tag("timescale").ends_with("-pg17"), "not what is tested");
    Ok(())
}

#[test]
fn every_service_is_scraped_where_it_serves_metrics() -> Result<()> {
    let (config, services) = (yaml("deploy/prometheus/prometheus.yml")?, services()?);
    let mut jobs = BTreeSet::new();
    for job in list(&config, "/scrape_configs") {
        let (name, target) = (text(job, "/job_name"), &job["dns_sd_configs"][0]);
        ensure!(target["names"] == serde_json::json!([name]), "{name}: {target}");
        let service = services.get(name).with_context(|| format!("no service {name}"))?;
        let listen = text(service, "/environment/PULSELINE__TELEMETRY__LISTEN");
        ensure!(
            listen == format!("0.0.0.0:{}", target["port"]),
            "{name}: {listen}"
        );
        jobs.insert(name);
    }
    let ours = services
        .iter()
        .filter(|(name, service)| is_ours(service) && *name != "migrate");
    let ours: BTreeSet<&str> = ours.map(|(name, _)| name.as_str()).collect();
    ensure!(
        jobs == ours,
        "{jobs:?} are scraped, but the services are {ours:?}"
    );
    Ok(())
}

#[test]
fn every_metric_of_a_dashboard_or_rule_is_described_by_a_service() -> Result<()> {
    let (described, used) = (measures::described()?, picture::used_metrics()?);
    ensure!(used.len() > 30, "only {used:?}");
    for name in &used {
        let base = picture::histogram_of(name).unwrap_or(name);
        ensure!(described.contains(base), "{name} has no description");
    }
    Ok(())
}

#[test]
fn every_panel_has_a_description_and_a_place() -> Result<()> {
    for (file, board) in picture::dashboards()? {
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for panel in list(&board, "/panels") {
            let title = text(panel, "/title");
            ensure!(
                ids.insert(panel["id"].as_i64()),
                "{file}: {title} has the id of another"
            );
            let place = |name: &str| panel["gridPos"][name].as_i64().unwrap_or(-1);
            ensure!(
                place("x") >= 0 && place("x") + place("w") <= 24,
                "{file}: {title} is too wide"
            );
            for cell in (place("x")..place("x") + place("w"))
                .flat_map(|x| (place("y")..place("y") + place("h")).map(move |y| (x, y)))
            {
                ensure!(taken.insert(cell), "{file}: {title} lies over another");
            }
            if panel["type"] == "row" {
                continue;
            }
            ensure!(
                !text(panel, "/description").is_empty(),
                "{file}: {title} has no description"
            );
            let is_table = panel["type"] == "table";
            let has_unit = panel.pointer("/fieldConfig/defaults/unit").is_some();
            ensure!(is_table || has_unit, "{file}: {title} has no unit");
        }
    }
    Ok(())
}

#[test]
fn every_query_asks_a_provisioned_source_and_readers_relations_only() -> Result<()> {
    let sources = yaml("deploy/grafana/provisioning/datasources/pulseline.yml")?;
    let sources: BTreeSet<&str> = list(&sources, "/datasources")
        .map(|source| text(source, "/uid"))
        .collect();
    ensure!(sources == BTreeSet::from([METRICS, WAREHOUSE]), "{sources:?}");
    for query in picture::queries()? {
        ensure!(
            sources.contains(query.source.as_str()),
            "{}: {}",
            query.place,
            query.source
        );
        if query.source == METRICS {
            continue;
        }
        let sql = picture::expand(&query.text, ("a", "b"), &["c".to_owned()])?;
        let words: Vec<&str> = sql.split_whitespace().collect();
        let relations = words
            .windows(2)
            .filter(|pair| ["from", "join"].contains(&pair[0]));
        for relation in relations.map(|pair| pair[1]) {
            let is_readers = relation.starts_with("stage.") || relation.starts_with("agg.");
            // `extract(epoch from …)` names no relation.
            ensure!(
                is_readers || relation.ends_with("_local"),
                "{}: {relation}",
                query.place
            );
        }
    }
    for (file, board) in picture::dashboards()? {
        for panel in list(&board, "/panels").filter(|panel| panel["type"] != "row") {
            let source = text(panel, "/datasource/uid");
            ensure!(sources.contains(source), "{file}: {source}");
        }
    }
    Ok(())
}

#[test]
fn grafana_finds_its_dashboards_and_its_servers() -> Result<()> {
    let services = services()?;
    let provider = yaml("deploy/grafana/provisioning/dashboards/pulseline.yml")?;
    let folder = text(&provider, "/providers/0/options/path");
    let mount = format!("./deploy/grafana/dashboards:{folder}:ro");
    let mounted = list(&services["grafana"], "/volumes").any(|volume| *volume == mount);
    ensure!(mounted, "{folder} is not mounted");
    let sources = yaml("deploy/grafana/provisioning/datasources/pulseline.yml")?;
    for source in list(&sources, "/datasources") {
        let url = text(source, "/url").trim_start_matches("http://");
        let (name, port) = url.split_once(':').context("no port")?;
        let service = services.get(name).with_context(|| format!("no service {name}"))?;
        let is_served = list(service, "/ports").any(|published| {
            let published = published.as_str().unwrap_or_default();
            published.rsplit(':').next() == Some(port)
        });
        ensure!(is_served, "{name} does not listen at {port}");
    }
    for name in ["grafana", "timescale"] {
        let password = text(&services[name], "/environment/GRAFANA_DB_PASSWORD");
        ensure!(
            password == "${GRAFANA_DB_PASSWORD:-grafana}",
            "{name}: {password}"
        );
    }
    Ok(())
}

/// Alert rules by name.
fn alerts() -> Result<BTreeMap<String, Value>> {
    let rules = yaml("deploy/prometheus/alerts.yml")?;
    let rules = list(&rules, "/groups/0/rules");
    Ok(rules
        .map(|rule| (text(rule, "/alert").to_owned(), rule.clone()))
        .collect())
}

#[test]
fn every_alert_has_a_runbook_and_a_test_in_which_it_fires() -> Result<()> {
    let (alerts, runbook) = (alerts()?, read(RUNBOOK)?);
    for (name, rule) in &alerts {
        for field in ["summary", "description"] {
            ensure!(
                !text(rule, &format!("/annotations/{field}")).is_empty(),
                "{name}: no {field}"
            );
        }
        let link = text(rule, "/annotations/runbook");
        ensure!(
            link == format!("{RUNBOOK}#{}", name.to_lowercase()),
            "{name}: its runbook is {link}"
        );
        ensure!(
            runbook.lines().any(|line| line == format!("## {name}")),
            "{name}: {RUNBOOK} has no such heading"
        );
    }
    let tests = yaml("deploy/prometheus/alerts_test.yml")?;
    let mut fired = BTreeSet::new();
    for test in list(&tests, "/tests").flat_map(|test| list(test, "/promql_expr_test")) {
        for sample in list(test, "/exp_samples") {
            let name = text(sample, "/labels").split("alertname=\"").nth(1);
            fired.extend(name.and_then(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
    let known: BTreeSet<String> = alerts.into_keys().collect();
    ensure!(
        fired == known,
        "the rules' tests fire {fired:?}, the rules have {known:?}"
    );
    Ok(())
}

#[test]
fn promtool_accepts_rules_and_configuration_and_their_tests_pass() -> Result<()> {
    let checks = [
        ["check", "rules", "alerts.yml"],
        ["check", "config", "prometheus.yml"],
        ["test", "rules", "alerts_test.yml"],
    ];
    for words in checks {
        let checked = Command::new("promtool")
            .args(words)
            .current_dir(picture::path("deploy/prometheus"))
            .output()
            .context("promtool is missing: scripts/test installs it with Debian's package prometheus")?;
        let said = [checked.stdout, checked.stderr].concat();
        ensure!(
            checked.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&said)
        );
    }
    Ok(())
}
