//! Verify detects deliberate damage: a wrong row, a missing row, a wrong dead letter, a document that was deleted before it was
//! loaded.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bson::{Document, doc};
use futures_util::TryStreamExt;
use pulseline_auditor::{Scope, VerifyConfig};
use pulseline_generator::SimulateConfig;
use pulseline_runtime::shutdown::Shutdown;
use pulseline_schemas::{Event, HeartRates, Stream};
use pulseline_sql::GenericClient;
use pulseline_tests::producer::Hand;
use pulseline_tests::service::command;
use pulseline_tests::{Role, Service, World};

use crate::poison::heart_rates;

const SETTLE: Duration = Duration::from_secs(30);

fn cohort() -> SimulateConfig {
    SimulateConfig {
        participants: 2,
        days: 1,
        ..pulseline_tests::sparse()
    }
}

#[tokio::test]
async fn p_8_a_wrong_row_and_a_deleted_row_of_raw_are_reported() -> Result<()> {
    let world = World::start("damage").await?;
    let services = Service::start_all(&world)?;
    world.simulate(&cohort()).await?;
    world.until_quiet().await?;
    ensure!(verify(&world, &[]).await? == Some(0), "the command's exit code");
    ensure!(
        verify(&world, &["--full", "--minutes", "0"]).await? == Some(4),
        "unfinished"
    );
    ensure!(
        verify(&world, &["--relation", "agg.nothing"]).await? == Some(2),
        "unknown"
    );
    let warehouse = world.warehouse().await?;
    for (table, damage) in DAMAGES {
        let before = format!("create table public.undamaged_{table} as table raw.{table}");
        warehouse.batch_execute(&before).await?;
        ensure!(warehouse.execute(damage, &[]).await? >= 1, "{damage}");
        let is_of_owners = table.starts_with("device");
        let relation = format!("raw.{}", if is_of_owners { "device_owners" } else { table });
        ensure!(
            verify(&world, &["--relation", &relation]).await? == Some(1),
            "{table} alone"
        );
        let before = [
            "--from",
            "2019-10-01",
            "--to",
            "2019-10-02",
            "--relation",
            &relation,
        ];
        let is_whole = table == "sleeps" || is_of_owners;
        ensure!(
            verify(&world, &before).await? == Some(i32::from(is_whole)),
            "other days, unless a table is compared whole"
        );
    }
    let elsewhere = ["--relation", "raw.sleep_scores"];
    ensure!(
        verify(&world, &elsewhere).await? == Some(0),
        "another table alone"
    );
    let verdict = world.compare_stored(SETTLE).await?;
    for (table, _) in DAMAGES {
        let is_named = |of: &str| verdict.differences.iter().any(|text| text.contains(of));
        ensure!(
            is_named(&format!("raw.{table} ")),
            "{table} is not named: {verdict}"
        );
    }
    for (table, _) in DAMAGES {
        let repair = format!(
            "begin; delete from raw.{table}; insert into raw.{table} table public.undamaged_{table}; commit"
        );
        warehouse.batch_execute(&repair).await?;
    }
    world.verify_equal().await?;
    drop(services);
    world.stop().await
}

/// What `verify` finds in raw and in the layers above it.
const DAMAGES: [(&str, &str); 7] = [
    (
        "sleep_levels",
        "insert into raw.sleep_levels select device_id, log_id + 1000000, source, seq, local_ts, level, seconds from raw.sleep_levels limit 1",
    ),
    (
        "devices",
        "update raw.devices set user_id = gen_random_uuid() where device_id = (select device_id from raw.devices limit 1)",
    ),
    (
        "device_versions",
        "delete from raw.device_versions where device_id = (select device_id from raw.devices limit 1)",
    ),
    (
        "device_owners",
        "update raw.device_owners set from_day = '2019-01-01' where device_id = (select device_id from raw.devices limit 1)",
    ),
    (
        "heart_rates",
        "update raw.heart_rates set bpm = bpm + 1 where (device_id, local_ts) = (select device_id, local_ts \
            from raw.heart_rates limit 1)",
    ),
    (
        "steps",
        "delete from raw.steps where (device_id, local_ts) = (select device_id, local_ts from raw.steps limit 1)",
    ),
    (
        "sleeps",
        "update raw.sleeps set minutes_asleep = minutes_asleep + 1 where log_id = (select min(log_id) from raw.sleeps)",
    ),
];

/// The exit code of `pulseline verify`, which prints the first differing rows.
async fn verify(world: &World, arguments: &[&str]) -> Result<Option<i32>> {
    let mut verify = command(world)?;
    verify.args(["verify", "--settle", "5"]).args(arguments);
    let output = verify.output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let differs = output.status.code() == Some(1);
    ensure!(differs == text.contains("differs: "), "{text}");
    Ok(output.status.code())
}

