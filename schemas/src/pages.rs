//! Plans reading a collection in bounded pages with known positions (P20). Pure.
//!
//! Documents of devices are read in the order of (`created_at`, `_id`). `created_at` is the start of an upload's window, so
//! the readings of a device come one after the other, and most of them lie after its newest loaded one. A page asks for a
//! span of windows and for so many documents of it: a server that sorts before it limits never sorts a whole collection.
//!
//! Documents of another shape (`created_at` is not a date of the years 1 to 9999, `_id` is not text) have no such position. They
//! are read last. Some servers refuse a query that names any other year.

use std::ops::RangeInclusive;

use bson::{Bson, DateTime, Document, RawDocument, doc};
use serde::{Deserialize, Serialize};

use crate::stream::{Owner, Stream};

/// Readings of a document lie less than so many days after the start of its window.
pub const REACH_DAYS: i32 = 7;
/// The field that holds the start of an upload's window, on the wearer's clock.
pub const WINDOW_START: &str = "created_at";
/// The field that holds the device.
const DEVICE: &str = "device_id";
/// The first span of windows: a day.
const SPAN_MS: i64 = 86_400_000;
/// Windows that have a position: the years 1 to 9999.
const STARTS: RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;
/// Windows so near each other are read without looking for the first one: five weeks.
const NEAR_MS: i64 = 35 * SPAN_MS;
/// Longest span: ten years.
const MOST_SPAN_MS: i64 = 3_650 * SPAN_MS;

/// The order in which the documents of a collection are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By the start of the window, then by `_id`.
    Window,
    /// By `_id`: what has no window.
    Id,
}

impl Order {
    /// The order of a stream's documents.
    #[must_use]
    pub const fn of(stream: Stream) -> Self {
        match stream.owner() {
            Owner::Device => Self::Window,
            Owner::User => Self::Id,
        }
    }

    /// The keys of the index that holds documents in this order; every collection has the one by `_id`.
    #[must_use]
    pub fn keys(self) -> Document {
        match self {
            Self::Window => doc! { WINDOW_START: 1, "_id": 1 },
            Self::Id => doc! { "_id": 1 },
        }
    }

    /// The indexes that a collection of this order needs: all of it in order, and one device's part.
    #[must_use]
    pub fn indexes(self) -> Vec<Document> {
        match self {
            Self::Window => vec![self.keys(), doc! { DEVICE: 1, WINDOW_START: 1, "_id": 1 }],
            Self::Id => Vec::new(),
        }
    }
}

/// Where reading resumes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PagePosition {
    /// After this document in the order of windows; `at` in milliseconds since 1970.
    Window {
        /// Start of its window.
        at: i64,
        /// Its `_id`.
        id: String,
    },
    /// After this document in the order of `_id`.
    Id {
        /// Its `_id`.
        id: String,
    },
    /// Everything that has a position in the order is read.
    Rest,
}

/// A query of a collection.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Which documents.
    pub filter: Document,
    /// In which order; empty where it does not matter.
    pub sort: Document,
    /// How many at most; 0 = all.
    pub limit: i64,
    /// True when the answer only tells where the next window is.
    pub is_probe: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Next {
    /// The first window from here on.
    Probe(i64),
    /// Windows that start in this span.
    Span(RangeInclusive<i64>),
    Ids,
    Rest,
    /// All of it, at once and in no order.
    All,
    End,
}

/// Plans the next query of a collection from the previous answers.
#[derive(Clone, Debug)]
pub struct Pages {
    order: Order,
    filter: Document,
    starts: RangeInclusive<i64>,
    documents: usize,
    position: Option<PagePosition>,
    next: Next,
    span_ms: i64,
    /// Documents that the request has given so far.
    count: usize,
    /// Start of the first window that it gave.
    first: Option<i64>,
}

impl Pages {
    /// All documents in this order, `documents` at a time.
    #[must_use]
    pub fn new(order: Order, documents: usize) -> Self {
        let starts = STARTS;
        Self {
            order,
            filter: Document::new(),
            next: first(order, &starts),
            starts,
            documents: documents.max(1),
            position: None,
            span_ms: SPAN_MS,
            count: 0,
            first: None,
        }
    }

    /// These documents at once and in no order: for what is few.
    #[must_use]
    pub fn unordered(filter: Document) -> Self {
        Self {
            filter,
            next: Next::All,
            ..Self::new(Order::Id, usize::MAX)
        }
    }

    /// Only documents that match, too.
    #[must_use]
    pub fn matching(mut self, filter: Document) -> Self {
        self.filter = filter;
        self
    }

    /// Only windows that start then; in the order of windows alone. Milliseconds since 1970. Everything when these are all windows
    /// that have a position.
    #[must_use]
    pub fn starting(mut self, starts: RangeInclusive<i64>) -> Self {
        let starts = *starts.start().max(STARTS.start())..=*starts.end().min(STARTS.end());
        self.next = first(self.order, &starts);
        self.starts = starts;
        // Where the first window is need not be asked for a few weeks: some servers read all of them for that answer.
        if let Next::Probe(from) = self.next
            && self.starts.end().saturating_sub(from) <= NEAR_MS
        {
            self.next = self.span(from);
        }
        self
    }

    /// Goes on after a position. One of another order is of no use: all is read.
    #[must_use]
    pub fn after(mut self, position: Option<PagePosition>) -> Self {
        match (self.order, &position) {
            (Order::Window, Some(PagePosition::Window { at, .. })) => self.next = self.span(*at),
            (Order::Id, Some(PagePosition::Id { .. })) => self.next = Next::Ids,
            (_, Some(PagePosition::Rest)) => self.next = Next::Rest,
            _ => return self,
        }
        self.position = position;
        self
    }

