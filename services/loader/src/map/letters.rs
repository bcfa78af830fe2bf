//! Dead letters of everybody, as they arrive through their collection.

use super::fields::Fields;
use super::{Mapped, Refusal, Rows};
use crate::account::{Account, Kind};
use crate::letter::Letter;

/// Origins that stand for a whole message of Kafka begin so.
const KAFKA_ORIGIN: &str = "kafka:";
/// Origins that name a record of a file: each letter is a message of its own in the topic of dead letters.
const FILE_ORIGIN: &str = "file:";
/// The item that stands for the whole upload.
const WHOLE: i32 = -1;

pub(super) fn map(fields: &Fields<'_>) -> Result<Mapped, Refusal> {
    let origin = fields.text("origin")?.to_owned();
    let item: i32 = fields.integer("item")?;
    let position = if fields.optional("kafka")?.is_some() {
        Some(fields.position()?)
    } else {
        None
    };
    // A letter of the loader was accounted when it was written: each offset counts once (P9).
    let counts = origin.starts_with(FILE_ORIGIN) || (item == WHOLE && origin.starts_with(KAFKA_ORIGIN));
    let account = position
        .as_ref()
        .filter(|_| counts)
        .map(|position| Account::one(position, Kind::Dead));
    let letter = Letter {
        origin,
        item,
        stream: fields.optional_text("stream")?,
        position,
        message_key: fields.optional_bytes("message_key")?,
        payload: fields.optional_bytes("payload")?,
        reason: fields.text("reason")?.to_owned(),
        detail: fields.optional_text("detail")?.unwrap_or_default(),
        program_version: fields.optional_text("program_version")?.unwrap_or_default(),
        created_at: fields.millis("created_at")?,
        is_stored: true,
    };
    Ok(Mapped {
        rows: Rows::Nothing,
        account,
        letters: vec![letter],
    })
}
