//! A migrated warehouse of its own, loaded and compacted by hand.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use pulseline_compactor::{CompactorConfig, run_once};
use pulseline_runtime::clock::Clock;
use pulseline_runtime::config::{Secret, TimescaleConfig};
use pulseline_runtime::shutdown::Shutdown;
use pulseline_sql::{Client, GenericClient};
use pulseline_sql::{connect, migrate};
use pulseline_stack::{Server, Stack, StackOptions};

pub(crate) const HOUR_MS: i64 = 3_600_000;
/// 2019-11-06T00:00Z.
pub(crate) const NOVEMBER_6_MS: i64 = 18_206 * 24 * HOUR_MS;
pub(crate) const DIRTY: &str = "select count(*) from ops.dirty_days";
/// Ten steps at noon of each of `$1` days up to November 6, and the ops tables that the loader writes with them.
const LOAD: &str = "with days as (select date '2019-11-06' - n as day from generate_series(0, $1::int - 1) n), \
    loaded as (insert into raw.steps select '00000000-0000-0000-0000-000000000001', day + time '12:00', 60, 10, now(), \
        gen_random_uuid() from days) \
    insert into ops.dirty_days (stream, device_id, local_date) \
    select 'steps', '00000000-0000-0000-0000-000000000001', day from days";

pub(crate) struct Warehouse {
    pub(crate) stack: Stack,
    pub(crate) timescale: TimescaleConfig,
    pub(crate) client: Client,
}

impl Warehouse {
    pub(crate) async fn start(name: &str) -> Result<Self> {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.stack");
        let options = StackOptions {
            root,
            name: format!("test-cycles-{name}"),
            fresh: true,
        };
        let stack = Stack::start_one(&options, Server::Timescale, &|_: &str| ()).await?;
        let timescale = TimescaleConfig {
            url: Secret::new(stack.endpoints().timescale_url.clone()),
            ..TimescaleConfig::default()
        };
        migrate(&timescale).await?;
        let client = connect(&timescale, "test").await?;
        Ok(Self {
            stack,
            timescale,
            client,
        })
    }

    pub(crate) async fn load(&self, days: i32) -> Result<()> {
        self.client.execute(LOAD, &[&days]).await?;
        Ok(())
    }

    /// As if corrected.
    pub(crate) async fn load_again(&self) -> Result<()> {
        let sql = "update raw.steps set steps = 30; \
            insert into ops.dirty_days (stream, local_date) select 'steps', local_ts::date from raw.steps";
        Ok(self.client.batch_execute(sql).await?)
    }

    pub(crate) async fn count(&self, sql: &str) -> Result<i64> {
        Ok(self.client.query_one(sql, &[]).await?.get(0))
    }

    /// A longer wait means that the event never comes.
    pub(crate) async fn until(&self, sql: &str, expected: i64) -> Result<()> {
        let reached = async {
            while self.count(sql).await? != expected {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok(())
        };
        let reached = tokio::time::timeout(Duration::from_secs(120), reached).await;
        reached.with_context(|| format!("never {expected}: {sql}"))?
    }

    pub(crate) async fn work(&self, config: &CompactorConfig, clock: &Clock) -> Result<()> {
        run_once(config, &self.timescale, clock, &Shutdown::new()).await?;
        Ok(())
    }
}
