//! Profiles of the reference store, with their original ids.

use pulseline_schemas::{Event, User, UtcMillis};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::other::Others;
use super::store::id_text;
use super::{Context, Out, Reading, Unknown, parse};
use crate::identity::given_id;
use crate::value::{Number, Refusal, Stamp, list_of_text};

#[derive(Debug, Deserialize)]
struct Profile {
    user_id: Option<Value>,
    #[serde(default)]
    created_at: Stamp,
    email: Option<String>,
    #[serde(default)]
    dob: Stamp,
    gender: Option<String>,
    #[serde(default)]
    height: Number,
    #[serde(default)]
    max_heart_rate: Number,
    zone: Option<String>,
    devices: Option<Value>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl Profile {
    fn user_id(&self) -> Result<Uuid, Refusal> {
        let text = self.user_id.as_ref().and_then(id_text);
        text.map(|text| given_id(&text))
            .ok_or_else(|| Refusal::missing("user_id"))
    }

    /// A list, or a list printed as text.
    fn devices(&self) -> Vec<Uuid> {
        let texts = match &self.devices {
            Some(Value::Array(items)) => items.iter().filter_map(id_text).collect(),
            Some(Value::String(cell)) => list_of_text(cell),
            _ => Vec::new(),
        };
        texts.iter().map(|text| given_id(text)).collect()
    }
}

/// Assigns the profile's devices to its person.
pub(crate) fn devices_of(bytes: &[u8]) -> Option<(Uuid, Vec<Uuid>)> {
    let profile: Profile = parse(bytes).ok()?;
    Some((profile.user_id().ok()?, profile.devices()))
}

/// The age stays in the extra fields: it is valid for one year only.
pub(super) fn read(context: &mut Context<'_>, bytes: &[u8], out: &mut Out) -> Result<(), Refusal> {
    context.progress.owner = None;
    let mut profile: Profile = parse(bytes)?;
    // The store's document id is not part of the profile.
    profile.unknown.remove("_id");
    let (user_id, devices) = (profile.user_id()?, profile.devices());
    let who = context.people.profiled(user_id, &devices);
    context.progress.owner = Some((who, user_id));
    let created_at = profile.created_at.required("created_at")?;
    let user = User {
        event_id: Uuid::nil(),
        user_id,
        synced_at: UtcMillis::default(),
        created_at: UtcMillis(created_at.0),
        email: profile.email,
        date_of_birth: profile.dob.day("dob")?,
        gender: profile.gender,
        height_cm: profile.height.count("height")?,
        max_heart_rate: profile.max_heart_rate.count("max_heart_rate")?,
        zone: Some(
            profile
                .zone
                .unwrap_or_else(|| context.people.get(who).zone.name().to_owned()),
        ),
        devices,
        extra: Others::of(profile.unknown).into_extra(),
    };
    context.push(out, Reading::Profile(Box::new(Event::Users(user))))
}
