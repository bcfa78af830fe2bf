//! MongoDB: all writes and lookups of the sink, always with majority.

use std::collections::HashMap;

use bson::{RawDocument, RawDocumentBuf, doc};
use mongodb::error::ErrorKind;
use mongodb::options::IndexOptions;
use mongodb::{Collection, Database, IndexModel};
use pulseline_clients::mongo::{self, Fault, fault_of, is_duplicate};
use pulseline_runtime::config::MongoConfig;
use pulseline_schemas::pages::Order;
use pulseline_schemas::{Position, Stream, collections};
use pulseline_tombstones::Register;

use crate::duplicates::Stored;
use crate::error::SinkError;

/// Name of the unique index on positions.
const POSITION_INDEX: &str = "kafka_position";

/// A document that was not inserted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its index in the given documents.
    pub(crate) index: usize,
    pub(crate) fault: Fault,
    pub(crate) code: i32,
    pub(crate) message: String,
}

/// The database of events.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    database: Database,
}

impl Store {
    /// Creates a client of the database; sends nothing yet.
    pub(crate) async fn open(config: &MongoConfig) -> Result<Self, SinkError> {
        Ok(Self {
            database: mongo::open(config, "pulseline-sink").await?,
        })
    }

    fn collection(&self, name: &str) -> Collection<RawDocumentBuf> {
        self.database.collection(name)
    }

    /// Creates the unique index on positions. Repeating it changes nothing.
    pub(crate) async fn ensure_indexes(&self) -> Result<(), SinkError> {
        for name in Stream::ALL
            .map(Stream::collection)
            .into_iter()
            .chain([collections::RECEIPTS])
        {
            let keys = doc! {
                "kafka.topic": 1, "kafka.generation": 1, "kafka.partition": 1, "kafka.offset": 1,
            };
            let options = IndexOptions::builder()
                .unique(true)
                .name(POSITION_INDEX.to_owned())
                .build();
            let index = IndexModel::builder().keys(keys).options(options).build();
            self.ensure_index(name, index).await?;
        }
        Ok(())
    }

    /// Creates the indexes in whose order bulk readers read (P20): a whole collection, and one device of it.
    /// Writes never wait for them; on a large collection they take long.
    pub(crate) async fn ensure_reading_indexes(&self) -> Result<(), SinkError> {
        for stream in Stream::ALL {
            for keys in Order::of(stream).indexes() {
                let index = IndexModel::builder().keys(keys).build();
                self.ensure_index(stream.collection(), index).await?;
            }
        }
        Ok(())
    }

    async fn ensure_index(&self, collection: &str, index: IndexModel) -> Result<(), SinkError> {
        let created = self.collection(collection).create_index(index).await;
        created.map(drop).map_err(SinkError::mongo("creating an index"))
    }

    /// Inserts documents independently. Returns those that were refused for their own content; a majority acknowledged
    /// all others.
    pub(crate) async fn insert(
        &self,
        collection: &'static str,
        documents: &[RawDocumentBuf],
    ) -> Result<Vec<Failure>, SinkError> {
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        let Err(error) = self
            .collection(collection)
            .insert_many(documents)
            .ordered(false)
            .await
        else {
            return Ok(Vec::new());
        };
        let ErrorKind::InsertMany(many) = error.kind.as_ref() else {
            return Err(SinkError::mongo("inserting documents")(error));
        };
        // The inserts may still be rolled back: nothing of this attempt counts.
        if let Some(concern) = &many.write_concern_error {
            let message = concern.message.clone();
            return Err(SinkError::WriteConcern {
                collection,
                code: concern.code,
                message,
            });
        }
        let mut failures = Vec::new();
        for error in many.write_errors.iter().flatten() {
            let fault = fault_of(error.code);
            let (code, message) = (error.code, error.message.clone());
            match fault {
                Fault::Duplicate | Fault::Document => {
                    failures.push(Failure {
                        index: error.index,
                        fault,
                        code,
                        message,
                    });
                }
                Fault::Server | Fault::Position | Fault::Login | Fault::Permission | Fault::Unknown => {
                    return Err(SinkError::Write {
                        collection,
                        code,
                        message,
                    });
                }
            }
        }
        Ok(failures)
    }

