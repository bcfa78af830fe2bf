//! Poison between good messages: it is kept with its bytes, origin and reason, and blocks no other message.

use anyhow::{Context, Result, ensure};
use bson::{DateTime, Document, doc};
use pulseline_generator::{Payload, SimulateConfig, plan};
use pulseline_schemas::{Event, HeartRates, Stream, UtcMillis};
use pulseline_sql::GenericClient;
use pulseline_tests::faults::Relay;
use pulseline_tests::{Role, Service, World, producer::Hand};

/// The first upload of heart rates of a small cohort.
pub(super) fn heart_rates() -> Result<HeartRates> {
    let config = SimulateConfig {
        participants: 1,
        days: 1,
        broken: 0.0,
        ..pulseline_tests::sparse()
    };
    let deliveries = plan(&config, UtcMillis(0)).map_err(anyhow::Error::msg)?;
    let mut events = deliveries.filter_map(|planned| match planned.payload {
        Payload::Event(Event::HeartRates(event)) if event.samples.len() > 10 => Some(event),
        _ => None,
    });
    events.next().context("a cohort without heart rates")
}

/// A text that cannot be compressed.
fn noise(bytes: usize) -> String {
    let hash = |number: usize| uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, &number.to_be_bytes());
    (0..bytes / 32)
        .map(|number| hash(number).simple().to_string())
        .collect()
}

/// A handmade upload of one person's day, as no device writes it.
fn by_hand(id: &str, kafka: Document, metrics: Vec<Document>) -> Document {
    let at = DateTime::from_millis(1_572_742_800_000);
    doc! {
        "_id": id, "device_id": uuid::Uuid::from_u128(9).to_string(), "kafka": kafka, "metrics": metrics,
        "created_at": at, "ended_at": at, "synced_at": at, "utc_offset_minutes": 0,
    }
}

fn position(topic: &str, partition: i32, offset: i64) -> Document {
    doc! { "topic": topic, "generation": 0, "partition": partition, "offset": offset }
}

/// The same upload with another id, and heart rates that are `by` higher.
fn another(event: &HeartRates, id: u128, by: i32) -> Event {
    let mut event = event.clone();
    event.upload.event_id = uuid::Uuid::from_u128(id);
    event.upload.synced_at.0 += i64::from(by);
    event.samples.iter_mut().for_each(|sample| sample.bpm += by);
    Event::HeartRates(event)
}

#[tokio::test]
async fn d_3_an_undecodable_message_blocks_no_other() -> Result<()> {
    let world = World::start("poison").await?;
    let services = Service::start_all(&world)?;
    let hand = Hand::new(&world).await?;
    let good = heart_rates()?;
    hand.event(&Event::HeartRates(good.clone())).await?;
    let poison: [&[u8]; 4] = [b"", b"\x00", b"{\"bpm\": 60}", &[0, 0, 0, 0x7f, 0xff, 1, 2, 3]];
    for bytes in poison {
        hand.bytes(Stream::HeartRates, "a device", bytes).await?;
    }
    // Other content with a known id: the first upload stays, the second becomes a dead letter.
    let mut forged = another(&good, 0, 5);
    forged.set_event_id(good.upload.event_id);
    hand.event(&forged).await?;
    hand.event(&another(&good, 1, 1)).await?;
    // P7: a clock that is ahead would win against every later correction.
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
    let dead_letters = warehouse.query(sql, &[]).await?;
    let reasons: Vec<&str> = dead_letters
        .iter()
        .map(|dead_letter| dead_letter.get(2))
        .collect();
    let expected = [
        "undecodable",
        "undecodable",
        "undecodable",
        "unknown_schema",
        "conflicting_content",
        "clock_in_future",
    ];
    ensure!(reasons == expected, "{reasons:?}");
    for (offset, (dead_letter, bytes)) in (1..).zip(dead_letters.iter().zip(poison)) {
        ensure!(dead_letter.get::<_, &str>(0) == format!("kafka:fitbit.heart_rates/0/0/{offset}"));
        ensure!(dead_letter.get::<_, i32>(1) == -1 && dead_letter.get::<_, &[u8]>(3) == bytes);
        ensure!(
            dead_letter.get::<_, &[u8]>(4) == b"a device" && dead_letter.get::<_, &str>(6) == "heart_rates"
        );
        ensure!(!dead_letter.get::<_, &str>(5).is_empty());
    }
    // The corrected upload has won, and verify agrees.
    let wanted = i64::from(good.samples[0].bpm + 1);
    ensure!(
        world
            .count("select bpm::bigint from raw.heart_rates order by local_ts limit 1")
            .await?
            == wanted
    );
    world.verify_stored().await?;
    drop(services);
    world.stop().await
}

