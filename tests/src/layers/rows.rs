//! Rows of stage and agg, as they are expected and as they are found.

use std::collections::BTreeMap;

use uuid::Uuid;

/// Identity of a row: two ids (of whom, of what), a time or day, and a number more where that is not enough.
pub(super) type Key = (Uuid, Uuid, i64, i64);
/// Figures of a row, in the order of its relation's columns.
pub(super) type Figures = Vec<Option<i64>>;
/// Rows of a relation.
pub(super) type Rows = BTreeMap<Key, Figures>;