    /// The next query; none at the end.
    #[must_use]
    pub fn request(&self) -> Option<Request> {
        let limit = i64::try_from(self.documents).unwrap_or(0);
        let (filter, limit) = match &self.next {
            Next::Probe(from) => (self.windows(&(*from..=*self.starts.end()), None), 1),
            Next::Span(span) => (self.windows(span, self.position.as_ref()), limit),
            Next::Ids => (self.ids(), limit),
            Next::Rest => (self.rest(), 0),
            Next::All => (self.filter.clone(), 0),
            Next::End => return None,
        };
        let sort = match self.next {
            Next::Rest | Next::All | Next::End => Document::new(),
            _ => self.order.keys(),
        };
        Some(Request {
            filter,
            sort,
            limit,
            is_probe: matches!(self.next, Next::Probe(_)),
        })
    }

    /// A document that the request gave; tells the position after it, where it has one.
    pub fn read(&mut self, document: &RawDocument) -> Option<PagePosition> {
        self.count += 1;
        let id = || document.get_str("_id").map(str::to_owned).ok();
        let at = || Some(document.get_datetime(WINDOW_START).ok()?.timestamp_millis());
        let position = match self.next {
            Next::Probe(_) => {
                self.first = at();
                return None;
            }
            Next::Span(_) => {
                let (at, id) = (at()?, id()?);
                self.first.get_or_insert(at);
                PagePosition::Window { at, id }
            }
            Next::Ids => PagePosition::Id { id: id()? },
            Next::Rest => PagePosition::Rest,
            Next::All | Next::End => return None,
        };
        self.position = Some(position);
        self.position.clone()
    }

    /// The request has nothing more.
    pub fn end(&mut self) {
        let (count, first) = (std::mem::take(&mut self.count), self.first.take());
        let is_full = count >= self.documents;
        self.next = match (&self.next, first) {
            (Next::Probe(_), Some(at)) => self.span(at),
            (Next::Probe(_), None) => Next::Rest,
            (Next::Span(_), first) if is_full => {
                let last = match &self.position {
                    Some(PagePosition::Window { at, .. }) => *at,
                    _ => i64::MAX,
                };
                // So many windows as held a page.
                self.span_ms = last.saturating_sub(first.unwrap_or(last)).clamp(1, MOST_SPAN_MS);
                self.span(last)
            }
            (Next::Span(span), _) => match span.end().checked_add(1) {
                Some(from) if from <= *self.starts.end() => {
                    if count < self.documents / 2 {
                        self.span_ms = self.span_ms.saturating_mul(2).min(MOST_SPAN_MS);
                    }
                    if count == 0 {
                        Next::Probe(from)
                    } else {
                        self.span(from)
                    }
                }
                _ => Next::Rest,
            },
            (Next::Ids, _) if is_full => Next::Ids,
            (Next::Ids, _) => Next::Rest,
            (Next::Rest | Next::All | Next::End, _) => Next::End,
        };
    }

    fn span(&self, from: i64) -> Next {
        Next::Span(from..=from.saturating_add(self.span_ms).min(*self.starts.end()))
    }

    /// Windows that start in a span; when the position is in it, those after it.
    fn windows(&self, span: &RangeInclusive<i64>, position: Option<&PagePosition>) -> Document {
        let (from, to) = (at(*span.start()), at(*span.end()));
        let mut filter = self.filter.clone();
        match position {
            Some(PagePosition::Window { at: start, id }) if start >= span.start() => {
                let (start, text) = (at(*start), doc! { "$type": "string" });
                let later = doc! { "$gt": &start, "$lte": to, "$not": { "$type": "array" } };
                let same = doc! { "$gt": id };
                filter.insert(
                    "$or",
                    vec![
                        doc! { WINDOW_START: start, "_id": same },
                        doc! { WINDOW_START: later, "_id": text },
                    ],
                );
            }
            _ => {
                let starts = doc! { "$gte": from, "$lte": to, "$not": { "$type": "array" } };
                filter.insert(WINDOW_START, starts);
                filter.insert("_id", doc! { "$type": "string" });
            }
        }
        filter
    }

    fn ids(&self) -> Document {
        let mut wanted = doc! { "$type": "string" };
        if let Some(PagePosition::Id { id }) = &self.position {
            wanted.insert("$gt", id);
        }
        let mut filter = self.filter.clone();
        filter.insert("_id", wanted);
        filter
    }

    /// Selects documents without a position in the order.
    fn rest(&self) -> Document {
        let mut filter = self.filter.clone();
        let other_id = doc! { "_id": { "$not": { "$type": "string" } } };
        if self.order == Order::Id {
            filter.extend(other_id);
            return filter;
        }
        let list = doc! { WINDOW_START: { "$type": "array" } };
        let mut others = vec![other_id, list];
        if self.starts == STARTS {
            let (from, to) = (at(*STARTS.start()), at(*STARTS.end()));
            others.push(doc! { WINDOW_START: { "$not": { "$type": "date" } } });
            others.push(doc! { WINDOW_START: { "$lt": from } });
            others.push(doc! { WINDOW_START: { "$gt": to } });
        } else {
            let (from, to) = (at(*self.starts.start()), at(*self.starts.end()));
            filter.insert(WINDOW_START, doc! { "$gte": from, "$lte": to });
        }
        filter.insert("$or", others);
        filter
    }
}

fn first(order: Order, starts: &RangeInclusive<i64>) -> Next {
    match order {
        Order::Window if starts.is_empty() => Next::End,
        Order::Window => Next::Probe(*starts.start()),
        Order::Id => Next::Ids,
    }
}

fn at(millis: i64) -> Bson {
    Bson::DateTime(DateTime::from_millis(millis))
}

#[cfg(test)]
mod tests;
