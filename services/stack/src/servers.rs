//! The four servers: start commands and readiness checks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::class_archive::ClassArchive;
use crate::error::StackError;
use crate::extras::{Extras, KafkaLists};
use crate::layout::Layout;
use crate::ports::Ports;
use crate::process::{Program, words};
use crate::provision::REGISTRY_JAR;

/// How long a transaction may be idle in PGlite's one session before it is ended, in milliseconds.
const IDLE_IN_TRANSACTION_MS: u32 = 30_000;

/// Java compiles quickly rather than well: these servers live for minutes, and share their cores with what is tested.
const QUICK_START: &str = "-XX:TieredStopAtLevel=1";

/// One of the embedded servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Server {
    /// Apache Kafka, KRaft, one node.
    Kafka,
    /// Apicurio Registry with Confluent's API.
    Registry,
    /// SecantusDB, `MongoDB`'s wire protocol.
    Mongo,
    /// `TimescaleDB` on PGlite behind the wire server.
    Timescale,
}

impl Server {
    /// All four.
    pub const ALL: [Self; 4] = [Self::Kafka, Self::Registry, Self::Mongo, Self::Timescale];

    /// Its name in messages and logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Registry => "registry",
            Self::Mongo => "mongo",
            Self::Timescale => "timescale",
        }
    }

    pub(crate) fn port(self, ports: &Ports) -> u16 {
        match self {
            Self::Kafka => ports.kafka,
            Self::Registry => ports.registry,
            Self::Mongo => ports.mongo,
            Self::Timescale => ports.timescale,
        }
    }

    /// The command line, with its data directory made ready.
    pub(crate) fn program(
        self,
        layout: &Layout,
        ports: &Ports,
        extras: &Extras,
    ) -> Result<Program, StackError> {
        let data = self.data(layout);
        fs::create_dir_all(&data).map_err(StackError::io(format!("create {}", data.display())))?;
        let folder = match self {
            Self::Mongo => layout.component(extras.mongo_program.component()),
            other => layout.component(other.name()),
        };
        match self {
            Self::Kafka => kafka(&folder, &data, ports, extras),
            Self::Registry => Ok(registry(&folder, &data, ports)),
            Self::Mongo => {
                let more = &extras.mongo_arguments;
                Ok(extras.mongo_program.program(&folder, &data, ports, more))
            }
            Self::Timescale => Ok(timescale(&folder, &data, ports)),
        }
    }

    /// Takes what a server that has stopped by itself leaves for later ones.
    pub(crate) fn has_stopped(self, layout: &Layout) {
        if matches!(self, Self::Kafka | Self::Registry) {
            ClassArchive::of(&layout.component(self.name()), &self.data(layout)).keep();
        }
    }

    fn data(self, layout: &Layout) -> PathBuf {
        layout.data().join(self.name())
    }

    /// True when the server answers.
    pub(crate) async fn is_ready(self, ports: &Ports) -> bool {
        let address = ("127.0.0.1", self.port(ports));
        match TcpStream::connect(address).await {
            Err(_) => false,
            // The registry listens before it can answer.
            Ok(stream) if self == Self::Registry => registry_answers(stream).await.unwrap_or(false),
            Ok(_) => true,
        }
    }
}

async fn registry_answers(mut stream: TcpStream) -> std::io::Result<bool> {
    stream
        .write_all(b"GET /apis/ccompat/v7/subjects HTTP/1.0\r\n\r\n")
        .await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    Ok(status.ends_with(b" 200"))
}

fn kafka(folder: &Path, data: &Path, ports: &Ports, extras: &Extras) -> Result<Program, StackError> {
    let properties = data.join("server.properties");
    fs::write(&properties, kafka_properties(data, ports, extras))
        .map_err(StackError::io("write Kafka's properties"))?;
    let file = properties.to_string_lossy();
    let archive = ClassArchive::of(folder, data);
    if !data.join("log/meta.properties").exists() {
        let mut format = words(&[QUICK_START, "-cp", "lib/*", "kafka.tools.StorageTool", "format"]);
        format.splice(0..0, archive.used());
        format.extend(words(&["-t", "cHVsc2VsaW5lLXN0YWNrMA", "-c", &file]));
        for user in &extras.scram_users {
            format.extend(["--add-scram".to_owned(), user.clone()]);
        }
        let output = Command::new("java").args(format).current_dir(folder).output();
        let output = output.map_err(StackError::io("format Kafka's storage"))?;
        if !output.status.success() {
            let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            return Err(StackError::Command {
                what: "formatting Kafka's storage".into(),
                output: text,
            });
        }
    }
    let line = [
        "java",
        "-Xmx512m",
        "-Xms256m",
        "-XX:+UseSerialGC",
        QUICK_START,
        &archive.option(),
        "-cp",
        "lib/*",
        "kafka.Kafka",
        &file,
    ];
    Ok(Program {
        words: words(&line),
        environment: Vec::new(),
        folder: folder.to_owned(),
    })
}

fn kafka_properties(data: &Path, ports: &Ports, extras: &Extras) -> String {
    let Ports {
        kafka, controller, ..
    } = ports;
    let plain = KafkaLists {
        listeners: format!("PLAINTEXT://127.0.0.1:{kafka},CONTROLLER://127.0.0.1:{controller}"),
        advertised: format!("PLAINTEXT://127.0.0.1:{kafka}"),
        protocols: "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT".into(),
    };
    format!(
        "process.roles=broker,controller\nnode.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\ncontroller.listener.names=CONTROLLER\n\
         log.dirs={}\nauto.create.topics.enable=false\ngroup.initial.rebalance.delay.ms=0\n\
         offsets.topic.replication.factor=1\noffsets.topic.num.partitions=4\n\
         transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=4\nshare.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n{}",
        data.join("log").display(),
        extras.kafka_lines(&plain)
    )
}

fn registry(folder: &Path, data: &Path, ports: &Ports) -> Program {
    let url = format!(
        "jdbc:h2:file:{};DB_CLOSE_ON_EXIT=FALSE",
        data.join("registry").display()
    );
    let environment = [
        ("QUARKUS_HTTP_HOST", "127.0.0.1".to_owned()),
        ("QUARKUS_HTTP_PORT", ports.registry.to_string()),
        ("REGISTRY_DATASOURCE_URL", url),
    ];
    Program {
        words: words(&[
            "java",
            "-Xmx256m",
            "-XX:+UseSerialGC",
            QUICK_START,
            &ClassArchive::of(folder, data).option(),
            "-jar",
            REGISTRY_JAR,
        ]),
        environment: environment.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        folder: folder.to_owned(),
    }
}

fn timescale(folder: &Path, data: &Path, ports: &Ports) -> Program {
    // PGlite does not lock its data directory, and two processes on one lose rows: flock locks it for the life of
    // the node process.
    let lock = data.join("lock").display().to_string();
    let mut line = words(&["flock", "--no-fork", "--nonblock", &lock, "node", "main.mjs"]);
    line.push(data.join("pg").display().to_string());
    line.extend([ports.timescale.to_string(), IDLE_IN_TRANSACTION_MS.to_string()]);
    Program {
        words: line,
        environment: Vec::new(),
        folder: folder.to_owned(),
    }
}
