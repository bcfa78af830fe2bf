//! Replays dead letters, each through the path on which it failed, once.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use pulseline_clients::kafka::{Guard, Settings};
use pulseline_loader::replay_dead_letters::DeadLetterReplayer;
use pulseline_runtime::config::{KafkaConfig, MongoConfig, TimescaleConfig};
use pulseline_schemas::{Origin, Stream};
use pulseline_sql::{Client, GenericClient};
use rdkafka::producer::{FutureProducer, FutureRecord};

use crate::dead_letters::error::DeadLettersError;
use crate::dead_letters::find::{DeadLetter, Selection, list, open};
use crate::dead_letters::resolve::resolve;

/// Longest wait for an acknowledgement: a transaction locks the dead letter meanwhile.
const TIMEOUT: Duration = Duration::from_secs(15);
const TIMEOUT_MS: &str = "15000";
/// Reads the dead letter's bytes and locks them for this transaction: two concurrent replays send it once.
const TAKE: &str = "select topic, message_key, payload from ops.dead_letters \
    where origin = $1 and item = $2 and resolved_at is null for update";

const RECORD: &str =
    "replay its files again: records that can be read now are sent, the others are duplicates";

/// The servers that a replay uses.
#[derive(Clone, Debug)]
pub struct ReplayConnections {
    /// Receives messages again.
    pub kafka: KafkaConfig,
    /// Has the documents to read again.
    pub mongo: MongoConfig,
    /// Has the dead letters, and receives rows.
    pub timescale: TimescaleConfig,
}

/// The result of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Its rows are in raw.
    Loaded,
    /// Its message was sent to its topic again, at a new offset.
    Sent,
    /// It was refused for the same or another reason; the dead letter stays.
    Refused(String),
    /// It cannot be replayed; the dead letter stays.
    Left(&'static str),
}

impl Fate {
    /// True when the dead letter needs no more work.
    #[must_use]
    pub fn is_done(&self) -> bool {
        match self {
            Self::Loaded | Self::Sent => true,
            Self::Refused(_) | Self::Left(_) => false,
        }
    }
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loaded => f.write_str("loaded"),
            Self::Sent => f.write_str("sent to its topic again"),
            Self::Refused(why) => write!(f, "refused again: {why}"),
            Self::Left(why) => write!(f, "not replayed: {why}"),
        }
    }
}

/// Replays unresolved dead letters in the order of their origins, and calls `tell` for each.
///
/// # Errors
/// Errors of the stores; earlier dead letters are done.
pub fn replay<'a>(
    connections: &'a ReplayConnections,
    selection: &'a Selection,
    tell: &'a mut (dyn FnMut(&DeadLetter, &Fate) + Send),
) -> BoxFuture<'a, Result<(), DeadLettersError>> {
    Box::pin(async move {
        if selection.is_all() {
            return Err(DeadLettersError::NoSelection);
        }
        let mut client = open(&connections.timescale).await?;
        let (dead_letters, _) = list(&client, selection, i64::MAX).await?;
        let mut by_origin: BTreeMap<String, Vec<DeadLetter>> = BTreeMap::new();
        for dead_letter in dead_letters {
            by_origin
                .entry(dead_letter.origin.clone())
                .or_default()
                .push(dead_letter);
        }
        let mut stores = Stores::default();
        let mut ended = Ok(());
        for (origin, dead_letters) in by_origin {
            let origin = Origin::read(&origin);
            let stream = match origin {
                Origin::Document { collection, .. } => Stream::from_name(collection),
                Origin::Message(_) | Origin::Record(_) | Origin::Unknown(_) => None,
            };
            ended = match (origin, stream) {
                (Origin::Document { id, .. }, Some(stream)) => {
                    let replayer = stores.replayer(connections).await?;
                    documents(&client, replayer, (stream, id), &dead_letters, tell).await
                }
                (Origin::Message(_), _) => {
                    messages(&mut client, stores.producer(connections)?, &dead_letters, tell).await
                }
                (Origin::Record(_), _) => {
                    leave(&dead_letters, RECORD, tell);
                    Ok(())
                }
                (Origin::Document { .. } | Origin::Unknown(_), _) => {
                    leave(&dead_letters, "this program does not know its origin", tell);
                    Ok(())
                }
            };
            if ended.is_err() {
                break;
            }
        }
        if let Some(replayer) = stores.replayer {
            replayer.close().await;
        }
        ended
    })
}

