//! The wire server by itself: one PGlite session shared by clients that know nothing of each other.
#![expect(clippy::disallowed_methods, reason = "it tests the wire itself")]

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures_util::{SinkExt, TryStreamExt};
use pulseline_stack::{Extras, Server, Stack, StackOptions};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls};

const PATIENCE: Duration = Duration::from_secs(20);

/// Data of a server that has started once: to make them takes longer than to copy them.
static TEMPLATE: OnceCell<PathBuf> = OnceCell::const_new();

fn options(name: &str) -> StackOptions {
    StackOptions {
        root: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.stack"),
        name: format!("test-wire-{name}"),
        fresh: true,
    }
}

async fn template() -> Result<PathBuf> {
    let options = options("template");
    let stack = Stack::start_one(&options, Server::Timescale, &|_: &str| ()).await?;
    stack.stop().await?;
    Ok(options.root.join("run").join(options.name).join("data/timescale"))
}

async fn server(name: &str) -> Result<Stack> {
    let extras = Extras {
        timescale_template: Some(TEMPLATE.get_or_try_init(template).await?.clone()),
        ..Extras::default()
    };
    Ok(Stack::start_with(&options(name), extras, &[Server::Timescale], &|_: &str| ()).await?)
}

async fn client(stack: &Stack) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(&stack.endpoints().timescale_url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn count(client: &Client, table: &str) -> Result<i64> {
    Ok(client
        .query_one(&format!("select count(*) from {table}"), &[])
        .await?
        .get(0))
}

/// Binary COPY of one int4 column.
fn binary_rows(values: &[i32]) -> Bytes {
    let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for value in values {
        bytes.extend(1_i16.to_be_bytes());
        bytes.extend(4_i32.to_be_bytes());
        bytes.extend(value.to_be_bytes());
    }
    bytes.extend((-1_i16).to_be_bytes());
    bytes.into()
}

async fn copy_in(client: &Client, sql: &str, bytes: Bytes) -> Result<u64, tokio_postgres::Error> {
    let sink = client.copy_in(sql).await?;
    tokio::pin!(sink);
    sink.send(bytes).await?;
    sink.as_mut().finish().await
}

#[tokio::test]
async fn two_clients_prepare_statements_of_the_same_name() -> Result<()> {
    let stack = server("names").await?;
    let (one, two) = (client(&stack).await?, client(&stack).await?);
    // The driver numbers statements per connection: both are called s0.
    let first = one.prepare("select 1 + $1::int4").await?;
    let second = two.prepare("select 'x' || $1::text").await?;
    for round in 0..20 {
        let number: i32 = one.query_one(&first, &[&round]).await?.get(0);
        let text: String = two.query_one(&second, &[&round.to_string()]).await?.get(0);
        ensure!(number == round + 1 && text == format!("x{round}"));
    }
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_transaction_makes_other_clients_wait() -> Result<()> {
    let stack = server("transaction").await?;
    let (mut one, two) = (client(&stack).await?, client(&stack).await?);
    one.batch_execute("create table t(a int)").await?;
    let transaction = one.transaction().await?;
    transaction.execute("insert into t values (1)", &[]).await?;
    let waiting = tokio::spawn(async move { count(&two, "t").await });
    ensure!(
        timeout(Duration::from_millis(500), async {
            while !waiting.is_finished() {
                tokio::time::sleep(Duration::from_millis(10)).await
            }
        })
        .await
        .is_err()
    );
    transaction.execute("insert into t values (2)", &[]).await?;
    transaction.commit().await?;
    ensure!(timeout(PATIENCE, waiting).await??? == 2);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_client_that_vanishes_inside_a_transaction_is_rolled_back() -> Result<()> {
    let stack = server("vanish").await?;
    let (one, connection) = tokio_postgres::connect(&stack.endpoints().timescale_url, NoTls).await?;
    let wire = tokio::spawn(connection);
    one.batch_execute("create table t(a int)").await?;
    one.batch_execute("begin").await?;
    one.execute("insert into t values (1)", &[]).await?;
    wire.abort();
    let two = client(&stack).await?;
    ensure!(timeout(PATIENCE, count(&two, "t")).await?? == 0);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_client_that_is_idle_inside_a_transaction_loses_it_at_its_own_timeout_even_when_frozen()
-> Result<()> {
    let stack = server("silent").await?;
    let (one, mut connection) = tokio_postgres::connect(&stack.endpoints().timescale_url, NoTls).await?;
    let work = async {
        one.batch_execute("create table t(a int)").await?;
        one.batch_execute("begin").await?;
        let limit = "set local idle_in_transaction_session_timeout = '500ms'";
        one.batch_execute(limit).await?;
        one.batch_execute("insert into t values (1)").await
    };
    tokio::select! {
        done = work => done?,
        ended = &mut connection => ended?,
    }
    // From here on the test neither reads from it nor closes it.
    let two = client(&stack).await?;
    ensure!(timeout(Duration::from_secs(10), count(&two, "t")).await?? == 0);
    ensure!(
        connection.await.is_err(),
        "the client learns that its session has ended"
    );
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn binary_copy_works_in_and_out_of_a_transaction() -> Result<()> {
    let stack = server("copy").await?;
    let mut one = client(&stack).await?;
    one.batch_execute("create table t(a int)").await?;
    ensure!(copy_in(&one, "copy t from stdin binary", binary_rows(&[1, 2, 3])).await? == 3);
    let transaction = one.transaction().await?;
    {
        let sink = transaction
            .copy_in("copy t (a) from stdin (format binary)")
            .await?;
        tokio::pin!(sink);
        let bytes = binary_rows(&[4, 5]);
        // Split in the middle of a row: the server must join the parts.
        sink.send(bytes.slice(..25)).await?;
        sink.send(bytes.slice(25..)).await?;
        ensure!(sink.as_mut().finish().await? == 2);
    }
    ensure!(
        transaction
            .query_one("select count(*) from t", &[])
            .await?
            .get::<_, i64>(0)
            == 5
    );
    transaction.rollback().await?;
    ensure!(count(&one, "t").await? == 3);
    let out: Vec<Bytes> = one
        .copy_out("copy t to stdout binary")
        .await?
        .try_collect()
        .await?;
    ensure!(out.concat() == binary_rows(&[1, 2, 3]));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_copy_that_fails_half_way_leaves_nothing_and_the_client_goes_on() -> Result<()> {
    let stack = server("copy-fails").await?;
    let mut one = client(&stack).await?;
    one.batch_execute("create table t(a int check (a < 100))").await?;
    let refused = copy_in(&one, "copy t from stdin binary", binary_rows(&[1, 2, 100]))
        .await
        .err()
        .context("the statement must fail")?;
    ensure!(
        refused.code().is_some_and(|code| code.code() == "23514"),
        "{refused:?}"
    );
    ensure!(count(&one, "t").await? == 0);
    // Dropped before finish(): the driver sends CopyFail.
    let transaction = one.transaction().await?;
    {
        let sink = transaction.copy_in("copy t from stdin binary").await?;
        tokio::pin!(sink);
        sink.send(binary_rows(&[1])).await?;
    }
    ensure!(
        transaction
            .execute("insert into t values (1)", &[])
            .await
            .is_err(),
        "the transaction is aborted"
    );
    transaction.rollback().await?;
    one.execute("insert into t values (7)", &[]).await?;
    ensure!(count(&one, "t").await? == 1);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn settings_and_errors_stay_with_their_client() -> Result<()> {
    let stack = server("settings").await?;
    let (one, two) = (client(&stack).await?, client(&stack).await?);
    one.batch_execute("create schema a; set search_path to a").await?;
    ensure!(
        two.query_one("show search_path", &[])
            .await?
            .get::<_, String>(0)
            .contains("public")
    );
    ensure!(one.query_one("show search_path", &[]).await?.get::<_, String>(0) == "a");
    ensure!(two.query("select nothing", &[]).await.is_err());
    ensure!(two.query_one("select 1", &[]).await?.get::<_, i32>(0) == 1);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_role_copies_where_it_may_insert_and_nowhere_else() -> Result<()> {
    let stack = server("roles").await?;
    let owner = client(&stack).await?;
    owner
        .batch_execute(
            "create table t (ts timestamp not null, a int); select create_hypertable('t', by_range('ts')); \
             create table other (a int); create role writer login; grant insert on t to writer",
        )
        .await?;
    let url = stack
        .endpoints()
        .timescale_url
        .replacen("postgres@", "writer@", 1);
    let (mut writer, connection) = tokio_postgres::connect(&url, NoTls).await?;
    tokio::spawn(connection);
    let rows = Bytes::from_static(b"2019-11-01\t1\n");
    ensure!(copy_in(&writer, "copy t (ts, a) from stdin", rows.clone()).await? == 1);
    let transaction = writer.transaction().await?;
    let mut sink = Box::pin(transaction.copy_in("copy t (ts, a) from stdin").await?);
    sink.send(rows).await?;
    ensure!(sink.as_mut().finish().await? == 1);
    transaction.commit().await?;
    let refused = copy_in(&writer, "copy other from stdin", Bytes::from_static(b"1\n")).await;
    ensure!(refused.is_err_and(|error| error.code().is_some_and(|code| code.code() == "42501")));
    ensure!(
        writer.query("select a from t", &[]).await.is_err(),
        "the role is back"
    );
    ensure!(count(&owner, "t").await? == 2);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn psql_works_beside_a_driver() -> Result<()> {
    let stack = server("psql").await?;
    let one = client(&stack).await?;
    one.batch_execute("create table t(a int); insert into t values (41), (42)")
        .await?;
    let output = tokio::process::Command::new("psql")
        .args([
            "-X",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            &stack.endpoints().timescale_url,
        ])
        .args([
            "-c",
            "\\d t",
            "-c",
            "select max(a) from t",
            "-c",
            "copy t to stdout",
        ])
        .output()
        .await
        .context("psql must be installed")?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    ensure!(
        text.contains("a|integer") && text.ends_with("42\n41\n42\n"),
        "{text}"
    );
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn acknowledged_rows_survive_a_killed_server() -> Result<()> {
    let mut stack = server("kill").await?;
    let one = client(&stack).await?;
    one.batch_execute(
        "create table t(ts timestamp not null, a int); select create_hypertable('t', by_range('ts'))",
    )
    .await?;
    one.execute("insert into t values ('2019-11-01', 1)", &[]).await?;
    stack.restart(Server::Timescale).await?;
    let two = client(&stack).await?;
    two.execute("insert into t values ('2019-11-02', 2)", &[]).await?;
    ensure!(count(&two, "t").await? == 2);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn two_stacks_run_side_by_side_and_one_name_runs_once() -> Result<()> {
    let (one, two) = (server("side-a").await?, server("side-b").await?);
    let (a, b) = (client(&one).await?, client(&two).await?);
    a.batch_execute("create table only_a(a int)").await?;
    ensure!(b.query("select * from only_a", &[]).await.is_err());
    ensure!(
        server("side-a")
            .await
            .is_err_and(|error| error.to_string().contains("already running"))
    );
    one.stop().await?;
    two.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_result_of_many_rows_arrives_whole() -> Result<()> {
    let stack = server("rows").await?;
    let one = client(&stack).await?;
    let rows = one
        .query("select n, 'some text' from generate_series(1, 300000) n", &[])
        .await?;
    ensure!(rows.len() == 300_000);
    stack.stop().await?;
    Ok(())
}
