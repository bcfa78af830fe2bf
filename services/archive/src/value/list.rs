//! Parses lists printed into one cell.

/// The items of `['a', 'b']`, `["a","b"]`, `[a, b]` or `a`; an empty cell has none.
pub(crate) fn list_of_text(cell: &str) -> Vec<String> {
    let inner = cell.trim();
    let inner = inner.strip_prefix('[').unwrap_or(inner);
    let inner = inner.strip_suffix(']').unwrap_or(inner);
    inner
        .split(',')
        .map(|item| item.trim().trim_matches(['\'', '"']).trim().to_owned())
        .filter(|item| !item.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_as_python_prints_them_are_parsed() {
        assert_eq!(list_of_text("['a', 'b']"), ["a", "b"]);
        assert_eq!(list_of_text(r#"["a","b"]"#), ["a", "b"]);
        assert_eq!(list_of_text("[12, 13]"), ["12", "13"]);
        assert_eq!(list_of_text("a"), ["a"]);
        assert!(list_of_text("[]").is_empty());
        assert!(list_of_text("").is_empty());
    }
}
