//! House rules that no compiler checks: sizes, first lines, names, and driver imports.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use pulseline_tests::identifiers::identifiers;
use pulseline_tests::vocabulary::refused_word;
use pulseline_tests::{measures, picture};

const FILE_LINES_MAX: usize = 400;
const SOURCE_ENDINGS: [&str; 8] = ["rs", "sql", "mjs", "js", "css", "html", "sh", "toml"];
const SKIPPED_FOLDERS: [&str; 5] = ["target", ".git", ".stack", "node_modules", "proptest-regressions"];
const NAMES_REFUSED: [&str; 4] = ["utils", "util", "common", "helpers"];

/// Driver → the only members that may name it.
const DRIVERS: [(&str, &[&str]); 4] = [
    (
        "rdkafka",
        &[
            "services/clients",
            "services/generator",
            "services/sink",
            "services/auditor",
            "services/admin/src/dead_letters",
            "services/admin/src/eraser",
            "tests",
            "bench",
        ],
    ),
    ("mongodb", &["services/clients", "tests", "bench"]),
    // Only tests of runtime and console: they send requests to the HTTP server.
    (
        "reqwest",
        &[
            "services/clients",
            "services/runtime/tests",
            "services/console/tests",
            "tests",
        ],
    ),
    (
        "tokio_postgres",
        &[
            "services/clients",
            "sql",
            "services/loader",
            "services/compactor",
            "services/auditor",
            "services/admin",
            "services/console",
            "services/stack",
            "services/cli",
            "tests",
            "bench",
        ],
    ),
];

/// Identifiers of other libraries, in the files that use them.
const NAMES_OF_OTHERS: [(&str, &str); 2] = [
    ("services/loader/src/write/copying.rs", "feed"),
    ("services/clients/src/kafka/class.rs", "IllegalGeneration"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources() -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))? {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|e| SOURCE_ENDINGS.contains(&e.to_string_lossy().as_ref()))
            {
                let shown = path.strip_prefix(root())?.to_string_lossy().into_owned();
                found.push((shown, fs::read_to_string(&path)?));
            }
        }
    }
    ensure!(
        found.len() > 50,
        "only {} sources found: the walk is broken",
        found.len()
    );
    Ok(found)
}

#[test]
fn files_are_small() -> Result<()> {
    let long: Vec<_> = sources()?
        .into_iter()
        .filter(|(_, text)| text.lines().count() > FILE_LINES_MAX)
        .map(|(name, _)| name)
        .collect();
    ensure!(long.is_empty(), "over {FILE_LINES_MAX} lines: {long:?}");
    Ok(())
}

#[test]
fn every_rust_file_says_what_it_is() -> Result<()> {
    let mute: Vec<_> = sources()?
        .into_iter()
        .filter(|(name, text)| name.ends_with(".rs") && !text.starts_with("//! "))
        .map(|(name, _)| name)
        .collect();
    ensure!(mute.is_empty(), "no `//!` first line: {mute:?}");
    Ok(())
}

#[test]
fn every_migration_has_a_header() -> Result<()> {
    let mute: Vec<_> = sources()?
        .into_iter()
        .filter(|(name, text)| name.ends_with(".sql") && !text.starts_with("-- "))
        .map(|(name, _)| name)
        .collect();
    ensure!(mute.is_empty(), "no header: {mute:?}");
    Ok(())
}

#[test]
fn modules_have_specific_names() -> Result<()> {
    let vague: Vec<_> = sources()?
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| {
            Path::new(name)
                .file_stem()
                .is_some_and(|stem| NAMES_REFUSED.contains(&stem.to_string_lossy().as_ref()))
        })
        .collect();
    ensure!(vague.is_empty(), "unspecific names: {vague:?}");
    Ok(())
}

#[test]
fn identifiers_are_found_and_old_words_in_them_are_refused() {
    let source = r##"
        // letter /* frontier */
        fn a_letter<'fly>(dead_letters: &'fly str) -> char { /* mend /* still */ mend */
            let books = r#"feed "errand""#; let heard = b'x'; 'landing: loop {}
            "reckoning \\" ; '\''; InFlight { cargo: 1_000_look }
        }"##;
    let refused: Vec<_> = identifiers(source)
        .into_iter()
        .filter(|(_, name)| refused_word(name).is_some())
        .collect();
    let expected = [(3, "a_letter"), (4, "books"), (4, "heard"), (5, "cargo")];
    assert_eq!(refused, expected);
    for name in [
        "Place",
        "told",
        "LookAgain",
        "GENERATIONS",
        "held",
        "FrontierDevices",
    ] {
        assert!(refused_word(name).is_some(), "{name}");
    }
    for name in [
        "DeadLetters",
        "IN_FLIGHT",
        "held_back",
        "unheard",
        "a_secret_is_not_told",
        "place",
        "Generator",
    ] {
        assert_eq!(refused_word(name), None, "{name}");
    }
}

