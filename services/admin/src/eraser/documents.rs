//! MongoDB: deletes documents and leaves a receipt at each of their offsets, so that accounting has no hole (P13).

use bson::{Document, RawDocument, RawDocumentBuf, doc};
use jiff::Timestamp;
use pulseline_clients::mongo::{Collection, Database, Find};
use pulseline_schemas::ownership::{Left, is_dead_letter_of, without_days};
use pulseline_schemas::{Origin, Owner, Position, ReceiptDocument, Stream, UtcMillis, collections};
use pulseline_tombstones::{Days, hold_day};

use crate::eraser::error::EraserError;
use crate::eraser::person::Person;
use crate::eraser::report::Count;

/// Documents deleted at a time.
const CHUNK: usize = 1_000;

/// A person's documents.
pub(crate) struct Documents<'a> {
    database: &'a Database,
    devices: Vec<String>,
    user: String,
    /// Ids that a dead letter's key or bytes may contain.
    texts: Vec<String>,
    /// Devices that belong to another person on other days, with the person's days.
    passed_on: Vec<(String, Vec<Days>)>,
}

impl<'a> Documents<'a> {
    pub(crate) fn of(database: &'a Database, person: &Person) -> Self {
        let text = |id: &uuid::Uuid| id.hyphenated().to_string();
        Self {
            database,
            devices: person.devices.iter().map(text).collect(),
            user: text(&person.user),
            texts: person.texts(),
            passed_on: person
                .passed_on
                .iter()
                .filter(|passed_on| !passed_on.days.is_empty())
                .map(|passed_on| (text(&passed_on.device), passed_on.days.clone()))
                .collect(),
        }
    }

    fn filter(&self, stream: Stream) -> Document {
        match stream.owner() {
            Owner::Device => doc! { "device_id": { "$in": &self.devices } },
            Owner::User => doc! { "user_id": &self.user },
        }
    }

    /// Deletes uploads and dead letters, not yet the profile.
    pub(crate) async fn remove(&self, note: &mut (dyn FnMut(Count) + Send)) -> Result<(), EraserError> {
        for stream in Stream::ALL
            .into_iter()
            .filter(|stream| stream.owner() == Owner::Device)
        {
            let whole = self.remove_stream(stream).await?;
            let of_days = self.remove_days(stream).await?;
            note(counted(stream.collection(), whole.count + of_days));
        }
        note(self.remove_dead_letters().await?);
        Ok(())
    }

    /// Deletes the profile's versions.
    pub(crate) async fn remove_profile(
        &self,
        note: &mut (dyn FnMut(Count) + Send),
    ) -> Result<(), EraserError> {
        for stream in Stream::ALL
            .into_iter()
            .filter(|stream| stream.owner() == Owner::User)
        {
            note(self.remove_stream(stream).await?);
        }
        Ok(())
    }

    async fn remove_stream(&self, stream: Stream) -> Result<Count, EraserError> {
        let name = stream.collection();
        let collection = self.database.collection(name);
        let mut count = 0;
        loop {
            let wanted = Find {
                projection: Some(doc! { "_id": 1, "kafka": 1 }),
                limit: Some(i64::try_from(CHUNK).unwrap_or(i64::MAX)),
                ..Find::default()
            };
            let some = collection.find(self.filter(stream), wanted).await?.all().await?;
            if some.is_empty() {
                return Ok(counted(name, count));
            }
            let positions: Result<Vec<Position>, EraserError> =
                some.iter().map(|document| position(name, document)).collect();
            self.receipts(&positions?).await?;
            count += delete(&collection, &some).await?;
        }
    }

