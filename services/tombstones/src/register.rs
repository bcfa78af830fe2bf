//! The tombstones in MongoDB: one document per hash, and one with the key and a revision that rises with each erasure.

use std::collections::HashSet;

use bson::spec::BinarySubtype;
use bson::{Binary, Document, doc};
use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use mongodb::error::{Error, ErrorKind, Result};
use mongodb::options::{CollectionOptions, ReadConcern, WriteConcern};
use mongodb::{Collection, Database};
use pulseline_clients::mongo::{Fault, fault_of};
use pulseline_schemas::collections::FORGOTTEN;
use uuid::Uuid;

use crate::{Key, Tombstone, Tombstones};

/// The `_id` of the document with key and revision.
const REGISTER: &str = "register";

/// The collection of tombstones. Majority reads and writes: a visible revision implies visible hashes.
#[derive(Clone, Debug)]
pub struct Register {
    collection: Collection<Document>,
}

impl Register {
    /// The tombstones of this database; does not connect yet.
    #[must_use]
    pub fn of(database: &Database) -> Self {
        let options = CollectionOptions::builder()
            .read_concern(ReadConcern::majority())
            .write_concern(WriteConcern::majority())
            .build();
        Self {
            collection: database.collection_with_options(FORGOTTEN, options),
        }
    }

    /// The revision: rises with every erasure; 0 before the first.
    ///
    /// # Errors
    /// The server's error, or an invalid register.
    pub fn revision(&self) -> BoxFuture<'_, Result<i64>> {
        Box::pin(async move {
            let found = self.collection.find_one(doc! { "_id": REGISTER }).await?;
            found.map_or(Ok(0), |register| {
                register.get_i64("revision").map_err(|_| foreign("revision"))
            })
        })
    }

    /// The key of the hashes; none before the first erasure.
    ///
    /// # Errors
    /// As [`Register::revision`].
    pub fn key(&self) -> BoxFuture<'_, Result<Option<Key>>> {
        Box::pin(async move {
            let found = self.collection.find_one(doc! { "_id": REGISTER }).await?;
            found
                .map(|register| {
                    let bytes = register.get_binary_generic("key").ok();
                    bytes
                        .and_then(|bytes| Key::from_bytes(bytes))
                        .ok_or_else(|| foreign("key"))
                })
                .transpose()
        })
    }

    /// All tombstones.
    ///
    /// # Errors
    /// As [`Register::revision`].
    pub fn read(&self) -> BoxFuture<'_, Result<Tombstones>> {
        Box::pin(async move {
            let Some(key) = self.key().await? else {
                return Ok(Tombstones::default());
            };
            let mut hashes = HashSet::new();
            let mut cursor = self.collection.find(doc! { "_id": { "$ne": REGISTER } }).await?;
            while let Some(document) = cursor.try_next().await? {
                let hash = document.get_binary_generic("_id").ok();
                let hash = hash.and_then(|hash| Tombstone::try_from(hash.as_slice()).ok());
                hashes.insert(hash.ok_or_else(|| foreign("_id"))?);
            }
            Ok(Tombstones::new(key, hashes))
        })
    }

    /// Writes tombstones and returns their hashes. Afterwards every sink that reads the revision learns of them.
    ///
    /// # Errors
    /// As [`Register::revision`].
    pub fn add<'a>(&'a self, ids: &'a [Uuid]) -> BoxFuture<'a, Result<Vec<Tombstone>>> {
        Box::pin(async move {
            let key = match self.key().await? {
                Some(key) => key,
                None => self.make_key().await?,
            };
            let hashes: Vec<Tombstone> = ids.iter().map(|id| key.hash(*id)).collect();
            let documents = hashes
                .iter()
                .map(|hash| doc! { "_id": binary(hash), "erased_at": bson::DateTime::now() });
            let inserted = self.collection.insert_many(documents).ordered(false).await;
            if let Err(error) = inserted
                && !is_there_already(&error)
            {
                return Err(error);
            }
            // After the hashes: a visible revision implies them.
            let rise = doc! { "$inc": { "revision": 1_i64 } };
            self.collection.update_one(doc! { "_id": REGISTER }, rise).await?;
            Ok(hashes)
        })
    }

    /// Of two concurrent writers, the first one's key wins.
    async fn make_key(&self) -> Result<Key> {
        let register = doc! { "_id": REGISTER, "key": binary(Key::random().as_bytes()), "revision": 0_i64 };
        if let Err(error) = self.collection.insert_one(register).await
            && !is_there_already(&error)
        {
            return Err(error);
        }
        self.key().await?.ok_or_else(|| foreign("key"))
    }
}

fn binary(bytes: &[u8]) -> Binary {
    Binary {
        subtype: BinarySubtype::Generic,
        bytes: bytes.to_vec(),
    }
}

fn foreign(field: &str) -> Error {
    Error::custom(format!("{FORGOTTEN}: a document has no valid {field}"))
}

/// True when a write failed only because its documents exist: their ids are their content.
#[must_use]
pub fn is_there_already(error: &Error) -> bool {
    match error.kind.as_ref() {
        ErrorKind::InsertMany(many) => {
            many.write_concern_error.is_none()
                && many
                    .write_errors
                    .as_ref()
                    .is_some_and(|errors| errors.iter().all(|one| is_taken(one.code)))
        }
        ErrorKind::Write(mongodb::error::WriteFailure::WriteError(one)) => is_taken(one.code),
        _ => false,
    }
}

fn is_taken(code: i32) -> bool {
    fault_of(code) == Fault::Duplicate
}