#[tokio::test]
async fn d_3_documents_that_cannot_be_mapped_become_dead_letters_and_verify_goes_on() -> Result<()> {
    let world = World::start("unmappable").await?;
    let services = Service::start_all(&world)?;
    let hand = Hand::new(&world).await?;
    let mut event = heart_rates()?;
    // Only the one impossible reading becomes a dead letter.
    event.samples[3].bpm = 400;
    hand.event(&Event::HeartRates(event.clone())).await?;
    world.until_quiet().await?;
    // An operator edits the collections by hand.
    let documents = world.documents().await?.collection::<Document>("heart_rates");
    let position = |offset: i64| doc! { "topic": "fitbit.heart_rates", "generation": 0, "partition": 7, "offset": offset };
    documents.insert_one(doc! { "_id": "no upload at all" }).await?;
    documents
        .insert_one(doc! { "_id": 17, "kafka": position(1), "device_id": "x" })
        .await?;
    let dead_letters = || world.count("select count(*) from ops.dead_letters");
    world
        .until("three dead letters", |status| status.dead_letters == 3)
        .await?;
    ensure!(dead_letters().await? == 3);
    let item = "select item::bigint from ops.dead_letters where reason = 'out_of_range'";
    ensure!(world.count(item).await? == 3);
    let rows = i64::try_from(event.samples.len())? - 1;
    ensure!(world.count("select count(*) from raw.heart_rates").await? == rows);
    let dead = "select sum(upper(r) - lower(r))::bigint from ops.accounted_offsets, unnest(dead) as r where partition = 7";
    ensure!(world.count(dead).await? == 1);
    // Later valid documents are still loaded.
    hand.event(&another(&event, 5, 1)).await?;
    world.until_accounted().await?;
    world
        .until("another dead letter", |status| status.dead_letters == 4)
        .await?;
    world.until_quiet().await?;
    world.verify_stored().await?;
    drop(services);
    world.stop().await
}

/// Documents that no sink writes: seven that the warehouse refuses, each for its own reason.
async fn write_by_hand(documents: &mongodb::Database) -> Result<()> {
    let steps = documents.collection::<Document>("steps");
    let long = noise(4_000);
    let impossible = [
        ("before the first", position("fitbit.steps", 7, -1)),
        ("after the last", position("fitbit.steps", 7, i64::MAX)),
        ("no partition", position("fitbit.steps", -1, 1)),
        ("no topic", position(&long, 7, 1)),
        (long.as_str(), position("fitbit.steps", -7, 1)),
    ];
    for (id, kafka) in &impossible {
        steps.insert_one(by_hand(id, kafka.clone(), Vec::new())).await?;
    }
    // Too long for its table's key.
    let level = doc! { "local_date": "2019-11-01", "level": noise(10_000), "minutes": 1 };
    let id = uuid::Uuid::from_u128(1).to_string();
    let days = by_hand(&id, position("fitbit.activity_minutes", 7, 0), vec![level]);
    let minutes = documents.collection::<Document>("activity_minutes");
    minutes.insert_one(days).await?;
    let dead_letter = doc! {
        "_id": "kafka:fitbit.steps/0/7/5#-1", "origin": "kafka:fitbit.steps/0/7/5", "item": -1, "stream": "steps",
        "kafka": position("fitbit.steps", 7, 5), "reason": "a\0b", "detail": "c\0d", "program_version": "\0",
        "created_at": DateTime::from_millis(253_402_300_799_999),
    };
    documents
        .collection::<Document>("dead_letters")
        .insert_one(dead_letter)
        .await?;
    Ok(())
}

/// Impossible readings of one upload.
const IMPOSSIBLE: usize = 30_000;

#[tokio::test]
async fn d_3_a_row_that_the_warehouse_refuses_is_a_dead_letter_and_stops_nothing_even_after_its_deletion()
-> Result<()> {
    let world = World::start("refused").await?;
    let url = &world.endpoints.timescale_url;
    let upstream = url.split('@').nth(1).and_then(|rest| rest.split('/').next());
    let upstream = upstream.context("no host")?;
    let relay = Relay::start(upstream, b"nothing is lost here").await?;
    let through = url.replace(upstream, &relay.address());
    let settings = [("PULSELINE__TIMESCALE__URL", through.as_str())];
    let others = [
        Service::start(&world, Role::Sink)?,
        Service::start(&world, Role::Compactor)?,
    ];
    let loader = Service::start_with(&world, Role::Loader, &settings)?;
    let hand = Hand::new(&world).await?;
    let event = heart_rates()?;
    hand.event(&Event::HeartRates(event.clone())).await?;
    world.until_quiet().await?;
    ensure!(loader.terminate().await? == Some(0));

    let documents = world.documents().await?;
    write_by_hand(&documents).await?;
    let steps = documents.collection::<Document>("steps");
    steps.delete_many(doc! {}).await?;
    let loader = Service::start_with(&world, Role::Loader, &settings)?;
    world
        .until("seven dead letters", |status| status.dead_letters == 7)
        .await?;
    let refused = "select count(*) from ops.dead_letters where reason = 'refused' and item = 0 and stream = 'activity_minutes'";
    ensure!(world.count(refused).await? == 1);
    let replaced = "select count(*) from ops.dead_letters where reason = U&'a\\FFFDb' and \"offset\" = 5";
    ensure!(world.count(replaced).await? == 1);
    let dead = "select sum(upper(r) - lower(r))::bigint from ops.accounted_offsets, unnest(dead) as r where partition = 7";
    ensure!(
        world.count(dead).await? == 1,
        "the offset of the reported dead letter"
    );

    // Many dead letters of one upload need few statements, and their documents are read back without being written
    // again.
    let before = relay.round_trips();
    let metric = doc! { "ts": DateTime::from_millis(1_572_742_800_000), "steps": 99_999 };
    let id = uuid::Uuid::from_u128(2).to_string();
    let many = by_hand(&id, position("fitbit.steps", 7, 6), vec![metric; IMPOSSIBLE]);
    steps.insert_one(many).await?;
    let all = i64::try_from(IMPOSSIBLE)? + 7;
    world
        .until("a dead letter for each reading", |status| {
            status.dead_letters == all
        })
        .await?;
    hand.event(&another(&event, 5, 1)).await?;
    world.until_quiet().await?;
    let took = relay.round_trips() - before;
    ensure!(took < 1_000, "{took} round trips");
    steps.delete_many(doc! {}).await?;
    drop((others, loader));
    world.stop().await
}
