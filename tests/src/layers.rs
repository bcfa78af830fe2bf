//! The expected content of stage and agg, computed from the expected rows of raw, without SQL or a store.
//!
//! Figures are whole numbers: hundredths where a column has two decimal places, and so on.

mod days;
mod decimal;
mod figures;
mod found;
mod nights;
mod owners;
mod quarters;
mod rows;

use std::collections::BTreeMap;

use anyhow::Result;

use crate::oracle::Oracle;
use crate::truth::Findings;
use crate::world::World;

use rows::Rows;

/// Compares stage and agg with the expected content.
///
/// # Errors
/// An unreachable store.
pub async fn compare(world: &World, oracle: &Oracle) -> Result<Findings> {
    let quarters = quarters::of(oracle);
    let nights = nights::of(oracle);
    let mut expected: BTreeMap<String, Rows> = BTreeMap::new();
    expected.insert("stage.quarters".into(), quarters::rows(&quarters));
    for scope in owners::SCOPES {
        let owners = owners::of(oracle, scope);
        let counted = quarters::counted(&quarters, &owners);
        if scope == owners::Scope::User {
            expected.insert("stage.user_quarters".into(), quarters::owned_rows(&counted));
        }
        let sleeps = nights::surviving(&nights, &owners);
        expected.insert(
            format!("stage.{}sleeps", scope.prefix()),
            nights::rows(&sleeps, scope),
        );
        let days = days::of(oracle, &owners, &counted, &sleeps);
        expected.extend(figures::relations(&days, scope));
    }
    let warehouse = world.warehouse().await?;
    let mut findings = Findings::default();
    for (relation, rows) in expected {
        let found = found::rows(&warehouse, &relation).await?;
        let found = found::within_tolerance(&relation, &rows, found);
        findings.compare(&relation, rows, found);
    }
    Ok(findings)
}