/// A dead letter of each kind: of an item, of a message, and of a whole document that cannot be mapped.
async fn make_dead_letters(world: &World) -> Result<HeartRates> {
    let hand = Hand::new(world).await?;
    let mut event = heart_rates()?;
    event.samples[3].bpm = 400;
    hand.event(&Event::HeartRates(event.clone())).await?;
    hand.bytes(Stream::HeartRates, "a device", b"no event").await?;
    let device = event.upload.device_id.to_string();
    let position =
        doc! { "topic": Stream::HeartRates.topic(), "generation": 0, "partition": 7, "offset": 0_i64 };
    let at = bson::DateTime::from_millis(event.upload.window_start.0);
    let unmappable =
        doc! { "_id": "no upload", "kafka": position, "device_id": device, "created_at": at, "ended_at": at };
    let documents = world.documents().await?.collection::<Document>("heart_rates");
    documents.insert_one(unmappable).await?;
    world
        .until("three dead letters", |status| status.dead_letters == 3)
        .await?;
    world.until_quiet().await?;
    world.until_folded().await?;
    Ok(event)
}

/// What `verify` says of these relations.
async fn compare(world: &World, relations: &[&str]) -> Result<Vec<String>> {
    let scope = Scope {
        relations: relations.iter().map(ToString::to_string).collect(),
        ..Scope::default()
    };
    let config = VerifyConfig {
        settle: SETTLE,
        scope,
        ..VerifyConfig::default()
    };
    let (audited, shutdown) = (world.audited(), Shutdown::new());
    let verdict = pulseline_auditor::verify(&config, &audited, &shutdown, &|_: &str| ()).await?;
    Ok(verdict.differences)
}

/// Damage to `ops.dead_letters`, and what `verify` says of it.
const DAMAGED_DEAD_LETTERS: [(&str, &[&str]); 5] = [
    (
        "update ops.dead_letters set reason = 'another'",
        &[
            "/1 item -1: other than in MongoDB: reason",
            "item 3: other than in MongoDB: reason",
            "no upload item -1: other",
        ],
    ),
    (
        "update ops.dead_letters set payload = set_byte(payload, 0, (get_byte(payload, 0) + 1) % 256) where origin like 'kafka:%'",
        &["other than in MongoDB: payload"],
    ),
    (
        "update ops.dead_letters set \"offset\" = \"offset\" + 1 where item = 3",
        &["item 3: other than in MongoDB: position"],
    ),
    (
        "insert into ops.dead_letters select origin, 4, stream, topic, generation, partition, \"offset\", message_key, payload, reason, \
            detail, program_version, created_at, loaded_at from ops.dead_letters where item = 3",
        &["item 4: not in MongoDB", "item 4: its item is inside the guards"],
    ),
    (
        "delete from ops.dead_letters",
        &[
            "item -1: missing",
            "item 3: missing",
            "no upload item -1: missing",
        ],
    ),
];

#[tokio::test]
async fn d_3_a_dead_letter_that_is_lost_or_changed_or_too_much_is_reported() -> Result<()> {
    const DEAD_LETTERS: &str = "ops.dead_letters";
    let world = World::start("lostletters").await?;
    let services = Service::start_all(&world)?;
    let event = make_dead_letters(&world).await?;
    world.verify_equal().await?;
    let warehouse = world.warehouse().await?;
    let copy = "create table public.undamaged as table ops.dead_letters";
    warehouse.batch_execute(copy).await?;
    let repair =
        "begin; delete from ops.dead_letters; insert into ops.dead_letters table public.undamaged; commit";
    for (damage, expected) in DAMAGED_DEAD_LETTERS {
        ensure!(warehouse.execute(damage, &[]).await? >= 1, "{damage}");
        let found = compare(&world, &[DEAD_LETTERS]).await?;
        ensure!(found.len() == expected.len(), "{damage}: {found:#?}");
        for text in expected {
            let is_named = |line: &String| line.starts_with(DEAD_LETTERS) && line.contains(text);
            ensure!(found.iter().any(is_named), "{damage}: no {text} in {found:#?}");
        }
        if damage.starts_with("delete") {
            break;
        }
        warehouse.batch_execute(repair).await?;
        ensure!(compare(&world, &[DEAD_LETTERS]).await?.is_empty(), "{damage}");
    }
    // Gone from both stores, as if the loader had never made them: the documents tell.
    let dead_letters = world.documents().await?.collection::<Document>("dead_letters");
    let kept: Vec<Document> = dead_letters.find(doc! {}).await?.try_collect().await?;
    dead_letters.delete_many(doc! {}).await?;
    ensure!(
        compare(&world, &[DEAD_LETTERS]).await?.is_empty(),
        "both lack all"
    );
    let found = compare(&world, &["raw.heart_rates"]).await?;
    for text in ["item 3: missing", "no upload item -1: missing"] {
        let is_named = |line: &String| line.starts_with(DEAD_LETTERS) && line.contains(text);
        ensure!(found.iter().any(is_named), "no {text} in {found:#?}");
    }
    ensure!(found.len() == 2, "{found:#?}");
    warehouse.batch_execute(repair).await?;
    // Made by the loader of a reading that is inside the guards.
    let mut wrong = kept
        .iter()
        .find(|document| document.get_i32("item").is_ok_and(|item| item == 3))
        .context("no item 3")?
        .clone();
    wrong.insert("_id", format!("mongo:heart_rates/{}#0", event.upload.event_id));
    wrong.insert("item", 0);
    dead_letters.insert_many(kept.into_iter().chain([wrong])).await?;
    world
        .until("a fourth dead letter", |status| status.dead_letters == 4)
        .await?;
    let found = compare(&world, &[DEAD_LETTERS]).await?;
    ensure!(
        found.len() == 1 && found[0].ends_with("item 0: its item is inside the guards"),
        "{found:#?}"
    );
    drop(services);
    world.stop().await
}

