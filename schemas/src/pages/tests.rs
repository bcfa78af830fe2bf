//! Every document is read once, in order, wherever a page ends and wherever reading is stopped.

use bson::oid::ObjectId;
use bson::{Bson, DateTime, Document, RawDocumentBuf, doc};
use proptest::prelude::*;

use super::*;

/// As much of a server's matching as the filters need.
fn matches(document: &Document, filter: &Document) -> bool {
    filter.iter().all(|(name, wanted)| match (name.as_str(), wanted) {
        ("$or", Bson::Array(any)) => any
            .iter()
            .any(|filter| matches(document, filter.as_document().unwrap())),
        (name, Bson::Document(operators)) => operators
            .iter()
            .all(|(operator, operand)| meets(document.get(name), operator, operand)),
        (name, value) => match document.get(name) {
            Some(Bson::Array(values)) => values.contains(value),
            found => found == Some(value),
        },
    })
}

fn meets(value: Option<&Bson>, operator: &str, operand: &Bson) -> bool {
    let any = |is_so: &dyn Fn(&Bson) -> bool| match value {
        Some(Bson::Array(values)) => values.iter().any(is_so),
        Some(value) => is_so(value),
        None => false,
    };
    match operator {
        "$not" => {
            let operators = operand.as_document().unwrap();
            !operators
                .iter()
                .all(|(operator, operand)| meets(value, operator, operand))
        }
        "$type" => match operand.as_str().unwrap() {
            "array" => matches!(value, Some(Bson::Array(_))),
            "date" => any(&|value| matches!(value, Bson::DateTime(_))),
            "string" => any(&|value| matches!(value, Bson::String(_))),
            other => panic!("{other}"),
        },
        // Within one type only.
        "$gt" => any(&|value| order(value, operand) == Some(std::cmp::Ordering::Greater)),
        "$gte" => any(&|value| order(value, operand).is_some_and(std::cmp::Ordering::is_ge)),
        "$lt" => any(&|value| order(value, operand) == Some(std::cmp::Ordering::Less)),
        "$lte" => any(&|value| order(value, operand).is_some_and(std::cmp::Ordering::is_le)),
        other => panic!("{other}"),
    }
}

fn order(one: &Bson, other: &Bson) -> Option<std::cmp::Ordering> {
    match (one, other) {
        (Bson::DateTime(one), Bson::DateTime(other)) => Some(one.cmp(other)),
        (Bson::String(one), Bson::String(other)) => Some(one.cmp(other)),
        _ => None,
    }
}

/// Where a value is sorted: a list where its least element is, other types before and after text and dates.
fn place(value: Option<&Bson>) -> (u8, i64, String) {
    match value {
        Some(Bson::Array(values)) => values
            .iter()
            .map(|value| place(Some(value)))
            .min()
            .unwrap_or_default(),
        Some(Bson::Int32(value)) => (1, i64::from(*value), String::new()),
        Some(Bson::String(text)) => (2, 0, text.clone()),
        Some(Bson::ObjectId(id)) => (3, 0, id.to_hex()),
        Some(Bson::DateTime(at)) => (4, at.timestamp_millis(), String::new()),
        _ => <_>::default(),
    }
}

/// A server's answer.
fn answer(documents: &[Document], request: &Request) -> Vec<Document> {
    let mut found: Vec<Document> = documents
        .iter()
        .filter(|document| matches(document, &request.filter))
        .cloned()
        .collect();
    if !request.sort.is_empty() {
        found.sort_by(|one, other| {
            let by = |name: &String| place(one.get(name)).cmp(&place(other.get(name)));
            request
                .sort
                .keys()
                .map(by)
                .find(|order| order.is_ne())
                .unwrap_or(std::cmp::Ordering::Equal)
        });
    }
    if request.limit > 0 {
        found.truncate(usize::try_from(request.limit).unwrap());
    }
    found
}

/// Reads until the end, or until `stop` documents are read; gives them and the place after the last one.
fn read(mut pages: Pages, documents: &[Document], stop: usize) -> (Vec<Document>, Option<PagePosition>) {
    let (mut all, mut position) = (Vec::new(), None);
    let mut requests = 0;
    while let Some(request) = pages.request() {
        requests += 1;
        assert!(requests < 10_000, "it never ends");
        for document in answer(documents, &request) {
            let raw = RawDocumentBuf::try_from(document.clone()).unwrap();
            let Read::Take(after) = pages.read(&raw) else {
                continue;
            };
            all.push(document);
            position = after;
            if all.len() == stop {
                return (all, position);
            }
        }
        pages.end();
    }
    (all, position)
}

fn at(millis: i64) -> Bson {
    Bson::DateTime(DateTime::from_millis(millis))
}

