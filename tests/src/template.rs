//! A migrated TimescaleDB that is made once and copied for each scenario.

use std::path::PathBuf;

use anyhow::Result;
use pulseline_runtime::config::{Secret, TimescaleConfig};
use pulseline_stack::{Extras, Server, Stack, StackOptions};
use tokio::sync::OnceCell;

use crate::own;
use crate::shared::name_here;
use crate::world::stack_root;

/// Data of a migrated embedded TimescaleDB: each world begins with a copy.
static TEMPLATE: OnceCell<PathBuf> = OnceCell::const_new();

async fn migrated() -> Result<PathBuf> {
    let name = name_here("template");
    let options = StackOptions {
        root: stack_root(),
        name: name.clone(),
        fresh: true,
    };
    let stack = Stack::start_one(&options, Server::Timescale, &|_: &str| ()).await?;
    let timescale = TimescaleConfig {
        url: Secret::new(stack.endpoints().timescale_url.clone()),
        ..TimescaleConfig::default()
    };
    pulseline_sql::migrate(&timescale).await?;
    stack.stop().await?;
    Ok(stack_root()
        .join("run")
        .join(name)
        .join("data")
        .join(Server::Timescale.name()))
}

/// Starts the embedded TimescaleDB with a copy, if the world has one, and MongoDB with the commands by which a test has it fail.
pub(crate) async fn template() -> Result<Extras> {
    let mut extras = Extras {
        mongo_arguments: vec!["--enable-test-commands".into()],
        ..Extras::default()
    };
    if own::address(Server::Timescale).is_none() {
        extras.timescale_template = Some(TEMPLATE.get_or_try_init(migrated).await?.clone());
    }
    Ok(extras)
}
