//! Dead letters of every program, as they arrive through their collection.

use super::fields::Fields;
use super::guard;
use super::mapped::Mapped;
use crate::account::{Account, AccountKind};
use crate::dead_letter::{DeadLetter, Stage};
use crate::document::{Refusal, Rows};

/// A dead letter is never refused for its texts: characters that no store accepts are replaced, and its offset is dead.
pub(super) fn map(fields: &Fields<'_>, now: i64) -> Result<Mapped, Refusal> {
    let origin = fields.any_text("origin")?.to_owned();
    let optional = |key: &str| -> Result<Option<String>, Refusal> {
        let text = fields.optional(key)?.map(|_| fields.any_text(key));
        Ok(text.transpose()?.map(str::to_owned))
    };
    let item: i32 = fields.integer("item")?;
    let position = if fields.optional("kafka")?.is_some() {
        Some(fields.position()?)
    } else {
        None
    };
    let dead_letter = DeadLetter {
        origin,
        item,
        stream: optional("stream")?,
        position,
        message_key: fields.optional_bytes("message_key")?,
        payload: fields.optional_bytes("payload")?,
        reason: fields.any_text("reason")?.to_owned(),
        detail: optional("detail")?.unwrap_or_default(),
        program_version: optional("program_version")?.unwrap_or_default(),
        created_at: guard::instant("created_at", fields.millis("created_at")?).unwrap_or(now),
        stage: Stage::Given,
    }
    .storable();
    // A dead letter of the loader was accounted when it was written: each offset counts once (P9).
    let position = dead_letter
        .position
        .as_ref()
        .filter(|_| dead_letter.holds_offset());
    let account = position.map(|position| Account::one(position, AccountKind::Dead));
    Ok(Mapped {
        rows: Rows::Nothing,
        account,
        dead_letters: vec![dead_letter],
    })
}
