//! Reads a table's row by column name.

use serde_json::Value;

use super::other::Unknown;
use crate::pieces::Splitter;
use crate::value::{Number, Refusal, Stamp};

/// The columns of a table.
#[derive(Debug)]
pub(crate) struct Columns {
    names: Vec<String>,
    splitter: Splitter,
}

impl Columns {
    /// Parses the header.
    pub(crate) fn named_by(header: &[u8]) -> Box<Self> {
        let mut splitter = Splitter::new();
        let names = splitter.fields_of(header);
        Box::new(Self {
            names: names.iter().map(|name| name.trim().to_owned()).collect(),
            splitter,
        })
    }
}

/// A row; cells that are not taken are unknown fields.
pub(super) struct TableRow<'a> {
    columns: &'a [String],
    fields: Vec<String>,
    known: Vec<bool>,
    /// Columns are mostly read in order, so the search starts at the next one.
    next: usize,
}

impl<'a> TableRow<'a> {
    pub(super) fn new(columns: &'a mut Columns, row: &[u8]) -> Result<Self, Refusal> {
        let fields = columns.splitter.fields_of(row);
        if fields.len() != columns.names.len() {
            let detail = format!("{} fields under {} columns", fields.len(), columns.names.len());
            return Err(Refusal::new("csv", detail));
        }
        Ok(Self {
            columns: &columns.names,
            known: vec![false; fields.len()],
            fields,
            next: 0,
        })
    }

    /// The cell of a column; empty if the column is missing.
    pub(super) fn text(&mut self, column: &str) -> &str {
        let is_it = |name: &String| name.eq_ignore_ascii_case(column);
        let found = match self.columns.get(self.next) {
            Some(name) if is_it(name) => Some(self.next),
            _ => self.columns.iter().position(is_it),
        };
        let Some(index) = found else {
            return "";
        };
        self.known[index] = true;
        self.next = index + 1;
        self.fields[index].trim()
    }

    pub(super) fn number(&mut self, column: &str) -> Number {
        Number::from_text(self.text(column))
    }

    pub(super) fn stamp(&mut self, column: &str) -> Stamp {
        Stamp::from_text(self.text(column))
    }

    /// The non-empty cells that were not taken.
    pub(super) fn unknown(self) -> Unknown {
        let columns = self.columns.iter().zip(self.fields).zip(self.known);
        columns
            .filter(|((_, cell), known)| !known && !cell.trim().is_empty())
            .map(|((name, cell), _)| (name.clone(), Value::from(cell)))
            .collect()
    }
}
