//! Names of the program in the documentation: commands, settings, metrics and alerts.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Result, ensure};
use pulseline_tests::service::binary;
use pulseline_tests::{measures, picture};

use crate::pages::{Line, pages, present, sources};

/// Words after `pulseline`, with values for placeholders; none for other commands.
fn words(span: &str) -> Option<Vec<&str>> {
    let command = span.split(" #").next()?.split(['|', '>', ';']).next()?;
    let mut words = command
        .split_whitespace()
        .skip_while(|word| word.starts_with("PULSELINE__"));
    let program = words.next()?;
    (program == "pulseline" || program.ends_with("/pulseline")).then(|| {
        let words = words.filter(|word| !["COMMAND", "…"].contains(word));
        let user = "00000000-0000-0000-0000-000000000001";
        words
            .map(|word| if word == "USER" { user } else { word })
            .collect()
    })
}

#[test]
fn every_command_exists_in_the_program() -> Result<()> {
    let (pages, mut asked) = (pages()?, BTreeSet::new());
    for line in &pages {
        for words in line.spans().into_iter().filter_map(words) {
            if !asked.insert(words.clone()) {
                continue;
            }
            // The words before it are parsed first, and refused by name.
            let output = Command::new(binary()?).args(&words).arg("--help").output()?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            ensure!(output.status.success(), "{}: {words:?}: {said}", line.place());
        }
    }
    ensure!(asked.len() > 30, "only {asked:?}");
    Ok(())
}

/// Keys `section.key` of the file that lists every setting; another test checks that the list is complete.
fn settings() -> Result<BTreeSet<String>> {
    let (mut section, mut keys) = (String::new(), BTreeSet::new());
    for line in picture::read("deploy/pulseline.toml")?.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
            keys.insert(name.to_owned());
        } else if let Some((key, _)) = line.trim_start_matches("# ").split_once(" = ") {
            keys.insert(format!("{section}{key}"));
        }
    }
    Ok(keys)
}

/// Settings that a line names: variables, `section.key`, and `key = value` on pages about settings.
fn named_settings(line: &Line, sections: &BTreeSet<&str>) -> Vec<String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let mut named = Vec::new();
    for word in line
        .text
        .split(|c| !is_word(c))
        .filter_map(|word| word.strip_prefix("PULSELINE__"))
    {
        let word = word.strip_suffix("_FILE").unwrap_or(word);
        named.push(word.to_lowercase().replace("__", "."));
    }
    for span in line.spans() {
        let first = span.split(|c| !is_word(c)).next().unwrap_or_default();
        let section = first.split_once('.').map(|(section, _)| section);
        let is_bare = line.page.starts_with("docs/guides/") && span.starts_with(&format!("{first} = "));
        if section.is_some_and(|section| sections.contains(section)) || is_bare {
            named.push(first.to_owned());
        }
    }
    named
}

#[test]
fn every_setting_exists_in_the_program() -> Result<()> {
    let (keys, mut found) = (settings()?, 0);
    let sections = keys
        .iter()
        .filter_map(|key| Some(key.split_once('.')?.0))
        .collect();
    for line in present()? {
        for named in named_settings(&line, &sections) {
            let bare = |key: &String| key.rsplit('.').next() == Some(named.as_str());
            let is_there = keys.contains(&named) || named == "section.field" || keys.iter().any(bare);
            ensure!(is_there, "{}: no setting {named}", line.place());
            found += 1;
        }
    }
    ensure!(found > 60, "only {found} settings");
    Ok(())
}

#[test]
fn every_metric_is_defined_and_listed() -> Result<()> {
    let (described, mut listed) = (measures::described()?, BTreeSet::new());
    let sources = sources()?
        .into_iter()
        .filter(|(name, _)| name.starts_with("sql/migrations/"));
    // Roles, tables and crates have names of the same form.
    let stored: BTreeSet<_> = sources
        .flat_map(|(_, text)| picture::metric_names(&text))
        .collect();
    let is_crate = |name: &str| {
        let name = name.trim_start_matches("pulseline_");
        picture::path(name).is_dir() || picture::path(&format!("services/{name}")).is_dir()
    };
    for line in present()? {
        for name in picture::metric_names(&line.text) {
            let base = picture::histogram_of(&name).unwrap_or(&name);
            let is_there = described.contains(base) || stored.contains(&name) || is_crate(&name);
            ensure!(is_there, "{}: {name} is not defined", line.place());
            if line.page == "docs/operations/metrics.md" {
                listed.insert(name);
            }
        }
    }
    let missing: Vec<_> = described
        .difference(&listed)
        .filter(|name| !is_crate(name))
        .collect();
    ensure!(missing.is_empty(), "docs/operations/metrics.md lacks {missing:?}");
    Ok(())
}

#[test]
fn every_alert_has_a_heading_and_every_named_alert_exists() -> Result<()> {
    let (rules, pages) = (picture::read("deploy/prometheus/alerts.yml")?, present()?);
    let alerts: BTreeSet<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    let runbook = pages
        .iter()
        .filter(|line| line.page == "docs/operations/runbook.md" && line.text.starts_with("## "));
    let headings: BTreeSet<&str> = runbook.filter_map(Line::heading).collect();
    ensure!(
        headings == alerts && alerts.len() > 10,
        "{headings:?} have a heading, but the alerts are {alerts:?}"
    );
    for line in &pages {
        for named in line.text.split("alert ").skip(1) {
            let named = named
                .split(|c: char| !c.is_ascii_alphanumeric())
                .next()
                .unwrap_or_default();
            let is_name = named.chars().filter(char::is_ascii_uppercase).count() > 1;
            ensure!(
                !is_name || alerts.contains(named),
                "{}: no alert {named}",
                line.place()
            );
        }
    }
    Ok(())
}
