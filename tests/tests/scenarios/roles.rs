//! Each service with exactly the rights that it needs, and a reader without access to e-mail addresses.

use anyhow::{Context, Result, ensure};
use pulseline_generator::SimulateConfig;
use pulseline_runtime::config::{Secret, TimescaleConfig};
use pulseline_schemas::{Kind, Stream};
use pulseline_sql::{Client, GenericClient};
use pulseline_stack::Server;
use pulseline_tests::service::command;
use pulseline_tests::{Role, Service, World};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

const GROUPS: [&str; 4] = ["reader", "loader", "compactor", "auditor"];

/// Statements that each role must be able to run, and the allowed roles.
const STATEMENTS: [(&str, &[&str]); 24] = [
    (
        "select * from agg.user_daily_summary limit 1",
        &["reader", "auditor"],
    ),
    (
        "select * from stage.heart_rates_15m limit 1",
        &["reader", "compactor", "auditor"],
    ),
    ("select * from stage.sleeps limit 1", &["reader", "auditor"]),
    (
        "select * from agg.by_age_group_daily limit 1",
        &["reader", "auditor"],
    ),
    (
        "select email, date_of_birth from raw.users limit 1",
        &["loader", "auditor"],
    ),
    (
        "select * from raw.heart_rates limit 1",
        &["loader", "compactor", "auditor"],
    ),
    ("select * from ops.leases", &["loader", "compactor", "auditor"]),
    ("update raw.heart_rates set bpm = bpm where false", &["loader"]),
    ("delete from raw.heart_rates where false", &[]),
    ("update raw.users set email = null where false", &["loader"]),
    ("delete from raw.sleep_levels where false", &["loader"]),
    ("delete from raw.device_owners where false", &["loader"]),
    ("delete from raw.device_versions where false", &[]),
    (
        "update stage.sleep_heart_rates set readings = 0 where false",
        &["compactor"],
    ),
    ("delete from ops.dirty_days where false", &["compactor"]),
    // What a sample of the compactor finds is marked.
    (
        "insert into ops.dirty_days (stream, local_date) select 'steps', now() where false",
        &["loader", "compactor"],
    ),
    ("update ops.checkpoints set seq = seq where false", &["loader"]),
    ("select * from ops.floors", &["loader", "compactor", "auditor"]),
    (
        "update ops.floors set floor_date = floor_date where false",
        &["compactor"],
    ),
    // The healer's, which may not raise the floor of raw.
    (
        "update ops.documents_floor set floor_date = floor_date where false",
        &["loader"],
    ),
    (
        "insert into ops.removed_offsets select '', 0, 0, '{}' where false",
        &["loader"],
    ),
    ("select * from ops.removed_offsets", &["loader", "auditor"]),
    ("delete from ops.dead_letters where false", &[]),
    ("create table raw.mine (a int)", &[]),
];

/// Rights that a stream's table lacks.
const LACKING: &str = "select r.role || ' may not ' || r.privilege from (values \
    ('pulseline_loader', 'select'), ('pulseline_loader', 'insert'), ('pulseline_loader', 'update'), \
    ('pulseline_auditor', 'select'), ('pulseline_eraser', 'select'), ('pulseline_eraser', 'delete')) as r(role, privilege) \
    where not has_table_privilege(r.role::name, $1::text, r.privilege)";
/// Those of these relations that the compactor does not own, or from whose storage the eraser cannot delete.
const FOREIGN: &str = "select c.oid::regclass::text from pg_class c where c.oid = any($1::text[]::regclass[]) \
    and (c.relowner <> 'pulseline_compactor'::regrole or exists (select from timescaledb_information.continuous_aggregates g \
        where to_regclass(format('%I.%I', g.view_schema, g.view_name)) = c.oid and not has_table_privilege('pulseline_eraser'::name, \
        format('%I.%I', g.materialization_hypertable_schema, g.materialization_hypertable_name), 'delete')))";
const IS_PACKED: &str = "select strpos(pg_get_viewdef('ops.chunks'::regclass), $1::text) > 0";

/// The world's warehouse, for a new user in a group.
fn url_of(world: &World, user: &str) -> String {
    world
        .endpoints
        .timescale_url
        .replacen("postgres://postgres@", &format!("postgres://{user}@"), 1)
}

async fn connect(world: &World, user: &str) -> Result<Client> {
    let timescale = TimescaleConfig {
        url: Secret::new(url_of(world, user)),
        ..TimescaleConfig::default()
    };
    Ok(pulseline_sql::connect(&timescale, "pulseline-tests").await?)
}

