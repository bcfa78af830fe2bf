//! MongoDB in memory: `_id` is unique, and so is the position in collections of events and receipts.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use bson::{Document, RawDocumentBuf};
use pulseline_clients::mongo::Fault;
use pulseline_schemas::{Position, collections};
use pulseline_tombstones::{Days, Key, Tombstone, Tombstones};
use uuid::Uuid;

use super::script::Script;
use crate::duplicates::Stored;
use crate::error::{Reply, SinkError};
use crate::event_store::{EventStore, Failure, stored_of};

/// A kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Call {
    Insert(&'static str),
    FindEvents,
    FindAt,
    Delete,
    Incarnations,
    OpenIncarnation,
    ErasureRevision,
    Tombstones,
}

/// What is stored.
#[derive(Default)]
pub(crate) struct Documents {
    collections: HashMap<&'static str, Vec<RawDocumentBuf>>,
    /// (topic, incarnation, topic id).
    incarnations: Vec<(String, i32, String)>,
    /// Ids of documents that a validator refuses.
    refused: HashSet<String>,
    erased: HashSet<Tombstone>,
    erased_days: Vec<(Tombstone, Days)>,
}

impl Documents {
    /// The ids of a collection, in order.
    pub(crate) fn ids(&self, collection: &str) -> Vec<String> {
        let documents = self.collections.get(collection).into_iter().flatten();
        let mut ids: Vec<String> = documents.map(id_of).collect();
        ids.sort_unstable();
        ids
    }

    fn insert(&mut self, collection: &'static str, document: &RawDocumentBuf) -> Option<(Fault, i32)> {
        if self.refused.contains(&id_of(document)) {
            return Some((Fault::Document, 121));
        }
        let stored = self.collections.entry(collection).or_default();
        let is_positional = collection != collections::DEAD_LETTERS;
        let is_taken = stored.iter().any(|other| {
            id_of(other) == id_of(document) || (is_positional && position_of(other) == position_of(document))
        });
        if is_taken {
            return Some((Fault::Duplicate, 11_000));
        }
        stored.push(document.clone());
        None
    }
}

fn id_of(document: &RawDocumentBuf) -> String {
    document.get_str("_id").unwrap().to_owned()
}

fn position_of(document: &RawDocumentBuf) -> Position {
    Position::of_document(document).unwrap()
}

/// A store that follows a script.
pub(crate) struct ScriptedStore {
    pub(crate) script: Script<Call>,
    documents: Mutex<Documents>,
    key: Key,
}

impl ScriptedStore {
    pub(super) fn new() -> Self {
        let outage = || SinkError::mongo("scripted")(std::io::ErrorKind::ConnectionReset.into());
        Self {
            script: Script::new(outage),
            documents: Mutex::default(),
            key: Key::random(),
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Documents) -> T) -> T {
        change(&mut self.documents.lock().unwrap())
    }

    /// The ids of a collection, in order.
    pub(crate) fn ids(&self, collection: &str) -> Vec<String> {
        self.documents.lock().unwrap().ids(collection)
    }

    /// The document with this id.
    pub(crate) fn document(&self, collection: &str, id: &str) -> Document {
        let documents = self.documents.lock().unwrap();
        let mut found = documents.collections[collection].iter();
        let found = found.find(|document| id_of(document) == id).unwrap();
        Document::try_from(found.clone()).unwrap()
    }

    /// The offsets of a partition that are accounted for, in order: by documents, receipts and dead letters.
    pub(crate) fn accounted(&self, partition: i32) -> Vec<i64> {
        let documents = self.documents.lock().unwrap();
        let mut offsets: Vec<i64> = Vec::new();
        for document in documents.collections.values().flatten() {
            let position = position_of(document);
            if position.partition == partition {
                let kafka = document.get_document("kafka").unwrap();
                let last = kafka.get_i64("last_offset").unwrap_or(position.offset);
                offsets.extend(position.offset..=last);
            }
        }
        offsets.sort_unstable();
        offsets
    }

    /// A document that an earlier program stored.
    pub(crate) fn put(&self, collection: &'static str, document: &RawDocumentBuf) {
        let refused = self.change(|documents| documents.insert(collection, document));
        assert_eq!(refused, None);
    }

    /// A validator refuses the document with this id.
    pub(crate) fn refuse(&self, id: &str) {
        self.change(|documents| documents.refused.insert(id.to_owned()));
    }

    /// Erases a person or a device.
    pub(crate) fn erase(&self, id: Uuid) {
        self.change(|documents| documents.erased.insert(self.key.hash(id)));
    }

