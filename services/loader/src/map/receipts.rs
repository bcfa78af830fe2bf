//! Receipts: offsets that hold no new event.

use super::fields::{Fields, wrong};
use super::mapped::Mapped;
use crate::account::{Account, AccountKind};
use crate::document::{Refusal, Rows};

pub(super) fn map(fields: &Fields<'_>) -> Result<Mapped, Refusal> {
    let kind = match fields.text("kind")? {
        "duplicate" => AccountKind::Duplicate,
        "void" => AccountKind::Void,
        "erased" => AccountKind::Erased,
        _ => return Err(wrong("kind", "a kind of receipt")),
    };
    let position = fields.position()?;
    let last: i64 = fields.document("kafka")?.integer("last_offset")?;
    if last < position.offset || last == i64::MAX {
        return Err(wrong("kafka.last_offset", "at or after kafka.offset"));
    }
    let account = Account {
        to: last + 1,
        ..Account::one(&position, kind)
    };
    Ok(Mapped {
        rows: Rows::Nothing,
        account: Some(account),
        dead_letters: Vec::new(),
    })
}
