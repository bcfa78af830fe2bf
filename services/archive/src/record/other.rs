//! Unknown fields of a session, kept as the event's extra.

use std::collections::BTreeMap;

use pulseline_schemas::Extra;
use serde_json::{Map, Value};

/// Unknown fields of a record.
pub(crate) type Unknown = Map<String, Value>;

/// Unknown fields of a session and of the items of its lists.
#[derive(Debug, Default)]
pub(super) struct Others(BTreeMap<String, Value>);

impl Others {
    pub(super) fn of(unknown: Unknown) -> Self {
        Self(unknown.into_iter().collect())
    }

    pub(super) fn put(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// Fields of the item at `index` of a list, as `{"list": {"index": {…}}}`.
    pub(super) fn put_item(&mut self, list: &str, index: usize, unknown: Unknown) {
        if unknown.is_empty() {
            return;
        }
        let items = self
            .0
            .entry(list.to_owned())
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(items) = items {
            items.insert(index.to_string(), Value::Object(unknown));
        }
    }

    pub(super) fn into_extra(self) -> Extra {
        extra_of(self.0)
    }
}

/// The JSON text with sorted keys; none if empty.
pub(crate) fn extra_of(fields: BTreeMap<String, Value>) -> Extra {
    if fields.is_empty() {
        return Extra::default();
    }
    Extra(Some(Value::from_iter(fields).to_string()))
}
