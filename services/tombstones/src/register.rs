//! The tombstones in MongoDB: one document per hash, and one with the key and a revision that rises with each erasure.

use std::collections::HashSet;

use bson::raw::{CStr, cstr};
use bson::spec::BinarySubtype;
use bson::{Binary, RawDocument, RawDocumentBuf, doc, rawdoc};
use futures_util::future::BoxFuture;
use pulseline_clients::mongo::{Collection, Database, Error, Find, is_there_already};
use pulseline_schemas::collections::FORGOTTEN;
use uuid::Uuid;

use crate::{Days, Key, Tombstone, Tombstones};

type Result<T> = std::result::Result<T, Error>;

/// The `_id` of the document with key and revision.
const REGISTER: &str = "register";
/// Fields of a tombstone of days: the hash of the device, the first day and the day after the last one since 1970-01-01. The
/// least and the greatest number stand for no bound.
const DEVICE: &CStr = cstr!("device");
const FROM: &CStr = cstr!("from_day");
const UNTIL: &CStr = cstr!("until_day");

/// The hashes of what was added.
#[derive(Clone, Debug, Default)]
pub struct Added {
    /// Of people and devices.
    pub hashes: Vec<Tombstone>,
    /// Of devices, with their erased days.
    pub days: Vec<(Tombstone, Days)>,
}

/// The collection of tombstones. Majority reads and writes: a visible revision implies visible hashes.
#[derive(Clone, Debug)]
pub struct Register {
    collection: Collection,
}

impl Register {
    /// The tombstones of this database; does not connect yet.
    #[must_use]
    pub fn of(database: &Database) -> Self {
        Self {
            collection: database.collection(FORGOTTEN),
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
                    let bytes = generic(&register, "key");
                    bytes.and_then(Key::from_bytes).ok_or_else(|| foreign("key"))
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
            let (mut hashes, mut days) = (HashSet::new(), Vec::new());
            let others = doc! { "_id": { "$ne": REGISTER } };
            let mut cursor = self.collection.find(others, Find::default()).await?;
            while let Some(batch) = cursor.next_batch().await? {
                for document in batch.documents()? {
                    let hash =
                        |field| generic(document, field).and_then(|hash| Tombstone::try_from(hash).ok());
                    let id = hash("_id").ok_or_else(|| foreign("_id"))?;
                    match hash(DEVICE.as_str()) {
                        Some(device) => days.push((device, days_of(document)?)),
                        None => {
                            hashes.insert(id);
                        }
                    }
                }
            }
            Ok(Tombstones::new(key, hashes).with_days(days))
        })
    }

    /// Writes tombstones of people and devices, and of days of devices that belong to another person on other days. Returns
    /// their hashes. Afterwards every sink that reads the revision learns of them.
    ///
    /// # Errors
    /// As [`Register::revision`].
    pub fn add<'a>(&'a self, ids: &'a [Uuid], days: &'a [(Uuid, Days)]) -> BoxFuture<'a, Result<Added>> {
        Box::pin(async move {
            let key = match self.key().await? {
                Some(key) => key,
                None => self.make_key().await?,
            };
            let hashes: Vec<Tombstone> = ids.iter().map(|id| key.hash(*id)).collect();
            let now = bson::DateTime::now();
            let of_hash = |hash: &Tombstone| rawdoc! { "_id": binary(hash), "erased_at": now };
            let of_days = |(device, days): &(Uuid, Days)| {
                let mut document = of_hash(&key.hash_of_days(*device, days));
                document.append(DEVICE, binary(&key.hash(*device)));
                document.append(FROM, days.start);
                document.append(UNTIL, days.end);
                document
            };
            let documents = hashes.iter().map(of_hash);
            let documents: Vec<RawDocumentBuf> = documents.chain(days.iter().map(of_days)).collect();
            self.collection.insert_missing(&documents).await?;
            let days = days
                .iter()
                .map(|(device, days)| (key.hash(*device), days.clone()));
            let days = days.collect();
            // After the hashes: a visible revision implies them.
            let rise = doc! { "$inc": { "revision": 1_i64 } };
            self.collection.update_one(doc! { "_id": REGISTER }, rise).await?;
            Ok(Added { hashes, days })
        })
    }

    /// Of two concurrent writers, the first one's key wins.
    async fn make_key(&self) -> Result<Key> {
        let register =
            rawdoc! { "_id": REGISTER, "key": binary(Key::random().as_bytes()), "revision": 0_i64 };
        if let Err(error) = self.collection.insert_one(&register).await
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

/// The bytes of a field, of no special kind.
fn generic(document: &RawDocument, field: impl AsRef<str>) -> Option<&[u8]> {
    let binary = document.get_binary(field).ok()?;
    (binary.subtype == BinarySubtype::Generic).then_some(binary.bytes)
}

fn days_of(document: &RawDocument) -> Result<Days> {
    let day = |field: &CStr| {
        let day = document.get_i32(field);
        day.map_err(|_| foreign(field.as_str()))
    };
    Ok(day(FROM)?..day(UNTIL)?)
}

fn foreign(field: &str) -> Error {
    Error::custom(format!("{FORGOTTEN}: a document has no valid {field}"))
}
