//! The deployed dashboards: their queries, and Grafana's rendering of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use pulseline_sql::GenericClient;
use serde_json::Value;

use crate::world::World;

/// Uid of the SQL data source.
pub const WAREHOUSE: &str = "pulseline-warehouse";
/// Uid of the PromQL data source.
pub const METRICS: &str = "pulseline-metrics";
const PREFIX: &str = "pulseline_";

/// A query of a dashboard.
#[derive(Clone, Debug)]
pub struct Query {
    /// Dashboard, and panel or variable.
    pub place: String,
    /// The data source's uid.
    pub source: String,
    /// Result format: `time_series`, `table`, or empty.
    pub format: String,
    /// SQL or PromQL with macros.
    pub text: String,
}

/// Path of a file below `deploy/` or in the root folder.
#[must_use]
pub fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

/// The text of a deployed file.
///
/// # Errors
/// A missing file.
pub fn read(name: &str) -> Result<String> {
    std::fs::read_to_string(path(name)).with_context(|| name.to_owned())
}

/// All dashboards, by file name.
///
/// # Errors
/// A file that is no JSON.
pub fn dashboards() -> Result<Vec<(String, Value)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path("deploy/grafana/dashboards"))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(&path)?;
        found.push((
            name.clone(),
            serde_json::from_str(&text).with_context(|| name.clone())?,
        ));
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(found)
}

/// Elements of an array below `value`; none if it is missing.
pub fn list<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> + use<'a> {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// A text below `value`; empty if it is missing.
#[must_use]
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Every query of every panel and variable.
///
/// # Errors
/// A dashboard that is not JSON, or without a query.
pub fn queries() -> Result<Vec<Query>> {
    let mut found = Vec::new();
    for (name, board) in dashboards()? {
        let before = found.len();
        for panel in list(&board, "/panels") {
            for target in list(panel, "/targets") {
                let sql = text(target, "/rawSql");
                found.push(Query {
                    place: format!("{name}: {}", text(panel, "/title")),
                    source: text(target, "/datasource/uid").to_owned(),
                    format: text(target, "/format").to_owned(),
                    text: (if sql.is_empty() {
                        text(target, "/expr")
                    } else {
                        sql
                    })
                    .to_owned(),
                });
            }
        }
        for variable in list(&board, "/templating/list") {
            found.push(Query {
                place: format!("{name}: variable {}", text(variable, "/name")),
                source: text(variable, "/datasource/uid").to_owned(),
                format: String::new(),
                text: text(variable, "/query").to_owned(),
            });
        }
        ensure!(found.len() > before, "{name} has no query");
    }
    Ok(found)
}

/// SQL as Grafana sends it, for a time range (ISO instants) and the selected people.
///
/// # Errors
/// A macro or variable that the dashboards must not use.
pub fn expand(sql: &str, (from, to): (&str, &str), people: &[String]) -> Result<String> {
    let chosen: Vec<String> = people.iter().map(|person| format!("'{person}'")).collect();
    let mut expanded = sql
        .replace("${person:sqlstring}", &chosen.join(","))
        .replace("$__timeFrom()", &format!("'{from}'"))
        .replace("$__timeTo()", &format!("'{to}'"));
    while let Some((before, after)) = expanded.split_once("$__timeFilter(") {
        let (column, after) = after.split_once(')').context("a filter without an end")?;
        expanded = format!("{before}{column} BETWEEN '{from}' AND '{to}'{after}");
    }
    ensure!(
        !expanded.contains('$'),
        "an unknown macro or variable is left: {expanded}"
    );
    Ok(expanded)
}

/// Names of Pulseline's metrics in an expression.
#[must_use]
pub fn metric_names(expression: &str) -> BTreeSet<String> {
    expression
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(PREFIX))
        .map(str::to_owned)
        .collect()
}

/// The histogram of a series; none for other metrics.
#[must_use]
pub fn histogram_of(series: &str) -> Option<&str> {
    let base = ["_bucket", "_sum", "_count"]
        .iter()
        .find_map(|suffix| series.strip_suffix(suffix))?;
    ["_seconds", "_bytes", "_rows"]
        .iter()
        .any(|unit| base.ends_with(unit))
        .then_some(base)
}

/// Names of Pulseline's metrics in all dashboards and rules.
///
/// # Errors
/// A file that cannot be read.
pub fn used_metrics() -> Result<BTreeSet<String>> {
    let mut names = metric_names(&read("deploy/prometheus/alerts.yml")?);
    for query in queries()?.iter().filter(|query| query.source == METRICS) {
        names.extend(metric_names(&query.text));
    }
    Ok(names)
}

/// Means of groups are shown however few people they are over: a small cohort has no five of an age.
///
/// # Errors
/// An unreachable warehouse.
pub async fn show_groups_of_one(world: &World) -> Result<()> {
    let sql = "update ops.settings set min_group = 1";
    Ok(world.warehouse().await?.batch_execute(sql).await?)
}
