//! Plans reading a collection in bounded pages with known positions (P20). Pure.
//!
//! Documents of devices are read in the order of (`created_at`, `_id`). `created_at` is the start of an upload's window, so
//! the readings of a device come one after the other, and most of them lie after its newest loaded one. A page asks for a
//! span of windows and for so many documents of it: a server that sorts before it limits never sorts a whole collection. It asks
//! for nothing but that span, so that the plainest planner finds the index, and leaves out what it has read before.
//!
//! Documents of another shape (`created_at` is not a date of the years 1 to 9999, `_id` is not text) have no such position. They
//! are read last. Some servers refuse a query that names any other year.
//!
//! Where a page would give a tenth of its documents twice, or gave some of another shape, the next request names exactly what is left.

mod filters;
mod order;

use std::ops::RangeInclusive;

use bson::{Document, RawDocument, doc};
use serde::{Deserialize, Serialize};

pub use order::{Order, WINDOW_START};

/// Readings of a document lie less than so many days after the start of its window.
pub const REACH_DAYS: i32 = 7;
/// The first span of windows: a day.
const SPAN_MS: i64 = 86_400_000;
/// Windows that have a position: the years 1 to 9999.
pub const STARTS: RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;
/// Windows so near each other are read without looking for the first one: five weeks.
const NEAR_MS: i64 = 35 * SPAN_MS;
/// Longest span: ten years.
const MOST_SPAN_MS: i64 = 3_650 * SPAN_MS;
/// Shortest span: a minute.
const LEAST_SPAN_MS: i64 = 60_000;
/// A page may give one of so many documents twice.
const REPEATED_PART: usize = 10;

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
}

