//! Schemas change while services run: a newer writer loses nothing, and an incompatible one is refused.

use anyhow::{Context, Result, ensure};
use bson::{Document, doc};
use pulseline_clients::registry::{Registry, RegistryError};
use pulseline_generator::{Payload, SimulateConfig, ensure_topics, plan};
use pulseline_schemas::{Event, Sleep, Stream, UtcMillis, encode, frame};
use pulseline_tests::producer::Hand;
use pulseline_tests::{Role, Service, World};
use serde_json::{Value, json};

/// The first sleep of a cohort.
fn sleep() -> Result<Sleep> {
    let config = SimulateConfig {
        participants: 1,
        ..pulseline_tests::sparse()
    };
    let mut planned = plan(&config, UtcMillis(0)).map_err(anyhow::Error::msg)?;
    let found = planned.find_map(|planned| match planned.payload {
        Payload::Event(Event::Sleeps(sleep)) => Some(sleep),
        _ => None,
    });
    found.context("a cohort without sleeps")
}

/// The shipped schema of sleeps with one more field.
fn with(field: Value) -> Result<String> {
    let mut schema: Value = serde_json::from_str(Stream::Sleeps.schema_json())?;
    schema["fields"].as_array_mut().context("fields")?.push(field);
    Ok(schema.to_string())
}

/// Services that start together on a new registry all get the same id.
async fn all_at_once(world: &World) -> Result<()> {
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let registry = Registry::new(&world.registry())?;
        asked.spawn(async move {
            loop {
                match registry.register(Stream::Sleeps).await {
                    // The registry's database may stay locked: the services wait out that outage.
                    Err(RegistryError::Unavailable { .. }) => tokio::task::yield_now().await,
                    ended => return ended,
                }
            }
        });
    }
    let mut ids = asked
        .join_all()
        .await
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    ids.dedup();
    ensure!(ids.len() == 1, "{ids:?}");
    Ok(())
}

#[tokio::test]
async fn a_field_of_a_newer_writer_survives_and_an_incompatible_schema_is_refused() -> Result<()> {
    let world = World::start("schemas").await?;
    all_at_once(&world).await?;
    let hand = Hand::new(&world).await?;
    let mut services = Service::start_all(&world)?;
    let registry = Registry::new(&world.registry())?;
    registry.set_compatibility().await?;
    let mut event = sleep()?;
    hand.event(&Event::Sleeps(event.clone())).await?;
    world.until_quiet().await?;

    // A newer writer appends an optional text: its datum ends with the field, the second branch of its union.
    let newer = with(json!({"name": "mattress", "type": ["null", "string"], "default": null}))?;
    let id = registry.register_schema(Stream::Sleeps, &newer).await?;
    event.upload.event_id = uuid::Uuid::from_u128(77);
    event.upload.synced_at.0 += 1;
    let mut datum = encode(&Event::Sleeps(event.clone()))?;
    datum.extend([2, 8]);
    datum.extend(b"firm");
    let key = event.upload.device_id.to_string();
    hand.bytes(Stream::Sleeps, &key, &frame(id, &datum)).await?;
    world.until_quiet().await?;
    for service in &mut services {
        ensure!(
            service.is_running()?,
            "{:?} ended:\n{}",
            service.role(),
            service.log()?
        );
    }
    let kept = "select count(*) from raw.sleeps where extra ->> 'mattress' = 'firm'";
    ensure!(
        world.count(kept).await? == 1,
        "the field must be kept under extra"
    );
    ensure!(world.count("select count(*) from ops.dead_letters").await? == 0);
    world.verify_stored().await?;

    // A field without a default, which old data lacks.
    let incompatible = with(json!({"name": "pillow", "type": "string"}))?;
    let refused = registry.register_schema(Stream::Sleeps, &incompatible).await;
    let said = refused.err().context("the registry accepted it")?.to_string();
    ensure!(
        said.contains("fitbit.sleeps-value") && said.contains("new fields need a default"),
        "{said}"
    );
    drop(services);
    world.stop().await
}

#[tokio::test]
async fn a_field_that_an_older_program_kept_under_extra_becomes_a_column() -> Result<()> {
    let world = World::start("older").await?;
    ensure_topics(&world.kafka(), 1).await?;
    let hand = Hand::new(&world).await?;
    let sink = Service::start(&world, Role::Sink)?;
    let mut event = sleep()?;
    event.log_type = Some("manual".into());
    hand.event(&Event::Sleeps(event.clone())).await?;
    let stored =
        |status: &pulseline_auditor::Status| status.flows.iter().map(|flow| flow.stored).sum::<i64>();
    world.until("it is stored", |status| stored(status) == 1).await?;
    // The document of an earlier version, which did not know the field log_type.
    let documents = world.documents().await?.collection::<Document>("sleeps");
    let older =
        doc! { "$unset": { "log_type": "" }, "$set": { "extra": { "log_type": "manual", "shoe": 44_i64 } } };
    let changed = documents.update_one(doc! {}, older).await?;
    ensure!(changed.modified_count == 1, "{changed:?}");
    let services = [
        Service::start(&world, Role::Loader)?,
        Service::start(&world, Role::Compactor)?,
    ];
    world.until_quiet().await?;
    let moved = "select count(*) from raw.sleeps where log_type = 'manual' and extra = '{\"shoe\": 44}'";
    ensure!(
        world.count(moved).await? == 1,
        "the field must be in its column only"
    );
    world.verify_stored().await?;
    drop((sink, services));
    world.stop().await
}
