//! Poison between good messages: kept with its bytes, origin and reason, and nothing else is held up by it.

use anyhow::{Context, Result, ensure};
use bson::{Document, doc};
use pulseline_generator::{Payload, SimulateConfig, plan};
use pulseline_schemas::{Event, HeartRates, Stream, UtcMillis};
use pulseline_sql::GenericClient;
use pulseline_tests::{Service, World, producer::Hand};

/// The first upload of heart rates of a small cohort.
fn heart_rates() -> Result<HeartRates> {
    let config = SimulateConfig {
        participants: 1,
        days: 1,
        broken: 0.0,
        ..SimulateConfig::default()
    };
    let deliveries = plan(&config, UtcMillis(0)).map_err(anyhow::Error::msg)?;
    let mut events = deliveries.filter_map(|planned| match planned.payload {
        Payload::Event(Event::HeartRates(event)) if event.samples.len() > 10 => Some(event),
        _ => None,
    });
    events.next().context("a cohort without heart rates")
}

/// The same upload under another id, with heart rates that are `by` higher.
fn another(event: &HeartRates, id: u128, by: i32) -> Event {
    let mut event = event.clone();
    event.upload.event_id = uuid::Uuid::from_u128(id);
    event.upload.synced_at.0 += i64::from(by);
    event.samples.iter_mut().for_each(|sample| sample.bpm += by);
    Event::HeartRates(event)
}

#[tokio::test]
async fn d_3_what_cannot_be_decoded_stands_in_nobodys_way() -> Result<()> {
    let world = World::start("poison").await?;
    let services = Service::start_all(&world)?;
    let hand = Hand::new(&world).await?;
    let good = heart_rates()?;
    hand.event(&Event::HeartRates(good.clone())).await?;
    let poison: [&[u8]; 4] = [b"", b"\x00", b"{\"bpm\": 60}", &[0, 0, 0, 0x7f, 0xff, 1, 2, 3]];
    for bytes in poison {
        hand.bytes(Stream::HeartRates, "a device", bytes).await?;
    }
    // Other content under a known id: the first stays, the second is kept as a letter.
    let mut forged = another(&good, 0, 5);
    forged.set_event_id(good.upload.event_id);
    hand.event(&forged).await?;
    hand.event(&another(&good, 1, 1)).await?;
    // A11: a clock that runs ahead would win against every correction that comes later.
    let mut ahead = good.clone();
    (ahead.upload.event_id, ahead.upload.synced_at) =
        (uuid::Uuid::from_u128(2), UtcMillis(4_070_908_800_000));
    hand.event(&Event::HeartRates(ahead)).await?;
    let status = world.until_quiet().await?;
    let flow = status
        .flows
        .iter()
        .find(|flow| flow.topic == Stream::HeartRates.topic())
        .context("no flow")?;
    ensure!((flow.produced, flow.loaded, flow.dead) == (8, 2, 6), "{status}");
    let warehouse = world.warehouse().await?;
    let sql = "select origin, item, reason, payload, message_key, program_version, stream from ops.dead_letters order by \"offset\"";
    let letters = warehouse.query(sql, &[]).await?;
    let reasons: Vec<&str> = letters.iter().map(|letter| letter.get(2)).collect();
    let expected = [
        "undecodable",
        "undecodable",
        "undecodable",
        "unknown_schema",
        "conflicting_content",
        "clock_in_future",
    ];
    ensure!(reasons == expected, "{reasons:?}");
    for (offset, (letter, bytes)) in (1..).zip(letters.iter().zip(poison)) {
        ensure!(letter.get::<_, &str>(0) == format!("kafka:fitbit.heart_rates/0/0/{offset}"));
        ensure!(letter.get::<_, i32>(1) == -1 && letter.get::<_, &[u8]>(3) == bytes);
        ensure!(letter.get::<_, &[u8]>(4) == b"a device" && letter.get::<_, &str>(6) == "heart_rates");
        ensure!(!letter.get::<_, &str>(5).is_empty());
    }
    // The corrected upload has won, and verify agrees.
    let wanted = i64::from(good.samples[0].bpm + 1);
    ensure!(
        world
            .count("select bpm::bigint from raw.heart_rates order by local_ts limit 1")
            .await?
            == wanted
    );
    world.verify_equal().await?;
    drop(services);
    world.stop().await
}

#[tokio::test]
async fn d_3_documents_that_cannot_be_mapped_become_letters_and_verify_goes_on() -> Result<()> {
    let world = World::start("unmappable").await?;
    let services = Service::start_all(&world)?;
    let hand = Hand::new(&world).await?;
    let mut event = heart_rates()?;
    // One reading of many is impossible: it alone is dead.
    event.samples[3].bpm = 400;
    hand.event(&Event::HeartRates(event.clone())).await?;
    world.until_quiet().await?;
    // Somebody writes into the collections by hand.
    let documents = world.documents().await?.collection::<Document>("heart_rates");
    let position = |offset: i64| doc! { "topic": "fitbit.heart_rates", "generation": 0, "partition": 7, "offset": offset };
    documents.insert_one(doc! { "_id": "no upload at all" }).await?;
    documents
        .insert_one(doc! { "_id": 17, "kafka": position(1), "device_id": "x" })
        .await?;
    let letters = || world.count("select count(*) from ops.dead_letters");
    world
        .until("three letters", |status| status.dead_letters == 3)
        .await?;
    ensure!(letters().await? == 3);
    let item = "select item::bigint from ops.dead_letters where reason = 'out_of_range'";
    ensure!(world.count(item).await? == 3);
    let rows = i64::try_from(event.samples.len())? - 1;
    ensure!(world.count("select count(*) from raw.heart_rates").await? == rows);
    let dead = "select sum(upper(r) - lower(r))::bigint from ops.accounted_offsets, unnest(dead) as r where partition = 7";
    ensure!(world.count(dead).await? == 1);
    // Good documents after them still load.
    hand.event(&another(&event, 5, 1)).await?;
    world.until_accounted().await?;
    world
        .until("another letter", |status| status.dead_letters == 4)
        .await?;
    world.until_quiet().await?;
    world.verify_equal().await?;
    drop(services);
    world.stop().await
}
