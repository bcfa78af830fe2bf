//! The filters of pages.

use std::ops::RangeInclusive;

use bson::{Bson, DateTime, Document, doc};

use super::{Order, PagePosition, STARTS, WINDOW_START};

/// Windows that start in a span, and nothing else: the plainest planner finds an index for it. Lists of dates may match, too.
pub(super) fn windows(span: &RangeInclusive<i64>) -> Document {
    let (from, to) = (at(*span.start()), *span.end());
    // Some servers lose what is equal to a bound that belongs to the range, where the index goes on with other fields.
    let starts = if STARTS.contains(&to.saturating_add(1)) {
        doc! { "$gte": from, "$lt": at(to + 1) }
    } else {
        doc! { "$gte": from, "$lte": at(to) }
    };
    doc! { WINDOW_START: starts }
}

/// Windows that start in a span and have a position; when the position is in the span, those after it.
pub(super) fn windows_after(span: &RangeInclusive<i64>, position: Option<&PagePosition>) -> Document {
    let (from, to) = (at(*span.start()), at(*span.end()));
    match position {
        Some(PagePosition::Window { at: start, id }) if start >= span.start() => {
            let start = at(*start);
            let later = doc! { "$gt": &start, "$lte": to, "$not": { "$type": "array" } };
            // No list that holds it.
            let same = doc! { "$gte": &start, "$lte": &start, "$not": { "$type": "array" } };
            let same = doc! { WINDOW_START: same, "_id": { "$gt": id } };
            let later = doc! { WINDOW_START: later, "_id": { "$type": "string" } };
            doc! { "$or": [same, later] }
        }
        _ => doc! {
            WINDOW_START: { "$gte": from, "$lte": to, "$not": { "$type": "array" } },
            "_id": { "$type": "string" },
        },
    }
}

/// Documents after a position in the order of `_id`.
pub(super) fn ids(position: Option<&PagePosition>) -> Document {
    let mut wanted = doc! { "$type": "string" };
    if let Some(PagePosition::Id { id }) = position {
        wanted.insert("$gt", id);
    }
    doc! { "_id": wanted }
}

/// Documents without a position in the order.
pub(super) fn rest(order: Order, starts: &RangeInclusive<i64>) -> Document {
    let other_id = doc! { "_id": { "$not": { "$type": "string" } } };
    if order == Order::Id {
        return other_id;
    }
    let list = doc! { WINDOW_START: { "$type": "array" } };
    let mut others = vec![other_id, list];
    if *starts != STARTS {
        let mut filter = windows(starts);
        filter.insert("$or", others);
        return filter;
    }
    others.push(doc! { WINDOW_START: { "$not": { "$type": "date" } } });
    others.push(doc! { WINDOW_START: { "$lt": at(*STARTS.start()) } });
    others.push(doc! { WINDOW_START: { "$gt": at(*STARTS.end()) } });
    doc! { "$or": others }
}

fn at(millis: i64) -> Bson {
    Bson::DateTime(DateTime::from_millis(millis))
}