/// Stored names, metrics and settings are strings, and may keep words of earlier versions.
#[test]
fn identifiers_have_standard_words() -> Result<()> {
    let (mut refused, mut count) = (Vec::new(), 0);
    for (path, text) in sources()?.iter().filter(|(path, _)| path.ends_with(".rs")) {
        for (line, name) in identifiers(text) {
            count += 1;
            if let Some(instead) =
                refused_word(name).filter(|_| !NAMES_OF_OTHERS.contains(&(path.as_str(), name)))
            {
                refused.push(format!("{path}:{line}: {name}: call it {instead}"));
            }
        }
    }
    ensure!(
        count > 50_000,
        "only {count} identifiers found: the walk is broken"
    );
    ensure!(refused.is_empty(), "{}", refused.join("\n"));
    Ok(())
}

#[test]
fn drivers_stay_where_they_belong() -> Result<()> {
    for (name, text) in sources()?
        .into_iter()
        .filter(|(name, _)| name.ends_with(".rs") && !name.ends_with("tidy.rs"))
    {
        for (driver, members) in DRIVERS {
            let uses = text.lines().any(|line| {
                let code = line.split("//").next().unwrap_or_default();
                code.contains(&format!("{driver}::"))
            });
            let allowed = members.iter().any(|member| name.starts_with(member));
            ensure!(
                !uses || allowed,
                "{name} uses {driver}, which belongs to {members:?}"
            );
        }
    }
    Ok(())
}

#[test]
fn an_undefined_metric_is_an_error() {
    let text =
        "# TYPE a_total counter\na_total{x=\"1\",y=\"2\"} 3\na_total{x=\"2\"} 4\n# TYPE b gauge\nb 5\n";
    let measures = measures::Measures::new(text.to_owned());
    assert_eq!(measures.sum("a_total").unwrap(), 7.0);
    assert_eq!(measures.of("a_total", "x", "2").unwrap(), 4.0);
    assert_eq!(measures.with("a_total", &[("y", "2"), ("x", "1")]).unwrap(), 3.0);
    assert!(measures.with("a_total", &[("y", "2"), ("x", "2")]).is_err());
    assert_eq!(measures.sum("b").unwrap(), 5.0);
    for name in ["a", "a_totals", "c", ""] {
        assert!(measures.sum(name).is_err(), "{name}");
    }
    assert!(measures.of("a_total", "x", "9").is_err());
}

/// A test that parses `/metrics` by itself finds nothing when the metric's name is wrong, and passes.
#[test]
fn metrics_are_read_by_name_and_every_name_is_defined() -> Result<()> {
    let described = measures::described()?;
    let of_services = [
        "sink",
        "loader",
        "compactor",
        "healer",
        "console",
        "waiting",
        "loop",
    ];
    for (path, text) in sources()? {
        let is_reader = path.starts_with("tests/tests/") || path.starts_with("bench/");
        if !is_reader || path.ends_with("tidy.rs") {
            continue;
        }
        let own = path.ends_with("scenarios/telemetry.rs") || path.ends_with("scenarios/picture.rs");
        ensure!(
            own || !text.contains("get(\"/metrics\")"),
            "{path}: read metrics with Service::measures"
        );
        for name in picture::metric_names(&text) {
            let is_metric = of_services
                .iter()
                .any(|service| name.starts_with(&format!("pulseline_{service}_")));
            let base = picture::histogram_of(&name).unwrap_or(&name);
            let is_prefix = name.ends_with('_');
            ensure!(
                !is_metric || is_prefix || described.contains(base),
                "{path}: {name} is not defined"
            );
        }
    }
    Ok(())
}

/// Each crate with its features, as cargo builds them.
fn built(arguments: &[&str]) -> Result<BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(["tree", "--prefix", "none", "--format", "{p} {f}"])
        .args(arguments)
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?
        .lines()
        .map(|line| line.trim_end_matches(" (*)").to_owned())
        .collect())
}

/// A crate with different features is built twice, and so are all that depend on it.
#[test]
fn the_program_and_its_tests_share_one_build() -> Result<()> {
    let program = built(&["--package", "pulseline", "--edges", "normal,build"])?;
    let all = built(&["--workspace", "--edges", "normal,build,dev"])?;
    let twice: Vec<_> = program.difference(&all).collect();
    ensure!(
        program.len() > 100 && twice.is_empty(),
        "name these in services/runtime with the features that the tests ask for: {twice:#?}"
    );
    Ok(())
}

/// `scripts/test` runs the scenarios beside all targets whose names begin with another letter.
#[test]
fn no_test_target_but_the_scenarios_begins_with_an_s() -> Result<()> {
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root())
        .output()?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("packages")?;
    let targets = packages
        .iter()
        .filter_map(|package| package["targets"].as_array());
    let named: Vec<_> = targets
        .flatten()
        .filter(|target| target["kind"][0] == "test")
        .filter_map(|target| target["name"].as_str())
        .filter(|name| name.starts_with('s'))
        .collect();
    ensure!(
        named == ["scenarios"],
        "the test targets {named:?}: only the first is run"
    );
    Ok(())
}

#[test]
fn no_test_is_ignored_and_nothing_is_left_to_do() -> Result<()> {
    let marks = [
        concat!("#[", "ignore"),
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    for (name, text) in sources()? {
        for mark in marks {
            ensure!(!text.contains(mark), "{name} contains {mark}");
        }
    }
    Ok(())
}
