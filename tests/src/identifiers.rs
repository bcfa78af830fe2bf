//! The identifiers of Rust source, and their words. Comments, strings, characters, lifetimes and numbers are
//! skipped. Pure.

/// Every identifier with the number of its line, from 1.
#[must_use]
pub fn identifiers(source: &str) -> Vec<(usize, &str)> {
    let (mut found, mut rest) = (Vec::new(), source);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment(rest),
            '"' => string(rest),
            '\'' => quoted(rest),
            _ if first.is_ascii_digit() => word(rest),
            _ if is_part(first) => match literal(rest) {
                Some(length) => length,
                None => {
                    let length = word(rest);
                    found.push((source.len() - rest.len(), &rest[..length]));
                    length
                }
            },
            other => other.len_utf8(),
        };
        rest = &rest[length..];
    }
    with_lines(source, found)
}

/// Converts offsets to line numbers.
fn with_lines<'a>(source: &str, found: Vec<(usize, &'a str)>) -> Vec<(usize, &'a str)> {
    let (mut line, mut from) = (1, 0);
    let numbered = found.into_iter().map(|(at, name)| {
        line += source[from..at].matches('\n').count();
        from = at;
        (line, name)
    });
    numbered.collect()
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word(rest: &str) -> usize {
    rest.find(|c| !is_part(c)).unwrap_or(rest.len())
}

/// Block comments nest.
fn comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let tail = &rest[at..];
        if tail.starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if tail.starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            match tail.chars().next() {
                Some(c) => at += c.len_utf8(),
                None => return at,
            }
        }
        if depth == 0 {
            return at;
        }
    }
}

fn string(rest: &str) -> usize {
    let mut is_escaped = false;
    let end = rest.char_indices().skip(1).find(|(_, c)| {
        let is_end = *c == '"' && !is_escaped;
        is_escaped = *c == '\\' && !is_escaped;
        is_end
    });
    end.map_or(rest.len(), |(at, _)| at + 1)
}

/// A character or a lifetime.
fn quoted(rest: &str) -> usize {
    let mut inner = rest.chars().skip(1);
    match (inner.next(), inner.next()) {
        (Some('\\'), Some(escaped)) => {
            let from = 2 + escaped.len_utf8();
            rest[from..].find('\'').map_or(rest.len(), |at| from + at + 1)
        }
        (Some(c), Some('\'')) => c.len_utf8() + 2,
        _ => 1 + word(&rest[1..]),
    }
}

/// A string or a character with a prefix, raw or not; none for an identifier.
fn literal(rest: &str) -> Option<usize> {
    let prefix = word(rest);
    let after = &rest[prefix..];
    match &rest[..prefix] {
        "b" | "c" if after.starts_with('"') => Some(prefix + string(after)),
        "b" if after.starts_with('\'') => Some(prefix + quoted(after)),
        "r" | "br" | "cr" => {
            let hashes = after.find(|c| c != '#').unwrap_or(after.len());
            let body = after[hashes..].strip_prefix('"')?;
            let end = format!("\"{}", "#".repeat(hashes));
            let length = body.find(&end).map_or(body.len(), |at| at + end.len());
            Some(prefix + hashes + 1 + length)
        }
        _ => None,
    }
}

/// The words of an identifier in lower case: parts between underscores, and of `CamelCase`.
#[must_use]
pub fn words(identifier: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = '_';
    for c in identifier.chars() {
        let begins = before == '_' || (c.is_uppercase() && !before.is_uppercase());
        match words.last_mut() {
            _ if c == '_' => {}
            Some(last) if !begins => last.extend(c.to_lowercase()),
            _ => words.push(c.to_lowercase().collect()),
        }
        before = c;
    }
    words
}
