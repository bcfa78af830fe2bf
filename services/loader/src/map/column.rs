//! A column of a raw table: the field of a document that fills it, and its allowed values.

use bson::RawBsonRef;

use super::fields::{Fields, as_integer, as_json, as_millis, as_text, parse_day, wrong};
use super::guard;
use crate::document::{Cell, DAY_MILLIS, Refusal};

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    Int2,
    Int4,
    Int8,
    Float8,
    Flag,
    Text,
    /// A calendar date, written as text in documents.
    Day,
    /// A wall-clock time.
    Wall,
    /// Minutes east of UTC.
    Offset,
    /// A document or an array.
    Json,
}

/// One column, made by the functions below; its name is that of the table and, by default, of the document field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) field: &'static str,
    pub(crate) kind: ColumnKind,
    is_optional: bool,
    range: Option<(f64, f64)>,
    /// The field with the offset of this wall clock.
    offset: &'static str,
}

const fn column(name: &'static str, kind: ColumnKind) -> Column {
    Column {
        name,
        field: name,
        kind,
        is_optional: false,
        range: None,
        offset: "utc_offset_minutes",
    }
}

macro_rules! kinds {
    ($($function:ident $kind:ident;)*) => {
        $(pub(crate) const fn $function(name: &'static str) -> Column {
            column(name, ColumnKind::$kind)
        })*
    };
}

kinds! {
    int2 Int2;
    int4 Int4;
    int8 Int8;
    float8 Float8;
    flag Flag;
    text Text;
    day Day;
    wall Wall;
    offset Offset;
}

/// Makes an optional column: a missing field is null.
pub(crate) const fn json(name: &'static str) -> Column {
    column(name, ColumnKind::Json).optional()
}

impl Column {
    /// Makes the column null where the document has no value.
    pub(crate) const fn optional(self) -> Self {
        Self {
            is_optional: true,
            ..self
        }
    }

    /// Sets the smallest and greatest value; others are refused.
    pub(crate) const fn within(self, least: f64, most: f64) -> Self {
        Self {
            range: Some((least, most)),
            ..self
        }
    }

    /// Sets the field that fills it, where documents use another name.
    pub(crate) const fn from(self, field: &'static str) -> Self {
        Self { field, ..self }
    }

    /// Sets the field with the offset of this wall clock.
    pub(crate) const fn at(self, offset: &'static str) -> Self {
        Self { offset, ..self }
    }
}

/// The bounds of times in a document.
pub(crate) struct Clock<'a> {
    pub(crate) envelope: &'a Fields<'a>,
    pub(crate) synced_at: i64,
}

impl Column {
    /// The value of this column; `extra` holds fields that an older version did not know, by name.
    pub(crate) fn read(
        &self,
        fields: &Fields<'_>,
        extra: Option<&Fields<'_>>,
        clock: &Clock<'_>,
    ) -> Result<Cell, Refusal> {
        let own = fields.optional(self.field)?;
        let kept = extra.map(|extra| extra.optional(self.field)).transpose()?;
        match own.or_else(|| kept.flatten()) {
            Some(value) => self.checked(value, clock),
            None if self.is_optional => Ok(Cell::Null),
            None => Err(Refusal::unmappable(format!("{} is missing", self.field))),
        }
    }

    fn checked(&self, value: RawBsonRef<'_>, clock: &Clock<'_>) -> Result<Cell, Refusal> {
        let name = self.field;
        let cell = match self.kind {
            ColumnKind::Int2 => Cell::Int2(as_integer(name, value)?),
            ColumnKind::Int4 => Cell::Int4(as_integer(name, value)?),
            ColumnKind::Int8 => Cell::Int8(as_integer(name, value)?),
            ColumnKind::Float8 => Cell::Float8(as_float(name, value)?),
            ColumnKind::Flag => Cell::Flag(value.as_bool().ok_or_else(|| wrong(name, "a boolean"))?),
            ColumnKind::Text => Cell::Text(as_text(name, value)?.to_owned()),
            ColumnKind::Json => Cell::Json(as_json(name, value)?),
            ColumnKind::Offset => Cell::Int2(guard::offset(name, as_integer(name, value)?)?),
            ColumnKind::Day => {
                let day = parse_day(name, as_text(name, value)?)?;
                self.in_time(i64::from(day) * DAY_MILLIS, clock)?;
                Cell::Day(day)
            }
            ColumnKind::Wall => {
                let millis = as_millis(name, value)?;
                self.in_time(millis, clock)?;
                Cell::Millis(millis)
            }
        };
        self.in_range(&cell)?;
        Ok(cell)
    }

    fn in_time(&self, local: i64, clock: &Clock<'_>) -> Result<(), Refusal> {
        let offset = guard::offset(self.offset, clock.envelope.integer(self.offset)?)?;
        guard::local_time(self.field, local, offset, clock.synced_at)
    }

    fn in_range(&self, cell: &Cell) -> Result<(), Refusal> {
        let (Some((least, most)), Some(value)) = (self.range, cell.number()) else {
            return Ok(());
        };
        if (least..=most).contains(&value) {
            return Ok(());
        }
        Err(Refusal::out_of_range(format!(
            "{} = {value} is outside {least}..{most}",
            self.field
        )))
    }
}

fn as_float(name: &str, value: RawBsonRef<'_>) -> Result<f64, Refusal> {
    let float = match value {
        RawBsonRef::Double(value) => value,
        RawBsonRef::Int32(value) => value.into(),
        _ => return Err(wrong(name, "a number")),
    };
    if float.is_finite() {
        Ok(float)
    } else {
        Err(Refusal::out_of_range(format!("{name} is not finite")))
    }
}
