//! Elements of whole, damaged and arbitrary files.

use proptest::prelude::*;

use super::super::RECORD_BYTES_MAX;
use super::*;

/// Returns one to seven bytes at a time, so that every boundary is tested.
struct Dripping<'a>(&'a [u8], usize);

impl Read for Dripping<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.1 = self.1 % 7 + 1;
        let count = self.1.min(self.0.len()).min(into.len());
        let (head, tail) = self.0.split_at(count);
        into[..count].copy_from_slice(head);
        self.0 = tail;
        Ok(count)
    }
}

type Seen = (u64, String, Option<&'static str>);

fn seen(file: &[u8]) -> Vec<Seen> {
    let mut elements = Elements::new(Dripping(file, 0));
    let mut all = Vec::new();
    while let Some(piece) = elements.next().unwrap() {
        let text = String::from_utf8_lossy(piece.bytes).into_owned();
        all.push((piece.offset, text, piece.damage));
    }
    all
}

fn whole(file: &str) -> Vec<String> {
    seen(file.as_bytes())
        .into_iter()
        .filter(|(_, _, damage)| damage.is_none())
        .map(|(_, text, _)| text)
        .collect()
}

fn damages(file: &str) -> Vec<(u64, &'static str)> {
    seen(file.as_bytes())
        .into_iter()
        .filter_map(|(offset, _, damage)| Some((offset, damage?)))
        .collect()
}

#[test]
fn arrays_lines_and_nothing() {
    for file in [
        r#"[{"a":1},{"a":2}]"#,
        "\u{feff}[\r\n{\"a\":1} , {\"a\":2}\r\n]\r\n",
        "{\"a\":1}\n{\"a\":2}\n",
        r#"[{"a":1}][{"a":2}]"#,
    ] {
        assert_eq!(whole(file), [r#"{"a":1}"#, r#"{"a":2}"#], "{file}");
        assert_eq!(damages(file), [], "{file}");
    }
    for file in ["", "[]", "  \n", "\u{feff}", "[ ]"] {
        assert_eq!(seen(file.as_bytes()), [], "{file}");
    }
}

#[test]
fn a_broken_element_is_lost_alone() {
    for (file, at) in [
        (r#"[{"a":1},{"a":"x,"b":1},{"a":3}]"#, 9),
        (r#"[{"a":1},{"a":2,{"a":3}]"#, 9),
        (r#"[{"a":1},{"a":[2,{"a":3}]"#, 9),
        (r#"[{"a":1},{"a":{"b":2},{"a":3}]"#, 9),
        (r#"[{"a":1} oops {"a":3}]"#, 9),
        (r#"[{"a":1},"x",7,{"a":3}]"#, 9),
    ] {
        assert_eq!(whole(file), [r#"{"a":1}"#, r#"{"a":3}"#], "{file}");
        assert_eq!(damages(file).len(), 1, "{file}");
        assert_eq!(damages(file)[0].0, at, "{file}");
    }
}

#[test]
fn a_truncated_file_is_reported_once() {
    let file = r#"[{"logId":1,"levels":[{"t":1},{"t":2}]},{"logId":2,"levels":[{"t":1},{"t":2}]}]"#;
    for cut in 2..file.len() {
        let found = damages(&file[..cut]);
        assert_eq!(found.len(), 1, "{}", &file[..cut]);
        assert_eq!(found[0].1, "truncated");
    }
}

#[test]
fn the_last_element_may_be_the_broken_one() {
    let file = r#"[{"a":1},{"a":"x,"b":1}]"#;
    assert_eq!(damages(file), [(9, "json")]);
    assert_eq!(damages(r#"[{"a":1} oops]"#), [(9, "garbage")]);
}

#[test]
fn the_length_of_an_element_is_limited() {
    let long = "x".repeat(RECORD_BYTES_MAX + 10);
    let file = format!(r#"[{{"a":1}},{{"a":"{long}"}},{{"a":3}}]"#);
    let mut elements = Elements::new(file.as_bytes());
    let mut reasons = Vec::new();
    while let Some(piece) = elements.next().unwrap() {
        reasons.push(piece.damage);
    }
    assert_eq!(reasons.first(), Some(&None));
    assert!(reasons.contains(&Some("too_long")));
    assert_eq!(reasons.last(), Some(&None));
}

fn record() -> impl Strategy<Value = String> {
    ("[0-9:]{0,8}", any::<i32>(), "[ -~]{0,12}").prop_map(|(date, number, text)| {
        serde_json::json!({"dateTime": date, "value": {"n": number, "t": text}}).to_string()
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_are_covered_in_order(
        file in proptest::collection::vec(prop_oneof![
            any::<u8>(),
            proptest::sample::select(b"{}[]\",:\\ 1a".to_vec()),
        ], 0..200),
    ) {
        let mut elements = Elements::new(Dripping(&file, 0));
        let mut reached = 0;
        while let Some(piece) = elements.next().unwrap() {
            prop_assert!(piece.offset >= reached);
            let between = &file[reached as usize..piece.offset as usize];
            prop_assert!(between.iter().all(|byte| b" \r\n\t,[]\xef\xbb\xbf".contains(byte)));
            let end = piece.offset as usize + piece.bytes.len();
            prop_assert_eq!(piece.bytes, &file[piece.offset as usize..end]);
            reached = end as u64;
        }
        prop_assert!(file[reached as usize..].iter().all(|byte| b" \r\n\t,[]\xef\xbb\xbf".contains(byte)));
    }

    #[test]
    fn a_damaged_element_takes_no_other_with_it(
        records in proptest::collection::vec(record(), 2..8),
        broken in any::<proptest::sample::Index>(),
        cut in any::<proptest::sample::Index>(),
        put in "[a-z\"{}:,\\[\\]\\\\]{0,6}",
        lost in 0_usize..6,
    ) {
        let broken = broken.index(records.len() - 1) + 1;
        let mut damaged = records.clone();
        let text = &records[broken];
        let from = cut.index(text.len());
        let to = (from + lost).min(text.len());
        damaged[broken] = format!("{}{put}{}", &text[..from], &text[to..]);
        let found = whole(&format!("[{}]", damaged.join(",")));
        let mut wanted = records.iter().enumerate().filter(|(index, _)| *index != broken);
        // The rest of the broken element may itself hold elements; the others follow in order.
        let mut rest = found.iter();
        prop_assert!(wanted.all(|(_, record)| rest.any(|found| found == record)), "{:?} of {:?}", found, damaged);
    }
}