/// What a document is that a request gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Not wanted now: it was read before, is read last, or only tells where the next window is.
    Skip,
    /// The next document, and the position after it, where it has one.
    Take(Option<PagePosition>),
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
    /// The position before the request.
    known: Option<PagePosition>,
    next: Next,
    span_ms: i64,
    /// Documents that the request has given so far.
    count: usize,
    /// Start of the first window that it gave.
    first: Option<i64>,
    /// How many of them start with the last one.
    last: usize,
    /// True when the request names exactly what is left.
    is_exact: bool,
    /// True when a request gave a document of another shape.
    has_others: bool,
    /// True when a document without a position may be left.
    has_rest: bool,
    /// True when these are not wanted.
    leaves_others: bool,
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
            known: None,
            span_ms: SPAN_MS,
            count: 0,
            first: None,
            last: 0,
            is_exact: false,
            has_others: false,
            has_rest: true,
            leaves_others: false,
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

    /// Documents without a position in this order, at once.
    #[must_use]
    pub fn others(order: Order) -> Self {
        Self {
            next: Next::Rest,
            ..Self::new(order, usize::MAX)
        }
    }

    /// Leaves out documents without a position; in the order of windows alone.
    #[must_use]
    pub fn without_others(mut self) -> Self {
        self.leaves_others = true;
        self
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
        self.has_rest = starts == STARTS;
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
            (Order::Window, Some(PagePosition::Window { at, .. })) => {
                self.next = self.span(*at);
                // How many start with it is not known.
                self.be_exact(true);
            }
            (Order::Id, Some(PagePosition::Id { .. })) => self.next = Next::Ids,
            (_, Some(PagePosition::Rest)) => self.next = Next::Rest,
            _ => return self,
        }
        self.known.clone_from(&position);
        self.position = position;
        self
    }

    /// The next query; none at the end.
    #[must_use]
    pub fn request(&self) -> Option<Request> {
        let limit = i64::try_from(self.documents).unwrap_or(0);
        let (filter, limit) = match &self.next {
            Next::Probe(from) => (self.windows(&(*from..=*self.starts.end())), 1),
            Next::Span(span) => (self.windows(span), limit),
            Next::Ids => (filters::ids(self.position.as_ref()), limit),
            Next::Rest => (filters::rest(self.order, &self.starts), 0),
            Next::All => (Document::new(), 0),
            Next::End => return None,
        };
        let filter = self.filter.clone().into_iter().chain(filter).collect();
        let sort = match self.next {
            Next::Rest | Next::All | Next::End => Document::new(),
            _ => self.order.keys(),
        };
        Some(Request { filter, sort, limit })
    }

    /// A document that the request gave.
    pub fn read(&mut self, document: &RawDocument) -> Read {
        self.count += 1;
        let position = match self.next {
            Next::Probe(_) => {
                self.first = window(document).map(|(at, _)| at);
                self.has_others |= self.first.is_none();
                return Read::Skip;
            }
            Next::Span(_) => match self.read_window(document) {
                Some(position) => position,
                None => return Read::Skip,
            },
            Next::Ids => match document.get_str("_id") {
                Ok(id) => PagePosition::Id { id: id.to_owned() },
                Err(_) => return Read::Skip,
            },
            Next::Rest => PagePosition::Rest,
            Next::All | Next::End => return Read::Take(None),
        };
        self.position = Some(position.clone());
        Read::Take(Some(position))
    }

    /// The position of a document of a span; none when it is not read now.
    fn read_window(&mut self, document: &RawDocument) -> Option<PagePosition> {
        let Some((at, id)) = window(document) else {
            self.has_others = true;
            return None;
        };
        self.first.get_or_insert(at);
        match &self.position {
            Some(PagePosition::Window { at: last, .. }) if *last == at => self.last += 1,
            _ => self.last = 1,
        }
        let is_known = match &self.known {
            Some(PagePosition::Window { at: last, id: known }) => (at, id) <= (*last, known),
            _ => false,
        };
        (!is_known).then(|| PagePosition::Window {
            at,
            id: id.to_owned(),
        })
    }

    /// The request has nothing more.
    pub fn end(&mut self) {
        let (count, first) = (std::mem::take(&mut self.count), self.first.take());
        self.known.clone_from(&self.position);
        let (same, is_full) = (std::mem::take(&mut self.last), count >= self.documents);
        let has_failed = self.has_others && !self.is_exact;
        self.be_exact(self.has_others);
        self.next = match (&self.next, first) {
            (Next::Probe(_), Some(at)) => self.span(at),
            (Next::Probe(from), None) if has_failed => Next::Probe(*from),
            (Next::Probe(_), None) => self.after_windows(),
            (Next::Span(span), first) if is_full => {
                let last = match &self.position {
                    Some(PagePosition::Window { at, .. }) => *at.max(span.start()),
                    _ => *span.start(),
                };
                // So many windows as held a page.
                let length = last.saturating_sub(first.unwrap_or(last));
                self.span_ms = length.clamp(LEAST_SPAN_MS, MOST_SPAN_MS);
                self.be_exact(self.has_others || same.saturating_mul(REPEATED_PART) >= self.documents);
                self.span(last)
            }
            (Next::Span(span), _) => self.after_span(*span.end(), count),
            (Next::Ids, _) if is_full => Next::Ids,
            (Next::Ids, _) => Next::Rest,
            (Next::Rest | Next::All | Next::End, _) => Next::End,
        };
    }

    /// What follows a span that gave so many documents, and no more.
    fn after_span(&mut self, end: i64, count: usize) -> Next {
        match end.checked_add(1) {
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
            _ => self.after_windows(),
        }
    }

    fn after_windows(&self) -> Next {
        if self.has_rest && !self.leaves_others {
            Next::Rest
        } else {
            Next::End
        }
    }

    /// An exact request leaves out documents of another shape, so that they are asked for at the end.
    fn be_exact(&mut self, is_exact: bool) {
        self.is_exact = is_exact;
        self.has_rest |= is_exact;
    }

    fn windows(&self, span: &RangeInclusive<i64>) -> Document {
        if self.is_exact {
            filters::windows_after(span, self.position.as_ref())
        } else {
            filters::windows(span)
        }
    }

    fn span(&self, from: i64) -> Next {
        Next::Span(from..=from.saturating_add(self.span_ms).min(*self.starts.end()))
    }
}

fn first(order: Order, starts: &RangeInclusive<i64>) -> Next {
    match order {
        Order::Window if starts.is_empty() => Next::End,
        Order::Window => Next::Probe(*starts.start()),
        Order::Id => Next::Ids,
    }
}

/// The place of a document in the order of windows, where it has one.
fn window(document: &RawDocument) -> Option<(i64, &str)> {
    let at = document.get_datetime(WINDOW_START).ok()?.timestamp_millis();
    Some((at, document.get_str("_id").ok()?))
}

#[cfg(test)]
mod tests;
