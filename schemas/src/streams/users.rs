//! People: versions of their profiles. The latest version counts.

use uuid::Uuid;

use super::Extra;
use crate::codec::record;
use crate::time::{LocalDay, UtcMillis};

record! {
    /// One version of a person's profile.
    "User" User {
        /// Identity of this version.
        event_id: Uuid = "event_id" as "_id",
        /// The person.
        user_id: Uuid = "user_id",
        /// When this version was sent. The later version wins.
        synced_at: UtcMillis = "synced_at",
        /// When the account was made.
        created_at: UtcMillis = "created_at",
        /// E-mail address.
        email: Option<String> = "email",
        /// Date of birth; may lie before 1970.
        date_of_birth: Option<LocalDay> = "date_of_birth" as "dob",
        /// Gender, as given.
        gender: Option<String> = "gender",
        /// Height in centimetres.
        height_cm: Option<i32> = "height_cm" as "height",
        /// Highest heart rate, beats per minute.
        max_heart_rate: Option<i32> = "max_heart_rate",
        /// IANA name of the home time zone.
        zone: Option<String> = "zone",
        /// The devices that belong to this person.
        devices: Vec<Uuid> = "devices",
        /// What else the source said.
        extra: Extra = "extra",
    }
}
