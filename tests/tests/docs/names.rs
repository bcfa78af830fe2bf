//! Names of code, SQL and folders in the documentation: relations, paths, scenarios, and invariant ids.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use pulseline_tests::picture;

use crate::pages::{Line, present, sources};

const INVARIANTS: &str = "docs/reference/invariants.md";
const SCHEMAS: [&str; 4] = ["raw.", "stage.", "agg.", "ops."];
/// A word in backticks with one of these prefixes is a path.
const FOLDERS: [&str; 8] = [
    "bench/",
    "deploy/",
    "docs/",
    "schemas/",
    "scripts/",
    "services/",
    "sql/",
    "tests/",
];
/// The stream of the example; it does not exist.
const EXAMPLES: [&str; 2] = ["weights", "NNNN"];

/// A name of a migration's template, with each literal of that file in each placeholder.
fn expanded(name: &str, literals: &BTreeSet<&str>) -> Vec<String> {
    let Some((before, after)) = name.split_once('%') else {
        return vec![name.to_owned()];
    };
    let place = after.split_inclusive('$').next().unwrap_or_default();
    let after = after.get(place.len() + 1..).unwrap_or_default();
    let filled = literals.iter().map(|literal| format!("{before}{literal}{after}"));
    filled.flat_map(|name| expanded(&name, literals)).collect()
}

/// Tables and views that exist after all migrations.
fn relations() -> Result<BTreeSet<String>> {
    let mut relations: BTreeSet<String> = BTreeSet::new();
    for (name, text) in sources()? {
        if !name.starts_with("sql/migrations/") {
            continue;
        }
        let text = text.replace("{{", "").replace("}}", "");
        let quoted = text
            .split('\'')
            .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        let literals: BTreeSet<&str> = quoted.chain([""]).collect();
        for line in text.lines().map(str::trim) {
            let relation =
                |word: &str| Some(line.split_once(word)?.1.split([' ', ';', '(']).next()?.to_owned());
            if let Some(schema) = relation("drop schema ") {
                relations.retain(|relation| !relation.starts_with(&format!("{schema}.")));
            } else if line.starts_with("drop ") {
                let gone = relation(" view ").or_else(|| relation(" table "));
                relations.retain(|relation| Some(relation) != gone.as_ref());
            } else if line.starts_with("create ") {
                let made = relation(" view ").or_else(|| relation(" table "));
                relations.extend(made.iter().flat_map(|made| expanded(made, &literals)));
            }
        }
    }
    Ok(relations)
}

/// Expands `{a,b}_c` to `a_c` and `b_c`.
fn alternatives(name: &str) -> Vec<String> {
    let parts = name
        .split_once('{')
        .and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    let Some((before, (inner, after))) = parts else {
        return vec![name.to_owned()];
    };
    let chosen = inner.split(',').map(|chosen| format!("{before}{chosen}{after}"));
    chosen.flat_map(|name| alternatives(&name)).collect()
}

/// Relations that a line names; names cut off with `…` are skipped.
fn named_relations(line: &Line) -> Vec<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_{},".contains(c);
    let mut named = Vec::new();
    for (schema, (at, _)) in SCHEMAS
        .iter()
        .flat_map(|s| line.text.match_indices(s).map(move |at| (s, at)))
    {
        let (before, after) = (&line.text[..at], &line.text[at + schema.len()..]);
        let end = after.find(|c| !is_part(c)).unwrap_or(after.len());
        let name = after[..end].trim_end_matches(',');
        let is_whole =
            !before.ends_with(|c: char| c.is_alphanumeric() || c == '_') && !after[end..].starts_with('…');
        if is_whole && !name.is_empty() {
            named.extend(alternatives(&format!("{schema}{name}")));
        }
    }
    named
}

