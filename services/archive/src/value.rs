//! Lenient values of real files: numbers as text, many date formats, lists inside cells.

mod date;
mod list;
mod number;

pub(crate) use date::Stamp;
#[cfg(test)]
pub(crate) use date::parse as parse_date;
pub(crate) use list::list_of_text;
pub(crate) use number::{Number, flag};

/// Why a record or reading is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// One of [`crate::REASONS`].
    pub(crate) reason: &'static str,
    /// A sentence.
    pub(crate) detail: String,
}

impl Refusal {
    pub(crate) fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }

    pub(crate) fn missing(name: &str) -> Self {
        Self::new("missing", format!("{name} is missing"))
    }
}