#[tokio::test]
async fn each_service_works_with_its_own_role_and_may_do_nothing_else() -> Result<()> {
    let Some(world) = World::start_owning("roles", &[Server::Timescale]).await? else {
        return Ok(());
    };
    let owner = world.warehouse().await?;
    for group in GROUPS {
        let create = format!("create role test_{group} login in role pulseline_{group}");
        owner.batch_execute(&create).await?;
    }
    let (loader, compactor) = (url_of(&world, "test_loader"), url_of(&world, "test_compactor"));
    let compactor = [
        ("PULSELINE__TIMESCALE__URL", compactor.as_str()),
        // It may read everything that its samples need.
        ("PULSELINE__COMPACTOR__SAMPLE_INTERVAL_MS", "1"),
    ];
    let mut services = [
        Service::start(&world, Role::Sink)?,
        Service::start_with(&world, Role::Loader, &[("PULSELINE__TIMESCALE__URL", &loader)])?,
        Service::start_with(&world, Role::Compactor, &compactor)?,
    ];
    world
        .simulate(&SimulateConfig {
            participants: 2,
            days: 2,
            ..pulseline_tests::sparse()
        })
        .await?;
    world.until_quiet().await?;
    world.verify_equal().await?;
    for group in GROUPS {
        let client = connect(&world, &format!("test_{group}")).await?;
        for (statement, allowed) in STATEMENTS {
            tried(&client, statement, allowed.contains(&group))
                .await
                .with_context(|| format!("{group}: {statement}"))?;
        }
    }
    nothing_personal(&owner).await?;
    every_stream_is_granted(&owner).await?;
    for service in &mut services {
        ensure!(
            service.is_running()?,
            "{:?} ended:\n{}",
            service.role(),
            service.log()?
        );
    }
    let measures = services[2].measures().await?;
    let samples = measures.sum("pulseline_compactor_samples_total")?;
    ensure!(samples > 0.0, "no sample was taken: {measures:?}");
    let auditor = url_of(&world, "test_auditor");
    let verify = command(&world)?
        .args(["verify", "--full"])
        .env("PULSELINE__TIMESCALE__URL", auditor)
        .output()
        .await?;
    ensure!(verify.status.success(), "{verify:?}");
    let repair = command(&world)?
        .args(["verify", "--repair"])
        .env("PULSELINE__TIMESCALE__URL", url_of(&world, "test_auditor"))
        .output()
        .await?;
    let said = String::from_utf8_lossy(&repair.stderr).into_owned();
    ensure!(
        repair.status.code() == Some(3) && said.contains("grant it pulseline_loader"),
        "{repair:?}"
    );
    drop(services);
    world.stop().await
}

async fn tried(client: &Client, statement: &str, is_allowed: bool) -> Result<()> {
    match client.batch_execute(statement).await {
        Ok(()) => ensure!(is_allowed, "is allowed"),
        Err(error) => ensure!(
            !is_allowed && error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE),
            "{error:?}"
        ),
    }
    Ok(())
}

/// Includes tables that no service of this scenario writes.
async fn every_stream_is_granted(client: &Client) -> Result<()> {
    for stream in Stream::ALL {
        let table = stream.raw_table();
        let children: &[&str] = match stream.kind() {
            Kind::Sessions(sessions) => sessions.children,
            Kind::Readings(_) | Kind::Days | Kind::Profiles => &[],
        };
        for table in children.iter().copied().chain([table]) {
            let lacking = texts(&client.query(LACKING, &[&table]).await?);
            ensure!(lacking.is_empty(), "{table}: {lacking:?}");
        }
        if let Kind::Readings(readings) = stream.kind() {
            let relations = vec![table, readings.quarters, readings.days];
            let foreign = texts(&client.query(FOREIGN, &[&relations]).await?);
            ensure!(foreign.is_empty(), "of compactor and eraser: {foreign:?}");
            let is_packed: bool = client.query_one(IS_PACKED, &[&table]).await?.get(0);
            ensure!(is_packed, "ops.chunks leaves {table} out");
        }
    }
    Ok(())
}

fn texts(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| row.get(0)).collect()
}

/// Checks that no column of a reader's relations holds an address.
async fn nothing_personal(client: &Client) -> Result<()> {
    let personal = "select count(*) from information_schema.columns where table_schema in ('stage', 'agg') \
        and (column_name ~ 'mail|birth|dob' or column_name = 'extra')";
    let found: i64 = client.query_one(personal, &[]).await?.get(0);
    ensure!(found == 0, "{found} personal columns");
    Ok(())
}
