//! Collections at different positions, and positions that are no longer usable.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use bson::{Document, RawDocumentBuf, doc};
use futures_util::TryStreamExt;
use pulseline_generator::SimulateConfig;
use pulseline_schemas::Stream;
use pulseline_sql::GenericClient;
use pulseline_tests::{Role, Service, World};

const TOKEN: &str = "select token from ops.checkpoints where collection = $1";
const SET: &str = "update ops.checkpoints set token = $2 where collection = $1";

fn cohort(seed: u64) -> SimulateConfig {
    SimulateConfig {
        participants: 1,
        days: 2,
        seed,
        ..pulseline_tests::sparse()
    }
}

/// Documents by stream.
async fn stored(world: &World) -> Result<BTreeMap<&'static str, u64>> {
    let (database, mut stored) = (world.documents().await?, BTreeMap::new());
    for stream in Stream::ALL {
        let collection = database.collection::<Document>(stream.collection());
        stored.insert(stream.collection(), collection.count_documents(doc! {}).await?);
    }
    Ok(stored)
}

/// Documents that a loader has processed since it started, by stream.
async fn loaded(loader: &Service) -> Result<BTreeMap<&'static str, u64>> {
    let measures = loader.measures().await?;
    let of = |stream: Stream| {
        let name = stream.collection();
        let count = measures.of("pulseline_loader_documents_total", "collection", name)?;
        Ok((name, count as u64))
    };
    Stream::ALL.into_iter().map(of).collect()
}

#[tokio::test]
async fn d_2_collections_at_different_positions_resume_together_each_from_its_own() -> Result<()> {
    let world = World::start("positions").await?;
    let others = [
        Service::start(&world, Role::Sink)?,
        Service::start(&world, Role::Compactor)?,
    ];
    let mut loader = Service::start(&world, Role::Loader)?;
    loader.until_ready().await?;
    world.simulate(&cohort(1)).await?;
    world.until_accounted().await?;
    loader.terminate().await?;
    let (before, warehouse) = (stored(&world).await?, world.warehouse().await?);
    let token: Vec<u8> = warehouse.query_one(TOKEN, &[&"steps"]).await?.get(0);
    let mut loader = Service::start(&world, Role::Loader)?;
    loader.until_ready().await?;
    world.simulate(&cohort(2)).await?;
    world.until_accounted().await?;
    loader.terminate().await?;
    let after = stored(&world).await?;
    // Steps stayed at their position, and an earlier version stored that of calories.
    ensure!(warehouse.execute(SET, &[&"steps", &token]).await? == 1);
    let earlier: Vec<u8> = warehouse.query_one(TOKEN, &[&"calories"]).await?.get(0);
    let mut earlier: Document = bson::deserialize_from_slice(&earlier)?;
    earlier.remove("place").context("the position has no place")?;
    let earlier = bson::serialize_to_vec(&earlier)?;
    ensure!(warehouse.execute(SET, &[&"calories", &earlier]).await? == 1);
    let mut loader = Service::start(&world, Role::Loader)?;
    loader.until_ready().await?;
    world.simulate(&cohort(3)).await?;
    world.until_quiet().await?;
    let (loaded, last) = (loaded(&loader).await?, stored(&world).await?);
    for (name, count) in loaded {
        let (is_so, wanted) = match name {
            // On the embedded server a token does not contain its position: the collection is read again.
            "calories" => (count >= last[name], last[name]),
            "steps" => (count == last[name] - before[name], last[name] - before[name]),
            _ => (count == last[name] - after[name], last[name] - after[name]),
        };
        ensure!(is_so, "{name}: {count}, not {wanted}");
    }
    world.verify_stored().await?;
    drop(others);
    world.stop().await
}

#[tokio::test]
async fn d_2_a_dropped_collection_stops_the_loader_or_is_read_again_beside_the_others() -> Result<()> {
    let world = World::start("dropped").await?;
    let mut services = Service::start_all(&world)?;
    services[1].until_ready().await?;
    world.simulate(&cohort(1)).await?;
    world.until_quiet().await?;
    let collection = world.documents().await?.collection::<RawDocumentBuf>("sleeps");
    let documents: Vec<RawDocumentBuf> = collection.find(doc! {}).await?.try_collect().await?;
    collection.drop().await?;
    let mut loader = services.remove(1);
    ensure!(loader.ended().await? == Some(3), "{}", loader.log()?);
    let reason = "MongoDB no longer knows the change-stream position of sleeps (it was dropped or renamed)";
    ensure!(loader.log()?.contains(reason), "{}", loader.log()?);
    // The collection is restored from a copy while no loader runs.
    collection.insert_many(&documents).await?;
    let again = [("PULSELINE__LOADER__DEAD_TOKEN", "resnapshot")];
    let mut loader = Service::start_with(&world, Role::Loader, &again)?;
    loader.until_logged("the collection is read").await?;
    loader.until_ready().await?;
    world.simulate(&cohort(2)).await?;
    world.until_quiet().await?;
    let count = loaded(&loader).await?;
    let last = stored(&world).await?;
    ensure!(count["sleeps"] >= last["sleeps"], "{count:?} of {last:?}");
    ensure!(count["steps"] < last["steps"], "{count:?} of {last:?}");
    world.verify_stored().await?;
    world.stop().await
}