    /// Deletes the person's days of devices that were passed on; a document that has other days too is kept without them.
    async fn remove_days(&self, stream: Stream) -> Result<u64, EraserError> {
        let collection = self.database.collection(stream.collection());
        let mut count = 0;
        for (device, days) in &self.passed_on {
            let mut documents = collection
                .find(doc! { "device_id": device }, Find::default())
                .await?;
            while let Some(batch) = documents.next_batch().await? {
                let mut gone = Vec::new();
                for document in batch.documents()? {
                    match without_days(stream, document, |day| hold_day(days, day)) {
                        Left::All => {}
                        Left::Nothing => gone.push(without_bytes(document)),
                        Left::Part(part) => {
                            shorten(&collection, &part).await?;
                            count += 1;
                        }
                    }
                }
                let positions: Result<Vec<Position>, EraserError> = gone
                    .iter()
                    .map(|document| position(collection.name(), document))
                    .collect();
                self.receipts(&positions?).await?;
                count += delete(&collection, &gone).await?;
            }
        }
        Ok(count)
    }

    /// How many documents hold the person's days of devices that were passed on.
    async fn search_days(&self, stream: Stream) -> Result<u64, EraserError> {
        let collection = self.database.collection(stream.collection());
        let mut count = 0;
        for (device, days) in &self.passed_on {
            let mut documents = collection
                .find(doc! { "device_id": device }, Find::default())
                .await?;
            while let Some(batch) = documents.next_batch().await? {
                let has_days = |document: &&RawDocument| {
                    without_days(stream, document, |day| hold_day(days, day)) != Left::All
                };
                count += batch.documents()?.into_iter().filter(has_days).count() as u64;
            }
        }
        Ok(count)
    }

    /// Dead letters are few, and their bytes may contain the ids too: they are read one by one.
    async fn remove_dead_letters(&self) -> Result<Count, EraserError> {
        let name = collections::DEAD_LETTERS;
        let dead_letters = self.dead_letters().await?;
        let offsets = dead_letters
            .iter()
            .filter(|dead_letter| holds_offset(dead_letter));
        let positions: Result<Vec<Position>, EraserError> =
            offsets.map(|dead_letter| position(name, dead_letter)).collect();
        self.receipts(&positions?).await?;
        let mut count = 0;
        for some in dead_letters.chunks(CHUNK) {
            count += delete(&self.database.collection(name), some).await?;
        }
        Ok(counted(name, count))
    }

    /// The person's dead letters, without their bytes.
    async fn dead_letters(&self) -> Result<Vec<RawDocumentBuf>, EraserError> {
        let collection = self.database.collection(collections::DEAD_LETTERS);
        let mut cursor = collection.find(doc! {}, Find::default()).await?;
        let mut found = Vec::new();
        while let Some(batch) = cursor.next_batch().await? {
            let dead_letters = batch.documents()?.into_iter();
            let of_person = dead_letters.filter(|dead_letter| self.is_named_in(dead_letter));
            found.extend(of_person.map(without_bytes));
        }
        Ok(found)
    }

    fn is_named_in(&self, dead_letter: &RawDocument) -> bool {
        let names = |text: &String| names(dead_letter, text);
        let is_of = |days: &[Days]| {
            let stream = dead_letter.get_str("stream").ok().and_then(Stream::from_name);
            let payload = dead_letter.get_binary("payload").ok();
            let made_at = dead_letter.get_datetime("created_at");
            let made_at = made_at.map_or(0, bson::DateTime::timestamp_millis);
            is_dead_letter_of(
                stream,
                payload.map(|payload| payload.bytes),
                UtcMillis(made_at),
                |day| hold_day(days, day),
            )
        };
        let passed_on = |(device, days): &(String, Vec<Days>)| names(device) && is_of(days);
        self.texts.iter().any(names) || self.passed_on.iter().any(passed_on)
    }

