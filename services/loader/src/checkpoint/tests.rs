//! The fence that stands in SQL alone: a former owner, and a commit that was made already.

use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use pulseline_runtime::config::{Secret, TimescaleConfig};
use pulseline_stack::{Server, Stack, StackOptions};

use super::*;

const PATIENCE: Duration = Duration::from_secs(5);

async fn claimed(client: &mut Client, epoch: i64) -> Result<Checkpoint> {
    match Checkpoint::claim(client, SourceCollection::Receipts, epoch, PATIENCE).await? {
        Claim::Ours(checkpoint, _) => Ok(checkpoint),
        Claim::Locked => bail!("another session holds the checkpoint"),
    }
}

#[tokio::test]
async fn d_2_on_timescale_a_position_is_moved_by_its_owner_alone_and_by_each_commit_once() -> Result<()> {
    let options = StackOptions {
        root: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.stack"),
        name: "test-checkpoint".into(),
        fresh: true,
    };
    let stack = Stack::start_one(&options, Server::Timescale, &|_: &str| ()).await?;
    let timescale = TimescaleConfig {
        url: Secret::new(stack.endpoints().timescale_url.clone()),
        ..TimescaleConfig::default()
    };
    pulseline_sql::migrate(&timescale).await?;
    let mut client = pulseline_sql::connect(&timescale, "test").await?;
    let progress = Progress::default();

    let mut former = claimed(&mut client, 1).await?;
    former.advance(&client, &progress).await?;
    let again = former.advance(&client, &progress).await;
    ensure!(
        matches!(again, Err(LoaderError::Fenced { epoch: 1, seq: 0, .. })),
        "a commit whose reply was lost is made twice: {again:?}"
    );
    former.committed();
    former.advance(&client, &progress).await?;
    former.committed();

    let owner = claimed(&mut client, 2).await?;
    let fenced = former.advance(&client, &progress).await;
    ensure!(
        matches!(fenced, Err(LoaderError::Fenced { epoch: 1, .. })),
        "the former owner is not fenced: {fenced:?}"
    );
    owner.advance(&client, &progress).await?;
    let back = Checkpoint::claim(&mut client, SourceCollection::Receipts, 1, PATIENCE).await;
    ensure!(
        matches!(back, Err(LoaderError::Claimed { epoch: 1, .. })),
        "the former owner takes it back: {back:?}"
    );
    drop(client);
    Ok(stack.stop().await?)
}
