//! Migrations on a real server: twice, by two at once, edited, too new; and the statements on what they leave.

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use pulseline_runtime::config::{Secret, TimescaleConfig};
use pulseline_sql::GenericClient;
use pulseline_sql::{SqlError, connect, installed_version, migrate, required_version};
use pulseline_stack::{Server, Stack, StackOptions};

async fn server(name: &str) -> Result<(Stack, TimescaleConfig)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.stack");
    let options = StackOptions {
        root,
        name: format!("test-migrate-{name}"),
        fresh: true,
    };
    let stack = Stack::start_one(&options, Server::Timescale, &|_: &str| ()).await?;
    let timescale = TimescaleConfig {
        url: Secret::new(stack.endpoints().timescale_url.clone()),
        ..TimescaleConfig::default()
    };
    Ok((stack, timescale))
}

#[tokio::test]
async fn a_second_run_changes_nothing_and_an_edited_or_newer_schema_is_refused() -> Result<()> {
    let (stack, timescale) = server("twice").await?;
    ensure!(migrate(&timescale).await?.applied.len() == usize::try_from(required_version())?);
    ensure!(migrate(&timescale).await?.applied.is_empty());
    let client = connect(&timescale, "test").await?;
    ensure!(installed_version(&client).await? == required_version());
    client
        .batch_execute("update public.pulseline_migrations set checksum = 'x' where version = 2")
        .await?;
    ensure!(matches!(
        migrate(&timescale).await,
        Err(SqlError::Edited { version: 2 })
    ));
    client
        .batch_execute("insert into public.pulseline_migrations values (99, 'later', 'x')")
        .await?;
    ensure!(matches!(
        migrate(&timescale).await,
        Err(SqlError::TooNew { installed: 99, .. })
    ));
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn two_migrations_at_once_take_turns() -> Result<()> {
    let (stack, timescale) = server("two").await?;
    let (one, two) = tokio::join!(migrate(&timescale), migrate(&timescale));
    let mut applied = [one?.applied.len(), two?.applied.len()];
    applied.sort_unstable();
    ensure!(applied == [0, usize::try_from(required_version())?]);
    stack.stop().await?;
    Ok(())
}

/// What an update of an extension drops and makes anew, it cannot drop while a view of ours stands on it.
#[tokio::test]
async fn no_view_of_the_warehouse_depends_on_a_relation_of_an_extension() -> Result<()> {
    let (stack, timescale) = server("depends").await?;
    migrate(&timescale).await?;
    let client = connect(&timescale, "test").await?;
    let bound = client
        .query(
            "select distinct n.nspname || '.' || v.relname || ' depends on ' || of.oid::regclass from pg_depend d \
             join pg_rewrite w on d.classid = 'pg_rewrite'::regclass and w.oid = d.objid \
             join pg_class v on v.oid = w.ev_class \
             join pg_namespace n on n.oid = v.relnamespace and n.nspname in ('raw', 'stage', 'agg', 'ops') \
             join pg_class of on d.refclassid = 'pg_class'::regclass and of.oid = d.refobjid \
             join pg_depend e on e.classid = 'pg_class'::regclass and e.objid = of.oid and e.deptype = 'e'",
            &[],
        )
        .await?;
    let bound: Vec<String> = bound.iter().map(|row| row.get(0)).collect();
    ensure!(bound.is_empty(), "{bound:?}");
    let chunks = "select count(*) from ops.chunks";
    ensure!(client.query_one(chunks, &[]).await?.get::<_, i64>(0) == 0);
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn every_object_of_the_warehouse_has_a_comment() -> Result<()> {
    let (stack, timescale) = server("comments").await?;
    migrate(&timescale).await?;
    let client = connect(&timescale, "test").await?;
    let mute = client
        .query(
            "select n.nspname || '.' || c.relname || coalesce('.' || a.attname, '') from pg_class c \
             join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('raw', 'stage', 'agg', 'ops') \
             left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
             where c.relkind in ('r', 'v') and (col_description(c.oid, a.attnum) is null or obj_description(c.oid) is null)",
            &[],
        )
        .await?;
    let mute: Vec<String> = mute.iter().map(|row| row.get(0)).collect();
    ensure!(mute.is_empty(), "without a comment: {mute:?}");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn every_statement_in_queries_is_prepared() -> Result<()> {
    let (stack, timescale) = server("queries").await?;
    // The statements of a rebuild name both warehouses.
    for prefix in ["", "next_"] {
        let mut warehouse = timescale.clone();
        warehouse.schema_prefix = prefix.into();
        migrate(&warehouse).await?;
    }
    let client = connect(&timescale, "test").await?;
    let (mut prepared, mut refused) = (0, Vec::new());
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("queries")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Err(error) = client.statement(&fs::read_to_string(&path)?).await {
                refused.push(format!("{}: {error:?}", path.display()));
            } else {
                prepared += 1;
            }
        }
    }
    ensure!(refused.is_empty(), "{}", refused.join("\n"));
    ensure!(prepared > 20, "only {prepared} statements");
    stack.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_2_a_repeated_hour_is_two_hours_on_the_utc_line() -> Result<()> {
    let (stack, timescale) = server("utc").await?;
    migrate(&timescale).await?;
    let client = connect(&timescale, "test").await?;
    // Oslo, 25 October 2020: 02:30 in summer time, and an hour later 02:30 again; and a winter evening in New York.
    client
        .batch_execute(
            "insert into raw.steps values \
             ('7f6e5d4c-0000-4000-8000-000000000001', '2020-10-25 02:30', 120, 7, now(), gen_random_uuid()), \
             ('7f6e5d4c-0000-4000-8000-000000000001', '2020-10-25 02:30', 60, 8, now(), gen_random_uuid()), \
             ('7f6e5d4c-0000-4000-8000-000000000001', '2020-12-31 20:00', -300, 9, now(), gen_random_uuid())",
        )
        .await?;
    let sql = "select steps, to_char(read_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI') from stage.steps order by read_at";
    let rows = client.query(sql, &[]).await?;
    let found: Vec<(i32, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let expected = [
        (7, "2020-10-25 00:30"),
        (8, "2020-10-25 01:30"),
        (9, "2021-01-01 01:00"),
    ];
    ensure!(
        found == expected.map(|(steps, at)| (steps, at.to_owned())),
        "{found:?}"
    );
    stack.stop().await?;
    Ok(())
}