fn leave(dead_letters: &[DeadLetter], why: &'static str, tell: &mut (dyn FnMut(&DeadLetter, &Fate) + Send)) {
    let left = Fate::Left(why);
    dead_letters
        .iter()
        .for_each(|dead_letter| tell(dead_letter, &left));
}

/// A producer, and the guard that notices refusals of the brokers.
struct Mailer {
    producer: FutureProducer<Guard>,
    guard: Guard,
}

/// Opened when the first dead letter needs them.
#[derive(Default)]
struct Stores {
    replayer: Option<DeadLetterReplayer>,
    producer: Option<Mailer>,
}

impl Stores {
    async fn replayer(
        &mut self,
        connections: &ReplayConnections,
    ) -> Result<&mut DeadLetterReplayer, DeadLettersError> {
        let replayer = match self.replayer.take() {
            Some(replayer) => replayer,
            None => {
                DeadLetterReplayer::open(&pulseline_loader::LoaderConnections {
                    mongo: connections.mongo.clone(),
                    timescale: connections.timescale.clone(),
                })
                .await?
            }
        };
        Ok(self.replayer.insert(replayer))
    }

    fn producer(&mut self, connections: &ReplayConnections) -> Result<&Mailer, DeadLettersError> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => {
                let mut settings = Settings::new(&connections.kafka, "pulseline-dead-letters")?;
                settings.idempotent().set("message.timeout.ms", TIMEOUT_MS).set(
                    "message.max.bytes",
                    connections.kafka.message_bytes_max.to_string(),
                );
                let (producer, guard) = settings.create_guarded()?;
                Mailer { producer, guard }
            }
        };
        Ok(self.producer.insert(producer))
    }
}

/// Reloads a document once for all dead letters about it.
async fn documents(
    client: &Client,
    replayer: &mut DeadLetterReplayer,
    (stream, id): (Stream, &str),
    dead_letters: &[DeadLetter],
    tell: &mut (dyn FnMut(&DeadLetter, &Fate) + Send),
) -> Result<(), DeadLettersError> {
    let replayed = replayer.load(stream, id).await?;
    for dead_letter in dead_letters {
        let fate = match &replayed {
            None => Fate::Left("its document no longer exists"),
            Some(replayed) => {
                // A refusal of the whole document refuses each of its readings.
                let again = replayed
                    .refused
                    .iter()
                    .find(|(item, _)| *item == dead_letter.item || *item < 0);
                again.map_or(Fate::Loaded, |(_, why)| Fate::Refused(why.clone()))
            }
        };
        if fate == Fate::Loaded {
            resolve(client, (&dead_letter.origin, dead_letter.item), "replayed", None).await?;
        }
        tell(dead_letter, &fate);
    }
    Ok(())
}

/// Sends the bytes of messages again. A crash between acknowledgement and commit sends one twice: the second
/// becomes a duplicate, or a second dead letter.
async fn messages(
    client: &mut Client,
    mailer: &Mailer,
    dead_letters: &[DeadLetter],
    tell: &mut (dyn FnMut(&DeadLetter, &Fate) + Send),
) -> Result<(), DeadLettersError> {
    for dead_letter in dead_letters {
        let transaction = client.transaction().await?;
        let Some(row) = transaction
            .query_opt(TAKE, &[&dead_letter.origin, &dead_letter.item])
            .await?
        else {
            continue;
        };
        let (topic, key, payload): (Option<&str>, Option<&[u8]>, Option<&[u8]>) =
            (row.get(0), row.get(1), row.get(2));
        let (Some(topic), Some(payload)) = (topic, payload) else {
            tell(dead_letter, &Fate::Left("its bytes are not stored"));
            continue;
        };
        let mut record = FutureRecord::<[u8], [u8]>::to(topic).payload(payload);
        if let Some(key) = key {
            record = record.key(key);
        }
        let sending = async {
            mailer
                .producer
                .send(record, TIMEOUT)
                .await
                .map_err(|(error, _)| error)
        };
        let sent = mailer.guard.unless_refused("sending a message again", sending);
        sent.await?;
        resolve(
            &transaction,
            (&dead_letter.origin, dead_letter.item),
            "replayed",
            None,
        )
        .await?;
        transaction.commit().await?;
        tell(dead_letter, &Fate::Sent);
    }
    Ok(())
}
