//! Rows that are written one by one: days and sessions, each replaced as a whole by a later upload.

use std::sync::Arc;

use bson::{RawBsonRef, RawDocument};
use uuid::Uuid;

use super::column::{Clock, Column, ColumnKind};
use super::fields::{Fields, wrong};
use super::guard;
use super::mapped::Mapped;
use crate::dead_letter::DeadLetter;
use crate::document::{Cell, Child, MappedEntry, Origin, Refusal, Rows};

/// The unit of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowGranularity {
    /// Each sample of a document. An impossible sample becomes a separate dead letter.
    Sample,
    /// A whole document.
    Upload,
}

/// How the documents of a stream become rows.
pub(crate) struct Entries {
    pub(crate) table: &'static str,
    pub(crate) granularity: RowGranularity,
    /// How many of the columns, from the first on, are the key behind the device.
    pub(crate) keys: usize,
    /// Excludes the leading `device_id` and the trailing `synced_at`, `event_id`, which every table has.
    pub(crate) columns: &'static [Column],
    /// A check that needs more than one column.
    pub(crate) check: fn(&Fields<'_>) -> Result<(), Refusal>,
    pub(crate) children: Option<Children>,
}

/// Rows that belong to a session and are replaced with it; their key is the session's key, the list and the place in it.
pub(crate) struct Children {
    pub(crate) table: &'static str,
    /// The list's name in the table, and the field that holds it.
    pub(crate) lists: &'static [(&'static str, &'static str)],
    pub(crate) columns: &'static [Column],
}

impl Entries {
    /// Defaults for most tables.
    pub(crate) const NONE: Self = Self {
        table: "",
        granularity: RowGranularity::Upload,
        keys: 0,
        columns: &[],
        check: |_| Ok(()),
        children: None,
    };
}

struct Envelope {
    device_id: Uuid,
    event_id: Uuid,
    synced_at: i64,
}

pub(super) fn map(
    entries: &Entries,
    fields: &Fields<'_>,
    origin: &Arc<Origin>,
    now: i64,
) -> Result<Mapped, Refusal> {
    fields.position()?;
    let envelope = Envelope {
        device_id: fields.uuid("device_id")?,
        event_id: fields.uuid("_id")?,
        synced_at: guard::synced_at(fields.millis("synced_at")?)?,
    };
    let clock = Clock {
        envelope: fields,
        synced_at: envelope.synced_at,
    };
    match entries.granularity {
        RowGranularity::Upload => {
            let cells = whole(entries, fields, &clock)?;
            (entries.check)(fields)?;
            let children = children(entries.children.as_ref(), fields, &clock)?;
            let entry = envelope.entry((-1, cells, children), origin);
            Ok(Mapped::loaded(Rows::Entries(vec![entry]), origin))
        }
        RowGranularity::Sample => samples(entries, &envelope, &clock, (origin, now)),
    }
}

impl Envelope {
    fn entry(
        &self,
        (item, cells, children): (i32, Vec<Cell>, Vec<Child>),
        origin: &Arc<Origin>,
    ) -> MappedEntry {
        MappedEntry {
            device_id: self.device_id,
            event_id: self.event_id,
            synced_at: self.synced_at,
            item,
            cells,
            children,
            origin: Arc::clone(origin),
        }
    }
}

/// The cells of a whole upload. A field that an older program put under `extra` moves to its column.
fn whole(entries: &Entries, fields: &Fields<'_>, clock: &Clock<'_>) -> Result<Vec<Cell>, Refusal> {
    let extra = fields.extra()?;
    let known = |name: &str| {
        entries.columns.iter().any(|column| column.field == name) && matches!(fields.optional(name), Ok(None))
    };
    let cell = |column: &Column| {
        if column.kind == ColumnKind::Json && column.field == "extra" {
            let rest = extra.as_ref().map(|extra| extra.json_without("extra", known));
            return Ok(rest.transpose()?.flatten().map_or(Cell::Null, Cell::Json));
        }
        column.read(fields, extra.as_ref(), clock)
    };
    entries.columns.iter().map(cell).collect()
}

fn samples(
    entries: &Entries,
    envelope: &Envelope,
    clock: &Clock<'_>,
    (origin, now): (&Arc<Origin>, i64),
) -> Result<Mapped, Refusal> {
    guard::offset(
        "utc_offset_minutes",
        clock.envelope.integer("utc_offset_minutes")?,
    )?;
    let mut rows = Vec::new();
    let mut dead_letters = Vec::new();
    for (item, element) in (0_i32..).zip(clock.envelope.array("metrics")?) {
        let element = element.map_err(|error| Refusal::unmappable(format!("metrics[{item}]: {error}")))?;
        let document = document_of(element, &format!("metrics[{item}]"))?;
        let cells = |column: &Column| column.read(&Fields(document), None, clock);
        match entries.columns.iter().map(cells).collect() {
            Ok(cells) => rows.push(envelope.entry((item, cells, Vec::new()), origin)),
            Err(refusal) if refusal.is_of_value() => {
                let payload = Some(document.as_bytes().to_vec());
                dead_letters.push(DeadLetter::about(origin, item, &refusal, payload, now));
            }
            Err(refusal) => {
                let detail = format!("metrics[{item}]: {}", refusal.detail);
                return Err(Refusal { detail, ..refusal });
            }
        }
    }
    let mut mapped = Mapped::loaded(Rows::Entries(rows), origin);
    mapped.dead_letters = dead_letters;
    Ok(mapped)
}

fn children(
    children: Option<&Children>,
    fields: &Fields<'_>,
    clock: &Clock<'_>,
) -> Result<Vec<Child>, Refusal> {
    let mut rows = Vec::new();
    let Some(children) = children else { return Ok(rows) };
    for &(list, field) in children.lists {
        for (seq, element) in (0_i32..).zip(fields.array(field)?) {
            let name = || format!("{field}[{seq}]");
            let element = element.map_err(|error| Refusal::unmappable(format!("{}: {error}", name())))?;
            let document = Fields(document_of(element, &name())?);
            let cells = children
                .columns
                .iter()
                .map(|column| column.read(&document, None, clock));
            let cells = cells
                .collect::<Result<_, _>>()
                .map_err(|refusal: Refusal| Refusal {
                    detail: format!("{}: {}", name(), refusal.detail),
                    ..refusal
                })?;
            rows.push((list, seq, cells));
        }
    }
    Ok(rows)
}

fn document_of<'a>(element: RawBsonRef<'a>, name: &str) -> Result<&'a RawDocument, Refusal> {
    element.as_document().ok_or_else(|| wrong(name, "a document"))
}

/// Refuses a session that ends before it begins.
pub(super) fn session(fields: &Fields<'_>) -> Result<(), Refusal> {
    let instant = |time: &str, name: &str| {
        let minutes: i64 = fields.integer(name)?;
        Ok(fields
            .millis(time)?
            .saturating_sub(minutes * guard::MINUTE_MILLIS))
    };
    if instant("ended_at", "end_utc_offset_minutes")? < instant("created_at", "utc_offset_minutes")? {
        return Err(Refusal::unmappable("ended_at is before created_at"));
    }
    Ok(())
}
