//! A stack's data survives its end, unless it is to be fresh.
#![expect(clippy::disallowed_methods, reason = "it tests the wire itself")]

use std::path::PathBuf;

use anyhow::{Result, ensure};
use pulseline_stack::{Server, Stack, StackOptions};
use tokio_postgres::{Client, NoTls};

fn options(name: &str, fresh: bool) -> StackOptions {
    StackOptions {
        root: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.stack"),
        name: format!("test-{name}"),
        fresh,
    }
}

async fn client(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

#[tokio::test]
async fn data_survives_down_and_up_unless_fresh_is_asked_for() -> Result<()> {
    for (fresh, expected) in [(true, None), (false, Some(1_i64)), (true, None)] {
        let stack = Stack::start_one(&options("survive", fresh), Server::Timescale, &|_: &str| ()).await?;
        let client = client(&stack.endpoints().timescale_url).await?;
        let table: Option<String> = client
            .query_one("select to_regclass('kept')::text", &[])
            .await?
            .get(0);
        ensure!(table.is_some() == expected.is_some(), "fresh {fresh}: {table:?}");
        client
            .batch_execute("create table if not exists kept(a int)")
            .await?;
        stack.stop().await?;
    }
    Ok(())
}
