//! MongoDB itself.

use std::collections::HashMap;

use bson::{RawDocumentBuf, doc, rawdoc};
use pulseline_clients::mongo::{self, Database, Error, ErrorKind, Fault, Find, fault_of, is_duplicate};
use pulseline_runtime::config::MongoConfig;
use pulseline_schemas::pages::Order;
use pulseline_schemas::{Position, Stream, collections};
use pulseline_tombstones::{Register, Tombstones};

use crate::duplicates::Stored;
use crate::error::{Reply, SinkError};
use crate::event_store::{EventStore, Failure, stored_of};

/// Name of the unique index on positions.
const POSITION_INDEX: &str = "kafka_position";

/// The database of events.
#[derive(Clone, Debug)]
pub(crate) struct MongoStore {
    database: Database,
    /// The erased people.
    register: Register,
}

impl MongoStore {
    /// Creates a client of the database; sends nothing yet.
    pub(crate) async fn open(config: &MongoConfig) -> Result<Self, SinkError> {
        let database = mongo::open(config, "pulseline-sink").await?;
        let register = Register::of(&database);
        Ok(Self { database, register })
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
            let collection = self.database.collection(name);
            let created = collection.create_unique_index(POSITION_INDEX, keys).await;
            created.map_err(SinkError::mongo("creating an index"))?;
        }
        Ok(())
    }

    /// Creates the indexes in whose order bulk readers read (P20): a whole collection, and one device of it.
    /// Writes never wait for them; on a large collection they take long.
    pub(crate) async fn ensure_reading_indexes(&self) -> Result<(), SinkError> {
        for stream in Stream::ALL {
            for keys in Order::of(stream).indexes() {
                let collection = self.database.collection(stream.collection());
                let created = collection.create_index(keys).await;
                created.map_err(SinkError::mongo("creating an index"))?;
            }
        }
        Ok(())
    }
}

impl EventStore for MongoStore {
    fn insert<'a>(
        &'a self,
        collection: &'static str,
        documents: &'a [RawDocumentBuf],
    ) -> Reply<'a, Vec<Failure>> {
        Box::pin(async move {
            if documents.is_empty() {
                return Ok(Vec::new());
            }
            match self.database.collection(collection).insert_many(documents).await {
                Ok(()) => Ok(Vec::new()),
                Err(error) => failures(collection, error),
            }
        })
    }

    fn find_events<'a>(
        &'a self,
        collection: &'static str,
        ids: &'a [String],
    ) -> Reply<'a, HashMap<String, Stored>> {
        Box::pin(async move {
            let mut found = HashMap::with_capacity(ids.len());
            if ids.is_empty() {
                return Ok(found);
            }
            let reading = || SinkError::mongo("reading stored positions");
            let wanted = Find {
                projection: Some(doc! { "_id": 1, "kafka": 1, "content_hash": 1 }),
                ..Find::default()
            };
            let asked = self.database.collection(collection);
            let cursor = asked.find(doc! { "_id": { "$in": ids } }, wanted).await;
            for document in cursor.map_err(reading())?.all().await.map_err(reading())? {
                let stored = stored_of(collection, &document).map_err(SinkError::foreign(collection))?;
                let id = document.get_str("_id").map_err(SinkError::foreign(collection))?;
                found.insert(id.to_owned(), stored);
            }
            Ok(found)
        })
    }

    fn find_at<'a>(
        &'a self,
        collection: &'static str,
        position: &'a Position,
    ) -> Reply<'a, Option<RawDocumentBuf>> {
        Box::pin(async move {
            let filter = doc! {
                "kafka.topic": &position.topic,
                "kafka.generation": position.incarnation,
                "kafka.partition": position.partition,
                "kafka.offset": position.offset,
            };
            let found = self.database.collection(collection).find_one(filter).await;
            found.map_err(SinkError::mongo("looking for a position"))
        })
    }

    fn delete<'a>(&'a self, collection: &'static str, ids: &'a [&'a str]) -> Reply<'a, ()> {
        Box::pin(async move {
            if ids.is_empty() {
                return Ok(());
            }
            let filter = doc! { "_id": { "$in": ids } };
            let deleted = self.database.collection(collection).delete_many(filter).await;
            deleted.map(drop).map_err(SinkError::mongo("deleting documents"))
        })
    }

    fn incarnations<'a>(&'a self, topic: &'a str) -> Reply<'a, Vec<(i32, String)>> {
        const NAME: &str = collections::INCARNATIONS;
        Box::pin(async move {
            let reading = || SinkError::mongo("reading incarnations");
            let asked = self.database.collection(NAME);
            let cursor = asked.find(doc! { "topic": topic }, Find::default()).await;
            let mut known = Vec::new();
            for document in cursor.map_err(reading())?.all().await.map_err(reading())? {
                let incarnation = document.get_i32("generation").map_err(SinkError::foreign(NAME))?;
                let topic_id = document.get_str("topic_id").map_err(SinkError::foreign(NAME))?;
                known.push((incarnation, topic_id.to_owned()));
            }
            Ok(known)
        })
    }

    fn open_incarnation<'a>(
        &'a self,
        topic: &'a str,
        incarnation: i32,
        topic_id: &'a str,
        now: i64,
    ) -> Reply<'a, bool> {
        Box::pin(async move {
            let document = rawdoc! {
                "_id": format!("{topic}/{incarnation}"),
                "topic": topic,
                "generation": incarnation,
                "topic_id": topic_id,
                "opened_at": bson::DateTime::from_millis(now),
            };
            let incarnations = self.database.collection(collections::INCARNATIONS);
            match incarnations.insert_one(&document).await {
                Ok(()) => Ok(true),
                Err(error) if is_duplicate(&error) => Ok(false),
                Err(error) => Err(SinkError::mongo("opening an incarnation")(error)),
            }
        })
    }

    fn erasure_revision(&self) -> Reply<'_, i64> {
        Box::pin(async {
            let revision = self.register.revision().await;
            revision.map_err(SinkError::mongo("asking who was erased"))
        })
    }

    fn tombstones(&self) -> Reply<'_, Tombstones> {
        Box::pin(async {
            let tombstones = self.register.read().await;
            tombstones.map_err(SinkError::mongo("asking who was erased"))
        })
    }
}

/// The documents that were refused for their own content; an error when the insert itself failed.
fn failures(collection: &'static str, error: Error) -> Result<Vec<Failure>, SinkError> {
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