    /// Which of these ids are stored, and with what.
    pub(crate) async fn find_events(
        &self,
        collection: &'static str,
        ids: &[String],
    ) -> Result<HashMap<String, Stored>, SinkError> {
        let mut found = HashMap::with_capacity(ids.len());
        if ids.is_empty() {
            return Ok(found);
        }
        let reading = || SinkError::mongo("reading stored positions");
        let wanted = doc! { "_id": 1, "kafka": 1, "content_hash": 1 };
        let filter = doc! { "_id": { "$in": ids } };
        let mut cursor = self
            .collection(collection)
            .find(filter)
            .projection(wanted)
            .await
            .map_err(reading())?;
        while cursor.advance().await.map_err(reading())? {
            let document = cursor.current();
            let stored = stored_of(collection, document).map_err(SinkError::foreign(collection))?;
            let id = document.get_str("_id").map_err(SinkError::foreign(collection))?;
            found.insert(id.to_owned(), stored);
        }
        Ok(found)
    }

    /// The document at a position.
    pub(crate) async fn find_at(
        &self,
        collection: &'static str,
        position: &Position,
    ) -> Result<Option<RawDocumentBuf>, SinkError> {
        let filter = doc! {
            "kafka.topic": &position.topic,
            "kafka.generation": position.incarnation,
            "kafka.partition": position.partition,
            "kafka.offset": position.offset,
        };
        let found = self.collection(collection).find_one(filter).await;
        found.map_err(SinkError::mongo("looking for a position"))
    }

    /// Deletes documents by id; missing ones are ignored.
    pub(crate) async fn delete(&self, collection: &'static str, ids: &[&str]) -> Result<(), SinkError> {
        if ids.is_empty() {
            return Ok(());
        }
        let filter = doc! { "_id": { "$in": ids } };
        let deleted = self.collection(collection).delete_many(filter).await;
        deleted.map(drop).map_err(SinkError::mongo("deleting documents"))
    }

    /// The erased people.
    pub(crate) fn register(&self) -> Register {
        Register::of(&self.database)
    }

    /// The known incarnations of a topic, with their topic ids.
    pub(crate) async fn incarnations(&self, topic: &str) -> Result<Vec<(i32, String)>, SinkError> {
        const NAME: &str = collections::INCARNATIONS;
        let reading = || SinkError::mongo("reading incarnations");
        let mut cursor = self
            .collection(NAME)
            .find(doc! { "topic": topic })
            .await
            .map_err(reading())?;
        let mut known = Vec::new();
        while cursor.advance().await.map_err(reading())? {
            let document = cursor.current();
            let incarnation = document.get_i32("generation").map_err(SinkError::foreign(NAME))?;
            let topic_id = document.get_str("topic_id").map_err(SinkError::foreign(NAME))?;
            known.push((incarnation, topic_id.to_owned()));
        }
        Ok(known)
    }

    /// Opens an incarnation; false when another member has opened this number.
    pub(crate) async fn open_incarnation(
        &self,
        topic: &str,
        incarnation: i32,
        topic_id: &str,
        now: i64,
    ) -> Result<bool, SinkError> {
        let document = doc! {
            "_id": format!("{topic}/{incarnation}"),
            "topic": topic,
            "generation": incarnation,
            "topic_id": topic_id,
            "opened_at": bson::DateTime::from_millis(now),
        };
        let inserted = self
            .database
            .collection(collections::INCARNATIONS)
            .insert_one(document)
            .await;
        match inserted {
            Ok(_) => Ok(true),
            Err(error) if is_duplicate(&error) => Ok(false),
            Err(error) => Err(SinkError::mongo("opening an incarnation")(error)),
        }
    }
}

fn stored_of(collection: &str, document: &RawDocument) -> Result<Stored, bson::error::Error> {
    // The id of a dead letter contains everything.
    let content_hash = match collection {
        collections::DEAD_LETTERS => "",
        _ => document.get_str("content_hash")?,
    };
    Ok(Stored {
        position: Position::of_document(document)?,
        content_hash: content_hash.to_owned(),
    })
}
