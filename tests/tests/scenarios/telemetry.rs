//! The metrics and health of a service from its start, and its exit codes.

use anyhow::{Result, ensure};
use pulseline_tests::{Role, Service, World};

#[tokio::test]
async fn every_metric_is_described_and_present_from_the_start() -> Result<()> {
    let world = World::start("telemetry").await?;
    let mut services = Service::start_all(&world)?;
    services.push(Service::start(&world, Role::Console)?);
    pulseline_generator::ensure_topics(&world.kafka(), 1).await?;
    for service in &mut services {
        service.until_ready().await?;
        ensure!(service.get("/livez").await? == (200, "alive\n".to_owned()));
        let (status, text) = service.get("/metrics").await?;
        ensure!(status == 200);
        let names: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE "))
            .collect();
        ensure!(names.len() >= 8, "{:?} has only {names:?}", service.role());
        for line in names {
            let (name, kind) = line.split_once(' ').unwrap_or_default();
            let is_own = name.starts_with("pulseline_") || name.starts_with("process_");
            ensure!(is_own, "{name}");
            ensure!(
                text.contains(&format!("# HELP {name} ")),
                "{name} is not described"
            );
            ensure!(kind != "summary", "{name} has no buckets");
            ensure!(
                kind != "counter" || name.ends_with("_total"),
                "{name} is a counter"
            );
        }
        ensure!(
            text.contains("_last_success_timestamp_seconds"),
            "{:?}",
            service.role()
        );
    }
    for service in services {
        let role = service.role();
        ensure!(
            service.terminate().await? == Some(0),
            "{role:?} ends with an error"
        );
    }
    world.stop().await
}

#[tokio::test]
async fn a_wrong_setting_is_named_and_ends_with_code_2() -> Result<()> {
    let world = World::start("settings").await?;
    let settings = [
        (Role::Sink, ("PULSELINE__SINK__BATCH_ROWS", "0")),
        (Role::Loader, ("PULSELINE__LOADER__NO_SUCH_KEY", "1")),
        // An address that other machines reach, without any protection.
        (Role::Compactor, ("PULSELINE__TELEMETRY__LISTEN", "0.0.0.0:0")),
        (Role::Console, ("PULSELINE__CONSOLE__LISTEN", "0.0.0.0:0")),
        (
            Role::Sink,
            ("PULSELINE__TELEMETRY__TLS_CERTIFICATE", "/nowhere.pem"),
        ),
    ];
    for (role, setting) in settings {
        let mut service = Service::start_with(&world, role, &[setting])?;
        ensure!(service.ended().await? == Some(2), "{}", service.log()?);
        let field = setting.0.rsplit("__").next().unwrap_or_default().to_lowercase();
        ensure!(service.log()?.contains(&field), "{}", service.log()?);
    }
    world.stop().await
}