/// Windows that begin together, far apart, at the ends of time; and documents of another shape.
fn collection() -> impl Strategy<Value = Vec<Document>> {
    let start = prop_oneof![
        4 => (0..6_i64).prop_map(|window| at(window * 900_000)),
        2 => (0..2_000_i64).prop_map(|day| at(day * SPAN_MS)),
        1 => prop_oneof![Just(at(*STARTS.start())), Just(at(*STARTS.end())), Just(at(0))],
        1 => prop_oneof![Just(at(i64::MIN)), Just(at(STARTS.end() + 1)), Just(at(STARTS.start() - 1)), Just(at(i64::MAX))],
        1 => prop_oneof![Just(Bson::Null), Just(Bson::Int32(7)), Just(Bson::Array(vec![at(0), at(5)])), Just(Bson::Array(vec![])),
            Just(Bson::Array(vec![at(-SPAN_MS), at(1_000 * SPAN_MS)])), Just(Bson::Array(vec![at(900_000), at(3 * 900_000)]))],
    ];
    let other_id = prop::bool::weighted(0.1);
    let all = prop::collection::vec((start, other_id), 0..90);
    // Half of the collections have none of another shape.
    (all, any::<bool>()).prop_map(|(starts, has_others)| {
        let document = |(index, (start, is_other)): (usize, (Bson, bool))| {
            let mut bytes = [0; 12];
            bytes[0] = u8::try_from(index).unwrap();
            let id = if is_other && index % 2 == 0 {
                Bson::Int32(i32::try_from(index).unwrap())
            } else if is_other {
                Bson::ObjectId(ObjectId::from_bytes(bytes))
            } else {
                Bson::String(format!("{index:03}"))
            };
            match start {
                Bson::Null => doc! { "_id": id },
                start => doc! { "_id": id, WINDOW_START: start },
            }
        };
        let all = starts.into_iter().enumerate().map(document);
        all.filter(|document| has_others || is_regular(&document))
            .collect()
    })
}

fn is_regular(document: &&Document) -> bool {
    let start = document.get_datetime(WINDOW_START);
    document.get_str("_id").is_ok() && start.is_ok_and(|start| STARTS.contains(&start.timestamp_millis()))
}

proptest! {
    #[test]
    fn p_20_every_document_is_read_once_in_the_order_of_windows(documents in collection(), limit in 1..40_usize) {
        let (all, _) = read(Pages::new(Order::Window, limit), &documents, usize::MAX);
        prop_assert_eq!(all.len(), documents.len());
        let keys: Vec<_> = all.iter().filter(is_regular)
            .map(|document| (document.get_datetime(WINDOW_START).unwrap().timestamp_millis(), document.get_str("_id").unwrap()))
            .collect();
        prop_assert!(keys.is_sorted(), "{:?}", keys);
        let mut seen: Vec<String> = all.iter().map(|document| document.get("_id").unwrap().to_string()).collect();
        seen.sort_unstable();
        seen.dedup();
        prop_assert_eq!(seen.len(), documents.len());
    }

    #[test]
    fn p_20_reading_resumes_after_any_position_at_which_it_stopped(
        documents in collection(), limit in 1..40_usize, stop in 1..60_usize, order in prop_oneof![Just(Order::Window), Just(Order::Id)]
    ) {
        let pages = || Pages::new(order, limit);
        let (whole, _) = read(pages(), &documents, usize::MAX);
        let (before, position) = read(pages(), &documents, stop);
        if position == Some(PagePosition::Rest) {
            // What has no place is read again.
            let (rest, _) = read(pages().after(position), &documents, usize::MAX);
            let regular = whole.len() - rest.len();
            prop_assert!(regular < before.len());
            prop_assert_eq!(&whole[regular..], &rest[..]);
        } else if !before.is_empty() {
            let (after, _) = read(pages().after(position), &documents, usize::MAX);
            prop_assert_eq!([before, after].concat(), whole);
        }
    }

    #[test]
    fn p_20_a_range_of_windows_is_read_and_nothing_else(documents in collection(), limit in 1..40_usize, from in 0..4_i64, to in 0..4_i64) {
        let starts = from * 900_000..=to * 900_000;
        let (all, _) = read(Pages::new(Order::Window, limit).starting(starts.clone()), &documents, usize::MAX);
        let range = doc! { WINDOW_START: { "$gte": at(*starts.start()), "$lte": at(*starts.end()) } };
        let inside = |document: &&Document| !starts.is_empty() && matches(document, &range);
        prop_assert_eq!(all.len(), documents.iter().filter(inside).count());
    }
}

proptest! {
    #[test]
    fn p_20_windows_and_others_are_read_apart_as_together(documents in collection(), limit in 1..40_usize) {
        let pages = Pages::new(Order::Window, limit);
        let (whole, _) = read(pages.clone(), &documents, usize::MAX);
        let (windows, _) = read(pages.without_others(), &documents, usize::MAX);
        let (others, _) = read(Pages::others(Order::Window), &documents, usize::MAX);
        prop_assert_eq!([windows, others].concat(), whole);
    }
}

#[test]
fn a_position_of_another_order_is_of_no_use() {
    let position = PagePosition::Id { id: "7".into() };
    let fresh = Pages::new(Order::Window, 5).request();
    assert_eq!(
        Pages::new(Order::Window, 5).after(Some(position)).request(),
        fresh
    );
    assert_eq!(
        Pages::unordered(doc! { "a": 1 }).request().unwrap().filter,
        doc! { "a": 1 }
    );
}
