//! Finds a person's dead letters, by their key and their bytes.

use pulseline_schemas::ownership::is_dead_letter_of;
use pulseline_schemas::{Stream, UtcMillis};
use pulseline_sql::{Client, GenericClient};
use pulseline_tombstones::hold_day;

use crate::eraser::error::EraserError;
use crate::eraser::person::Person;

/// Dead letters that hold one of these ids, in their key or in their bytes.
pub(crate) const DEAD_LETTERS: &str = "from ops.dead_letters where exists (select from unnest($1::text[]) as t(id) \
    where position(convert_to(t.id, 'UTF8') in coalesce(message_key, '')) > 0 \
    or position(convert_to(t.id, 'UTF8') in coalesce(payload, '')) > 0)";

/// Origins and items of the dead letters of devices that were passed on, where they are of the person's days.
pub(crate) async fn dead_letters_of_days(
    client: &Client,
    person: &Person,
) -> Result<Vec<(String, i32)>, EraserError> {
    let select = format!(
        "select origin, item, stream, payload, (extract(epoch from created_at) * 1000)::bigint {DEAD_LETTERS}"
    );
    let mut found = Vec::new();
    for scope in person.scopes_of_days() {
        let texts: Vec<String> = scope.devices.iter().map(ToString::to_string).collect();
        for row in client.query(&select, &[&texts]).await? {
            let (stream, payload): (Option<String>, Option<Vec<u8>>) = (row.get(2), row.get(3));
            let stream = stream.as_deref().and_then(Stream::from_name);
            let days = scope.days.as_deref().unwrap_or_default();
            let made_at = UtcMillis(row.get(4));
            if is_dead_letter_of(stream, payload.as_deref(), made_at, |day| hold_day(days, day)) {
                found.push((row.get(0), row.get(1)));
            }
        }
    }
    Ok(found)
}
