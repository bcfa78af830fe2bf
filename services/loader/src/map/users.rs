//! Versions of profiles.

use std::sync::Arc;

use super::fields::{Fields, as_uuid};
use super::guard;
use super::mapped::Mapped;
use crate::document::{Origin, Refusal, Rows, UserRow};

/// Fields with a column that a document may lack.
const OPTIONAL: [&str; 6] = ["email", "dob", "gender", "height", "max_heart_rate", "zone"];

/// A field that an older program put under `extra` moves to its column.
pub(super) fn map(fields: &Fields<'_>, origin: &Arc<Origin>) -> Result<Mapped, Refusal> {
    fields.position()?;
    let mut devices = Vec::new();
    for device in fields.array("devices")? {
        let device = device.map_err(|error| Refusal::unmappable(format!("devices: {error}")))?;
        devices.push(as_uuid("devices", device)?);
    }
    let extra = fields.extra()?;
    let lacks = |name: &str| matches!(fields.optional(name), Ok(None));
    let with = |name: &str| extra.as_ref().filter(|_| lacks(name)).unwrap_or(fields);
    let rest =
        |extra: &Fields<'_>| extra.json_without("extra", |name| OPTIONAL.contains(&name) && lacks(name));
    let row = UserRow {
        user_id: fields.uuid("user_id")?,
        event_id: fields.uuid("_id")?,
        synced_at: guard::synced_at(fields.millis("synced_at")?)?,
        created_at: guard::instant("created_at", fields.millis("created_at")?)?,
        email: with("email").optional_text("email")?,
        date_of_birth: with("dob").optional_day("dob")?,
        gender: with("gender").optional_text("gender")?,
        height_cm: with("height").optional_integer("height")?,
        max_heart_rate: with("max_heart_rate").optional_integer("max_heart_rate")?,
        zone: with("zone").optional_text("zone")?,
        extra: extra.as_ref().map(rest).transpose()?.flatten(),
        devices,
        origin: Arc::clone(origin),
    };
    Ok(Mapped::loaded(Rows::User(Box::new(row)), origin))
}