    /// Writes receipts before a document is deleted; an existing one says the same, or belongs to the same offset.
    async fn receipts(&self, positions: &[Position]) -> Result<(), EraserError> {
        let now = UtcMillis(Timestamp::now().as_millisecond());
        let receipt = |position: &Position| {
            let receipt = ReceiptDocument {
                id: &position.to_string(),
                kind: "erased",
                event_id: None,
                position,
                last: position.offset,
            };
            receipt.stored(now)
        };
        let collection = self.database.collection(collections::RECEIPTS);
        for some in positions.chunks(CHUNK) {
            let receipts: Vec<RawDocumentBuf> = some.iter().map(receipt).collect();
            collection.insert_missing(&receipts).await?;
        }
        Ok(())
    }

    /// The person's remaining documents.
    pub(crate) async fn search(&self) -> Result<Vec<Count>, EraserError> {
        let mut found = Vec::new();
        for stream in Stream::ALL {
            let collection = self.database.collection(stream.collection());
            let count = collection.count_documents(self.filter(stream)).await?;
            let of_days = match stream.owner() {
                Owner::Device => self.search_days(stream).await?,
                Owner::User => 0,
            };
            found.push(counted(stream.collection(), count + of_days));
        }
        found.push(counted(
            collections::DEAD_LETTERS,
            self.dead_letters().await?.len() as u64,
        ));
        found.retain(|count| count.count > 0);
        Ok(found)
    }
}

fn counted(collection: &str, count: u64) -> Count {
    Count {
        place: format!("MongoDB {collection}"),
        count,
    }
}

/// True when a dead letter holds this id, in its key or in its bytes.
fn names(dead_letter: &RawDocument, text: &str) -> bool {
    ["message_key", "payload"].iter().any(|field| {
        let bytes = dead_letter.get_binary(field).map(|binary| binary.bytes);
        bytes.is_ok_and(|bytes| contains(bytes, text.as_bytes()))
    })
}

/// Keeps only these samples of a document. Its hash stays that of the message, so that a later delivery is recognised.
async fn shorten(collection: &Collection, part: &RawDocument) -> Result<(), EraserError> {
    let foreign = |error: &bson::error::Error| foreign(collection.name(), error);
    let (id, samples) = (part.get_str("_id"), part.get_array("metrics"));
    let samples = samples.map_err(|error| foreign(&error))?;
    let samples = bson::Bson::try_from(bson::RawBsonRef::Array(samples)).map_err(|error| foreign(&error))?;
    let of_document = doc! { "_id": id.map_err(|error| foreign(&error))? };
    let kept = doc! { "$set": { "metrics": samples } };
    Ok(collection.update_one(of_document, kept).await?)
}

async fn delete(collection: &Collection, documents: &[RawDocumentBuf]) -> Result<u64, EraserError> {
    let ids = documents
        .iter()
        .filter_map(|document| document.get("_id").ok().flatten());
    let ids: Result<Vec<bson::Bson>, _> = ids.map(bson::Bson::try_from).collect();
    let ids = ids.map_err(|error| foreign(collection.name(), &error))?;
    Ok(collection.delete_many(doc! { "_id": { "$in": ids } }).await?)
}

/// True when a receipt has to replace the dead letter.
fn holds_offset(dead_letter: &RawDocument) -> bool {
    let origin = Origin::read(dead_letter.get_str("origin").unwrap_or_default());
    origin.holds_offset(dead_letter.get_i32("item").unwrap_or_default())
}

fn without_bytes(dead_letter: &RawDocument) -> RawDocumentBuf {
    let mut kept = RawDocumentBuf::new();
    for element in dead_letter.iter().flatten() {
        let (name, value) = element;
        if ["_id", "origin", "item", "kafka"].contains(&name.as_str()) {
            kept.append(name, value);
        }
    }
    kept
}

fn position(collection: &str, document: &RawDocument) -> Result<Position, EraserError> {
    Position::of_document(document).map_err(|error| foreign(collection, &error))
}

fn foreign(collection: &str, error: &bson::error::Error) -> EraserError {
    EraserError::Foreign {
        collection: collection.to_owned(),
        reason: error.to_string(),
    }
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
