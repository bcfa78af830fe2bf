//! Walks all records of the files in a stable order.

use pulseline_schemas::Stream;

use crate::archive::Archive;
use crate::discover::Carried;
use crate::people::{People, Who};
use crate::pieces::{Elements, Lines, Pieces};
use crate::record::{Columns, Context, Out, Progress, Row};
use crate::refused::{REFUSED_BYTES_MAX, Refused, origin_of};
use crate::tree::{Consumed, EntryReader};
use crate::value::Refusal;
use crate::{ArchiveError, Clock};

/// Result of one record.
#[derive(Debug, Default)]
pub(crate) struct RecordOutcome {
    /// Index of the file.
    pub(crate) file: usize,
    /// The record's person, if known.
    pub(crate) owner: Option<Who>,
    /// 1 for a record, 0 for damage and at the end of a file.
    pub(crate) records: u64,
    pub(crate) rows: Vec<Row>,
    pub(crate) refused: Vec<Refused>,
    pub(crate) sentinels: u64,
    /// True after the last record of a file.
    pub(crate) ended: bool,
}

/// A walk through some files of an archive.
pub(crate) struct Walk<'a> {
    archive: &'a Archive,
    files: std::ops::Range<usize>,
    open: Option<OpenFile>,
    pub(crate) people: People,
    consumed: Consumed,
    out: Out,
}

struct OpenFile {
    index: usize,
    pieces: Pieces<EntryReader>,
    progress: Progress,
    clock: Clock,
    has_header: bool,
}

impl<'a> Walk<'a> {
    /// Walks the files of these indices; `people` are already known.
    pub(crate) fn new(
        archive: &'a Archive,
        files: std::ops::Range<usize>,
        people: People,
        consumed: Consumed,
    ) -> Self {
        Self {
            archive,
            files,
            open: None,
            people,
            consumed,
            out: Out::default(),
        }
    }

    /// Reads the next record; false when there is none.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub(crate) fn next(&mut self, outcome: &mut RecordOutcome) -> Result<bool, ArchiveError> {
        outcome.rows.clear();
        outcome.refused.clear();
        (outcome.records, outcome.sentinels, outcome.ended, outcome.owner) = (0, 0, false, None);
        let mut open = match self.open.take() {
            Some(open) => open,
            None => match self.files.next() {
                Some(index) => self.open(index)?,
                None => return Ok(false),
            },
        };
        outcome.file = open.index;
        let file = &self.archive.files[open.index];
        if self.read(file, &mut open, outcome)? {
            self.open = Some(open);
        } else {
            outcome.ended = true;
        }
        Ok(true)
    }

    /// Removes people who are not selected, after all readings have dated a shared folder.
    pub(crate) fn leave_out(&self, outcome: &mut RecordOutcome) {
        let is_wanted = |who: Who| self.archive.options.wants(&self.people.get(who).name);
        outcome.rows.retain(|row| is_wanted(row.who));
        if outcome.owner.is_some_and(|who| !is_wanted(who)) {
            outcome.refused.clear();
            (outcome.records, outcome.sentinels, outcome.owner) = (0, 0, None);
        }
    }

    fn open(&mut self, index: usize) -> Result<OpenFile, ArchiveError> {
        let file = &self.archive.files[index];
        let source = self.archive.tree.read(&file.entry, &self.consumed)?;
        let pieces = if file.family.is_csv() {
            Pieces::Csv(Lines::new(source))
        } else {
            Pieces::Json(Elements::new(source))
        };
        let progress = Progress {
            owner: file.person.as_deref().map(|name| self.people.named(name)),
            ..Progress::default()
        };
        Ok(OpenFile {
            index,
            pieces,
            progress,
            clock: self.archive.clock_of(file),
            has_header: !file.family.is_csv(),
        })
    }

    /// Reads the next piece of a file; false at its end.
    fn read(
        &mut self,
        file: &Carried,
        open: &mut OpenFile,
        outcome: &mut RecordOutcome,
    ) -> Result<bool, ArchiveError> {
        let piece = open.pieces.next();
        let Some(piece) = piece.map_err(|source| ArchiveError::read(&file.entry.path, source))? else {
            return Ok(false);
        };
        if let Some(reason) = piece.damage {
            let refusal = Refusal::new(reason, sentence(reason));
            self.out.refusals.push((-1, refusal));
        } else if !open.has_header {
            open.has_header = true;
            open.progress.columns = Some(Columns::named_by(piece.bytes));
            return Ok(true);
        } else {
            outcome.records = 1;
            let mut context = Context {
                family: file.family,
                clock: open.clock,
                people: &mut self.people,
                progress: &mut open.progress,
            };
            if let Err(refusal) = context.read(piece.bytes, &mut self.out) {
                self.out.refusals.push((-1, refusal));
            }
        }
        let owner = open.progress.owner;
        outcome.owner = owner.map(|(who, _)| who);
        outcome.sentinels = std::mem::take(&mut self.out.sentinels);
        std::mem::swap(&mut outcome.rows, &mut self.out.rows);
        for (item, refusal) in self.out.refusals.drain(..) {
            outcome.refused.push(Refused {
                file: file.entry.path.clone(),
                stream: file.family.stream(),
                origin: origin_of(&file.entry, owner.map(|(_, device)| device), piece.bytes),
                offset: piece.offset,
                item,
                bytes: piece.bytes[..piece.bytes.len().min(REFUSED_BYTES_MAX)].to_vec(),
                reason: refusal.reason,
                detail: refusal.detail,
                person: owner.map(|(who, _)| self.people.get(who).name.clone()),
                key: owner.map(|(who, device)| match file.family.stream() {
                    Stream::Users => self.people.get(who).user_id,
                    _ => device,
                }),
            });
        }
        Ok(true)
    }
}

fn sentence(damage: &str) -> &'static str {
    match damage {
        "json" => "the record is broken; reading goes on at the next one",
        "garbage" => "this is no record; reading goes on at the next one",
        "truncated" => "the file ends in the middle",
        "too_long" => "the record has more than 4 MiB",
        _ => "a quote is never closed",
    }
}