    /// Erases days of a device that belongs to another person on other days.
    pub(crate) fn erase_days(&self, device: Uuid, days: Days) {
        self.change(|documents| documents.erased_days.push((self.key.hash(device), days)));
    }

    /// Another member opens an incarnation.
    pub(crate) fn open(&self, topic: &str, incarnation: i32, topic_id: &str) -> bool {
        self.change(|documents| {
            let known = &mut documents.incarnations;
            let is_new = !known
                .iter()
                .any(|(name, number, _)| name == topic && *number == incarnation);
            if is_new {
                known.push((topic.to_owned(), incarnation, topic_id.to_owned()));
            }
            is_new
        })
    }

    /// The incarnations of all topics.
    pub(crate) fn opened(&self) -> Vec<(String, i32, String)> {
        self.documents.lock().unwrap().incarnations.clone()
    }
}

impl EventStore for ScriptedStore {
    fn insert<'a>(
        &'a self,
        collection: &'static str,
        documents: &'a [RawDocumentBuf],
    ) -> Reply<'a, Vec<Failure>> {
        if documents.is_empty() {
            return Box::pin(async { Ok(Vec::new()) });
        }
        Box::pin(async move {
            let insert = |stored: &mut Documents| {
                let mut failures = Vec::new();
                for (index, document) in documents.iter().enumerate() {
                    if let Some((fault, code)) = stored.insert(collection, document) {
                        failures.push(Failure {
                            index,
                            fault,
                            code,
                            message: "scripted".into(),
                        });
                    }
                }
                failures
            };
            let call = Call::Insert(collection);
            self.script.play(call, || self.change(insert)).await
        })
    }

    fn find_events<'a>(
        &'a self,
        collection: &'static str,
        ids: &'a [String],
    ) -> Reply<'a, HashMap<String, Stored>> {
        if ids.is_empty() {
            return Box::pin(async { Ok(HashMap::new()) });
        }
        Box::pin(self.script.play(Call::FindEvents, move || {
            let documents = self.documents.lock().unwrap();
            let stored = documents.collections.get(collection).into_iter().flatten();
            let wanted = stored.filter(|document| ids.contains(&id_of(document)));
            wanted
                .map(|document| (id_of(document), stored_of(collection, document).unwrap()))
                .collect()
        }))
    }

    fn find_at<'a>(
        &'a self,
        collection: &'static str,
        position: &'a Position,
    ) -> Reply<'a, Option<RawDocumentBuf>> {
        Box::pin(self.script.play(Call::FindAt, move || {
            let documents = self.documents.lock().unwrap();
            let mut stored = documents.collections.get(collection).into_iter().flatten();
            stored
                .find(|document| position_of(document) == *position)
                .cloned()
        }))
    }

    fn delete<'a>(&'a self, collection: &'static str, ids: &'a [&'a str]) -> Reply<'a, ()> {
        if ids.is_empty() {
            return Box::pin(async { Ok(()) });
        }
        Box::pin(self.script.play(Call::Delete, move || {
            self.change(|documents| {
                let stored = documents.collections.entry(collection).or_default();
                stored.retain(|document| !ids.contains(&id_of(document).as_str()));
            });
        }))
    }

    fn incarnations<'a>(&'a self, topic: &'a str) -> Reply<'a, Vec<(i32, String)>> {
        Box::pin(self.script.play(Call::Incarnations, move || {
            let opened = self.opened().into_iter();
            let of_topic = opened.filter(|(name, ..)| name == topic);
            of_topic.map(|(_, number, topic_id)| (number, topic_id)).collect()
        }))
    }

    fn open_incarnation<'a>(
        &'a self,
        topic: &'a str,
        incarnation: i32,
        topic_id: &'a str,
        _: i64,
    ) -> Reply<'a, bool> {
        let open = move || self.open(topic, incarnation, topic_id);
        Box::pin(self.script.play(Call::OpenIncarnation, open))
    }

    fn erasure_revision(&self) -> Reply<'_, i64> {
        let revision = || {
            let documents = self.documents.lock().unwrap();
            (documents.erased.len() + documents.erased_days.len()) as i64
        };
        Box::pin(self.script.play(Call::ErasureRevision, revision))
    }

    fn tombstones(&self) -> Reply<'_, Tombstones> {
        let tombstones = || {
            let documents = self.documents.lock().unwrap();
            let tombstones = Tombstones::new(self.key.clone(), documents.erased.clone());
            tombstones.with_days(documents.erased_days.clone())
        };
        Box::pin(self.script.play(Call::Tombstones, tombstones))
    }
}
