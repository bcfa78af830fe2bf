//! Fields that an older program did not know, and what parts of a field keep for themselves.

use super::tests::{DEVICE, EVENT, NIGHT, NOW, cell, of, sleep};
use bson::{DateTime, RawDocumentBuf, rawdoc};

use super::*;
use crate::document::Cell;

#[test]
fn what_an_older_program_put_under_extra_of_a_profile_moves_into_its_column() {
    let kafka = rawdoc! { "topic": "t", "generation": 0, "partition": 0, "offset": 0_i64 };
    let user = rawdoc! {
        "_id": EVENT, "user_id": DEVICE, "synced_at": DateTime::from_millis(NIGHT), "gender": "female",
        "created_at": DateTime::from_millis(NIGHT), "devices": [DEVICE], "kafka": kafka,
        "extra": { "shoe": 44_i64, "zone": "Europe/Oslo", "gender": { "0": "kept" } },
    };
    let Rows::User(user) = map(of(Stream::Users), &user, NOW).rows else {
        panic!("no user")
    };
    assert_eq!(user.zone.as_deref(), Some("Europe/Oslo"));
    assert_eq!(user.gender.as_deref(), Some("female"));
    assert_eq!(
        user.extra.as_deref(),
        Some(r#"{"shoe":44,"gender":{"0":"kept"}}"#)
    );
}

#[test]
fn what_an_older_program_put_under_extra_moves_into_the_column_that_came_with_this_one() {
    let older = |extra: RawDocumentBuf| {
        let mut document = sleep(NIGHT);
        document.append(bson::raw::cstr!("extra"), extra);
        let Rows::Entries(mut rows) = map(of(Stream::Sleeps), &document, NOW).rows else {
            panic!("no sleep")
        };
        rows.remove(0)
    };
    let entry = older(rawdoc! { "log_type": "manual", "shoe": 44_i64 });
    assert_eq!(
        cell(&entry, Stream::Sleeps, "log_type"),
        &Cell::Text("manual".into())
    );
    assert_eq!(
        cell(&entry, Stream::Sleeps, "extra"),
        &Cell::Json(r#"{"shoe":44}"#.into())
    );
    let alone = older(rawdoc! { "log_type": "manual" });
    assert_eq!(cell(&alone, Stream::Sleeps, "extra"), &Cell::Null);
}
