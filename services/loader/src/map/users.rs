//! Versions of profiles.

use std::sync::Arc;

use super::fields::{Fields, as_uuid};
use super::guard;
use super::mapped::Mapped;
use crate::document::{Origin, Refusal, Rows, UserRow};

pub(super) fn map(fields: &Fields<'_>, origin: &Arc<Origin>) -> Result<Mapped, Refusal> {
    fields.position()?;
    let mut devices = Vec::new();
    for device in fields.array("devices")? {
        let device = device.map_err(|error| Refusal::unmappable(format!("devices: {error}")))?;
        devices.push(as_uuid("devices", device)?);
    }
    let row = UserRow {
        user_id: fields.uuid("user_id")?,
        event_id: fields.uuid("_id")?,
        synced_at: guard::synced_at(fields.millis("synced_at")?)?,
        created_at: guard::instant("created_at", fields.millis("created_at")?)?,
        email: fields.optional_text("email")?,
        date_of_birth: fields.optional_day("dob")?,
        gender: fields.optional_text("gender")?,
        height_cm: fields.optional_integer("height")?,
        max_heart_rate: fields.optional_integer("max_heart_rate")?,
        zone: fields.optional_text("zone")?,
        extra: fields.optional_json("extra")?,
        devices,
        origin: Arc::clone(origin),
    };
    Ok(Mapped::loaded(Rows::User(Box::new(row)), origin))
}