#[test]
fn every_relation_exists_after_the_migrations() -> Result<()> {
    let (relations, mut found) = (relations()?, 0);
    for line in present()?
        .iter()
        .filter(|line| !EXAMPLES.iter().any(|example| line.text.contains(example)))
    {
        for named in named_relations(line) {
            ensure!(
                relations.contains(&named),
                "{}: no relation {named}",
                line.place()
            );
            found += 1;
        }
    }
    ensure!(found > 80, "only {found} relations");
    Ok(())
}

#[test]
fn every_path_exists() -> Result<()> {
    let (pages, mut found) = (present()?, 0);
    for line in &pages {
        for path in line
            .spans()
            .into_iter()
            .filter_map(|span| span.split([' ', ':']).next())
        {
            let is_example = path.contains('*') || EXAMPLES.iter().any(|example| path.contains(example));
            if is_example || !FOLDERS.iter().any(|folder| path.starts_with(folder)) {
                continue;
            }
            ensure!(
                picture::path(path).exists(),
                "{}: {path} does not exist",
                line.place()
            );
            found += 1;
        }
    }
    ensure!(found > 50, "only {found} paths");
    Ok(())
}

#[test]
fn every_scenario_of_the_invariants_exists() -> Result<()> {
    let pages = present()?;
    let rows = pages
        .iter()
        .filter(|line| line.page == INVARIANTS && line.text.starts_with('|'));
    let mut found = 0;
    for line in rows {
        let scenarios = line.text.split('|').nth(2).unwrap_or_default();
        for name in scenarios.split('`').skip(1).step_by(2) {
            let path = format!("tests/tests/scenarios/{name}.rs");
            ensure!(picture::path(&path).exists(), "{}: no {path}", line.place());
            found += 1;
        }
    }
    ensure!(found > 20, "only {found} scenarios");
    Ok(())
}

/// The id `D-1` of its group and its number.
fn id(group: &str, number: &str) -> Option<String> {
    let number: u8 = number.parse().ok()?;
    match group.to_ascii_uppercase().as_str() {
        "P" => Some(format!("P{number}")),
        group @ ("A" | "D" | "E") => Some(format!("{group}-{number}")),
        _ => None,
    }
}

/// Ids at the beginning of a test's name: `d_1_d_2_…`, `p_19_…`. Ids of group A are skipped, because other names
/// begin with `a_` as well.
fn ids_of_name(line: &str) -> Vec<String> {
    let mut rest = line.split_once("fn ").map_or("", |(_, name)| name);
    let mut ids = Vec::new();
    while let Some((group, after)) = rest.split_at_checked(1) {
        let after = after.trim_start_matches('_');
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(digits);
        let Some(id) = id(group, number).filter(|_| after.starts_with('_')) else {
            break;
        };
        ids.extend((group != "a").then_some(id));
        rest = &after[1..];
    }
    ids
}

/// Ids in comments and texts: `D-1`, `P19`; ids of group A only in brackets.
fn ids_of_text(line: &str) -> Vec<String> {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let ids = words.filter_map(|word| {
        let (group, number) = word.split_at_checked(1)?;
        let is_written = number.starts_with('-') != (group == "P") && !word.starts_with(char::is_lowercase);
        let is_told = group != "A" || line.contains(&format!("({word}"));
        id(group, number.trim_start_matches('-')).filter(|id| is_written && is_told && id == word)
    });
    ids.collect()
}

#[test]
fn every_id_is_defined() -> Result<()> {
    let pages = present()?;
    let headings = pages
        .iter()
        .filter(|line| line.page == INVARIANTS)
        .filter_map(Line::heading);
    let (defined, mut used): (BTreeSet<&str>, _) = (headings.collect(), BTreeSet::new());
    for (name, text) in sources()? {
        for (number, line) in (1..).zip(text.lines()) {
            for id in ids_of_name(line).into_iter().chain(ids_of_text(line)) {
                ensure!(
                    defined.contains(id.as_str()),
                    "{name}:{number}: {INVARIANTS} has no {id}"
                );
                used.insert(id);
            }
        }
    }
    ensure!(used.len() > 20, "only {used:?}");
    Ok(())
}
