//! Expected and found rows of stage and agg.

use std::collections::BTreeMap;

use uuid::Uuid;

/// Identity of a row: two ids (the owner's and the object's), a time or day, and a further number where these are
/// not unique.
pub(super) type Key = (Uuid, Uuid, i64, i64);
/// Figures of a row, in the order of its relation's columns.
pub(super) type Figures = Vec<Option<i64>>;
/// Rows of a relation.
pub(super) type Rows = BTreeMap<Key, Figures>;