#[tokio::test]
async fn a_1_a_wrong_figure_of_an_aggregate_is_reported() -> Result<()> {
    let world = World::start("figures").await?;
    let services = Service::start_all(&world)?;
    world.simulate(&cohort()).await?;
    world.until_quiet().await?;
    let warehouse = world.warehouse().await?;
    let hidden = "select format('%I.%I', materialization_hypertable_schema, materialization_hypertable_name) \
        from timescaledb_information.continuous_aggregates where view_name = 'steps_1d'";
    let hypertable: String = warehouse.query_one(hidden, &[]).await?.get(0);
    let days = world.count("select count(*) from agg.steps_1d").await?;
    warehouse
        .batch_execute(&format!("update {hypertable} set steps = steps + 1"))
        .await?;
    warehouse
        .batch_execute("update stage.sleep_heart_rates set bpm_sum = bpm_sum + 1")
        .await?;
    let verdict = world.compare_stored(SETTLE).await?;
    for relation in ["agg.steps_1d", "stage.sleep_heart_rates"] {
        ensure!(
            verdict.differences.iter().any(|text| text.contains(relation)),
            "{relation}: {verdict}"
        );
    }
    // Of what is wrong, each day is marked, and computed anew.
    ensure!(
        verify(&world, &["--mend"]).await? == Some(1),
        "differences are still an error"
    );
    world.until_quiet().await?;
    world.verify_stored().await?;
    drop(services);
    warehouse
        .batch_execute(&format!("delete from {hypertable}"))
        .await?;
    // The compactor's samples find it without a command.
    let settings = [("PULSELINE__COMPACTOR__SAMPLE_INTERVAL_MS", "1")];
    let mut compactor = Service::start_with(&world, Role::Compactor, &settings)?;
    compactor
        .until_logged("a stored figure differs from its readings")
        .await?;
    let measures = compactor.measures().await?;
    let counted = measures.sum("pulseline_compactor_sample_differences_total")?;
    ensure!(counted > 0.0, "{measures:?}");
    world
        .until_count("select count(*) from agg.steps_1d", days)
        .await?;
    world.until_quiet().await?;
    world.verify_stored().await?;
    drop(compactor);
    world.stop().await
}

#[tokio::test]
async fn d_4_a_document_that_was_deleted_before_it_was_loaded_is_a_hole() -> Result<()> {
    let world = World::start("hole").await?;
    let sink = Service::start(&world, Role::Sink)?;
    let summary = world.simulate(&cohort()).await?;
    let produced = i64::try_from(summary.total().acknowledged)?;
    let stored =
        |status: &pulseline_auditor::Status| status.flows.iter().map(|flow| flow.stored).sum::<i64>();
    world
        .until("everything is stored", |status| stored(status) == produced)
        .await?;
    // The loader has not started yet; its first start reads the collection as it is.
    let documents = world.documents().await?.collection::<Document>("heart_rates");
    let victim = documents
        .find_one_and_delete(doc! { "kafka.offset": 7 })
        .await?
        .context("no document at offset 7")?;
    let partition = victim.get_document("kafka")?.get_i32("partition")?;
    let services = [
        Service::start(&world, Role::Loader)?,
        Service::start(&world, Role::Compactor)?,
    ];
    world
        .until("all but the victim is accounted for", |status| {
            status.unaccounted() == 1 && status.dirty_days == 0
        })
        .await?;
    let verdict = world.compare_stored(SETTLE).await?;
    ensure!(
        verdict.holes.len() == 1
            && verdict.holes[0].to_string() == format!("fitbit.heart_rates/{partition} [7, 8)"),
        "{verdict}"
    );
    ensure!(!verdict.is_equal() && verdict.in_flight == 0, "{verdict}");
    drop((sink, services));
    world.stop().await
}

#[tokio::test]
async fn p_3_lag_is_not_reported_as_loss() -> Result<()> {
    let world = World::start("lag").await?;
    let mut services = Service::start_all(&world)?;
    world.simulate(&SimulateConfig { seed: 1, ..cohort() }).await?;
    world.until_quiet().await?;
    // Without a loader, stored and committed messages stay in flight for any time.
    services.remove(1).kill().await?;
    world.simulate(&SimulateConfig { seed: 2, ..cohort() }).await?;
    world
        .until("everything is stored", |status| {
            status.flows.iter().all(|flow| flow.stored == flow.produced)
        })
        .await?;
    let verdict = world.compare_stored(Duration::from_secs(3)).await?;
    ensure!(verdict.holes.is_empty() && verdict.in_flight > 0, "{verdict}");
    drop(services);
    world.stop().await
}
