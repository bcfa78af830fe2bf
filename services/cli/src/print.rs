//! Terminal output: results go to standard output, everything else to standard error.
//! A reader may close the pipe early, as `| head` does: write errors are ignored, and the exit code still counts.

use std::io::Write;

/// Prints a result.
pub(crate) fn line(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// Prints a failure or a progress line.
pub(crate) fn error(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Formats a number with thousands separators: 1,889,227.
pub(crate) fn thousands(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3 + 1);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::thousands;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(
            ["0", "999", "1,000", "-1,889,227"],
            [0, 999, 1_000, -1_889_227]
                .map(thousands)
                .each_ref()
                .map(String::as_str)
        );
    }
}
