//! Who owns a device on which days, as the warehouse computes it, against a model that asks for every day (P17).

use std::path::PathBuf;

use anyhow::{Result, ensure};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use pulseline_runtime::config::{Secret, TimescaleConfig};
use pulseline_sql::{Client, GenericClient, Schemas, connect, migrate};
use pulseline_stack::{Server, Stack, StackOptions};
use uuid::Uuid;

const REPLACE: &str = include_str!("../queries/loader/replace_owners.sql");
/// Day 0 of the tests, 2020-01-01, and the days that are compared.
const FIRST: i32 = 18_262;
const DAYS: i32 = 9;
const CASES: usize = 60;
const DEVICE: Uuid = Uuid::from_u128(1);
const CLEAR: &str = "delete from raw.device_versions; delete from raw.device_owners";
/// The day before all dates that a mark may have.
const NO_BOUND: i32 = -719_162;

/// A version: hours after day 0, and the person.
type Version = (i64, u128);
/// Versions in the order of their arrival, with the versions that arrive together, and the days that are erased.
type Case = (Vec<Version>, usize, Vec<(i32, i32)>);

fn cases() -> impl Strategy<Value = Case> {
    let hours = 24 * i64::from(DAYS) - 24;
    let versions = prop::collection::vec((0..hours, 1..4_u128), 1..10);
    let erased = prop::collection::vec((-1..DAYS, 1..3), 0..3);
    (versions, 1..4_usize, erased).prop_map(|(versions, together, erased)| {
        let erased = erased.into_iter().map(|(from, days)| match from {
            -1 => (i32::MIN, FIRST + days),
            from => (FIRST + from, FIRST + from + days),
        });
        (versions, together, erased.collect())
    })
}

/// The owner of each compared day, the day before all versions first: the person of the last version until its end, or else
/// of the first version.
fn owners(versions: &[(Version, usize)], erased: &[(i32, i32)]) -> Vec<Option<Uuid>> {
    let mut sorted = versions.to_vec();
    sorted.sort_by_key(|((hours, _), event)| (*hours, *event));
    let owner = |day: i32| {
        let until = (i64::from(day) + 1) * 24;
        let last = sorted.iter().rfind(|((hours, _), _)| *hours < until);
        let version = last.or(sorted.first())?;
        let is_erased = |(from, until): &(i32, i32)| (*from..*until).contains(&(FIRST + day));
        (!erased.iter().any(is_erased)).then(|| Uuid::from_u128(version.0.1))
    };
    (-1..DAYS).map(owner).collect()
}

async fn stored(client: &Client) -> Result<Vec<Option<Uuid>>> {
    let sql = "select d.day, o.user_id from generate_series($1::int, $2::int) as d(day) \
        left join raw.device_owners o on o.device_id = $3::uuid and date '1970-01-01' + d.day >= o.from_day \
            and date '1970-01-01' + d.day < o.until_day order by d.day";
    let rows = client
        .query(sql, &[&(FIRST - 1), &(FIRST + DAYS - 1), &DEVICE])
        .await?;
    Ok(rows.iter().map(|row| row.get(1)).collect())
}

/// Adds versions as the loader does; returns the first day whose owner changed.
async fn add(client: &Client, some: &[(Version, usize)], erased: &[(i32, i32)]) -> Result<Option<i32>> {
    let insert = "insert into raw.device_versions select $1::uuid, \
        timestamptz '2020-01-01 00:00+00' + $2::bigint * interval '1 hour', $3::uuid, $4::uuid";
    for ((hours, user), event) in some {
        let (event, user) = (Uuid::from_u128(*event as u128), Uuid::from_u128(*user));
        client.execute(insert, &[&DEVICE, hours, &event, &user]).await?;
    }
    let of: Vec<Uuid> = erased.iter().map(|_| DEVICE).collect();
    let (from, until): (Vec<i32>, Vec<i32>) = erased.iter().copied().unzip();
    let changed = client
        .query(REPLACE, &[&vec![DEVICE], &of, &from, &until])
        .await?;
    ensure!(changed.len() < 2, "one mark for a device");
    Ok(changed.first().map(|row| row.get(1)))
}

async fn check(client: &Client, (versions, together, erased): Case) -> Result<()> {
    client.batch_execute(CLEAR).await?;
    let versions: Vec<(Version, usize)> = versions.into_iter().zip(1..).collect();
    let mut before = vec![None; usize::try_from(DAYS + 1)?];
    let mut known = Vec::new();
    for some in versions.chunks(together) {
        let mark = add(client, some, &erased).await?;
        known.extend_from_slice(some);
        let (expected, found) = (owners(&known, &erased), stored(client).await?);
        ensure!(
            found == expected,
            "{known:?} without {erased:?}: {found:?}, not {expected:?}"
        );
        let first = before
            .iter()
            .zip(&found)
            .position(|(before, after)| before != after);
        match (mark, first) {
            (None, None) => {}
            (Some(NO_BOUND), Some(0)) => {}
            // A day after all that are compared, or the one that is.
            (Some(mark), first) if mark >= FIRST => {
                let day = usize::try_from(mark - FIRST + 1)?;
                ensure!(
                    first.unwrap_or(before.len()) == day.min(before.len()),
                    "{known:?}: {mark}"
                );
            }
            (mark, first) => anyhow::bail!("{known:?}: marked {mark:?}, changed at {first:?}"),
        }
        before = found;
    }
    let again = add(client, &[], &erased).await?;
    ensure!(again.is_none(), "a second time changes {again:?}");
    Ok(())
}

async fn server(name: &str) -> Result<(Stack, TimescaleConfig)> {
    let options = StackOptions {
        root: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.stack"),
        name: format!("test-owners-{name}"),
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
async fn p_17_in_whatever_order_versions_arrive_each_day_has_the_same_owner() -> Result<()> {
    let (stack, timescale) = server("order").await?;
    migrate(&timescale).await?;
    let client = connect(&timescale, "test").await?;
    let mut runner = TestRunner::deterministic();
    for _ in 0..CASES {
        let case = cases().new_tree(&mut runner).map_err(anyhow::Error::msg)?;
        check(&client, case.current()).await?;
    }
    stack.stop().await?;
    Ok(())
}

/// A rebuild renames the schemas: what computes the owners must not look for the old names.
#[tokio::test]
async fn p_17_owners_are_computed_in_a_renamed_warehouse_from_its_own_versions() -> Result<()> {
    let (stack, timescale) = server("renamed").await?;
    migrate(&timescale).await?;
    let mut client = connect(&timescale, "test").await?;
    add(&client, &[((0, 1), 1)], &[]).await?;
    let rename = |from: &str, to: &str| format!("alter schema {from} rename to {to}");
    client.batch_execute(&rename("raw", "old_raw")).await?;
    client.use_schemas(Schemas::old());
    let owned = "select user_id from raw.owner_spans($1::uuid[])";
    let owners = client.query(owned, &[&vec![DEVICE]]).await?;
    ensure!(owners.len() == 1 && owners[0].get::<_, Uuid>(0) == Uuid::from_u128(1));
    stack.stop().await?;
    Ok(())
}
