//! Offsets without events: commit markers, aborted transactions, and a recreated topic.

use anyhow::{Context, Result, ensure};
use pulseline_auditor::Flow;
use pulseline_clients::kafka::{Guard, Settings};
use pulseline_generator::{Payload, Planned, SimulateConfig, plan};
use pulseline_schemas::{Event, Stream, UtcMillis};
use pulseline_tests::{Service, World, producer::Hand};
use rdkafka::admin::{AdminClient, AdminOptions};

/// Uploads of steps, all different.
fn steps() -> Result<Vec<Event>> {
    let config = SimulateConfig {
        participants: 1,
        days: 1,
        broken: 0.0,
        duplicate: 0.0,
        ..pulseline_tests::sparse()
    };
    let event = |planned: Planned| match planned.payload {
        Payload::Event(event) if planned.stream == Stream::Steps => Some(event),
        _ => None,
    };
    Ok(plan(&config, UtcMillis(0))
        .map_err(anyhow::Error::msg)?
        .filter_map(event)
        .collect())
}

fn flow(status: &pulseline_auditor::Status) -> Option<Flow> {
    status
        .flows
        .iter()
        .find(|flow| flow.topic == Stream::Steps.topic())
        .cloned()
}

#[tokio::test]
async fn p_2_offsets_without_messages_are_receipts_and_leave_no_hole() -> Result<()> {
    let world = World::start("gaps").await?;
    let services = Service::start_all(&world)?;
    let hand = Hand::transactional(&world).await?;
    let events = steps()?;
    // Two committed messages and a marker, two aborted ones and a marker, then one committed message and the last
    // marker.
    for (range, is_committed) in [(0..2, true), (2..4, false), (4..5, true)] {
        hand.begin()?;
        for event in &events[range] {
            hand.event(event).await?;
        }
        if is_committed {
            hand.commit()?
        } else {
            hand.abort()?
        }
    }
    let status = world.until_quiet().await?;
    let steps = flow(&status).context("no flow")?;
    ensure!(
        (steps.produced, steps.loaded, steps.void, steps.unaccounted) == (8, 3, 5, 0),
        "{status}"
    );
    let ranges = "select count(*) from ops.accounted_offsets, unnest(offsets) where topic = 'fitbit.steps'";
    ensure!(
        world.count(ranges).await? == 1,
        "a healthy partition is one range"
    );
    world.verify_stored().await?;
    drop(services);
    world.stop().await
}

#[tokio::test]
async fn p_4_a_recreated_topic_opens_an_incarnation_and_starts_at_0() -> Result<()> {
    let world = World::start("generations").await?;
    let services = Service::start_all(&world)?;
    let events = steps()?;
    let hand = Hand::new(&world).await?;
    for event in &events[..3] {
        hand.event(event).await?;
    }
    world.until_quiet().await?;
    let admin: AdminClient<Guard> = Settings::new(&world.kafka(), "pulseline-tests")?.create()?;
    for deleted in admin
        .delete_topics(&[Stream::Steps.topic()], &AdminOptions::new())
        .await?
    {
        deleted.map_err(|(topic, code)| anyhow::anyhow!("{topic}: {code}"))?;
    }
    let hand = Hand::new(&world).await?;
    for event in &events[3..8] {
        hand.event(event).await?;
    }
    let incarnations = "select count(*) from ops.accounted_offsets where topic = 'fitbit.steps' and generation = 1 \
        and offsets = '{[0,5)}'";
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while world.count(incarnations).await? == 0 {
        ensure!(std::time::Instant::now() < deadline, "{}", world.status().await);
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    let old = "select count(*) from ops.accounted_offsets where topic = 'fitbit.steps' and generation = 0 \
        and offsets = '{[0,3)}'";
    ensure!(world.count(old).await? == 1);
    world.until_quiet().await?;
    world.verify_stored().await?;
    drop(services);
    world.stop().await
}
