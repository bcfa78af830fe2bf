//! A lease on a real server: kept while its owner is busy, and lost when another owner takes it.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use pulseline_runtime::config::{Secret, TimescaleConfig};
use pulseline_runtime::waits::Waits;
use pulseline_sql::lease::Lease;
use pulseline_sql::{Client, GenericClient, connect, migrate};
use pulseline_stack::{Server, Stack, StackOptions};
use uuid::Uuid;

const TTL: Duration = Duration::from_secs(1);
const NAME: &str = "test";

/// Tries to take the lease for three terms by the server's clock.
async fn compete(client: &Client) -> Result<()> {
    let terms = "select extract(epoch from clock_timestamp())::double precision";
    let began: f64 = client.query_one(terms, &[]).await?.get(0);
    loop {
        let won = Lease::acquire(client, NAME, Uuid::from_u128(2), TTL).await?;
        ensure!(won.is_none(), "another owner took the lease of a busy owner");
        let now: f64 = client.query_one(terms, &[]).await?.get(0);
        if now > began + 3.0 * TTL.as_secs_f64() {
            return Ok(());
        }
        tokio::time::sleep(TTL / 20).await;
    }
}

#[tokio::test]
async fn a_lease_lasts_while_its_owner_is_busy_and_its_loss_is_reported() -> Result<()> {
    let options = StackOptions {
        root: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.stack"),
        name: "test-leases".into(),
        fresh: true,
    };
    let stack = Stack::start_one(&options, Server::Timescale, &|_: &str| ()).await?;
    let timescale = TimescaleConfig {
        url: Secret::new(stack.endpoints().timescale_url.clone()),
        ..TimescaleConfig::default()
    };
    migrate(&timescale).await?;
    let client = connect(&timescale, "test").await?;
    let lease = Lease::acquire(&client, NAME, Uuid::from_u128(1), TTL).await?;
    let lease = lease.context("another owner has the lease")?;
    let waits = Waits::new();
    let mut lost = std::pin::pin!(lease.lost(&timescale, "test", &waits));
    tokio::select! {
        () = &mut lost => bail!("the lease is lost although no other owner took it"),
        competed = compete(&client) => competed?,
    }
    client
        .batch_execute("update ops.leases set epoch = epoch + 1 where name = 'test'")
        .await?;
    tokio::time::timeout(60 * TTL, lost)
        .await
        .context("the loss was not reported")?;
    stack.stop().await?;
    Ok(())
}
