//! `sleep_score.csv`.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use pulseline_schemas::SleepScore;

use super::clock::with_z;
use super::written::WrittenFile;

const HEADER: &str = "timestamp,sleep_log_entry_id,overall_score,composition_score,revitalization_score,\
    duration_score,deep_sleep_in_minutes,resting_heart_rate,restlessness\n";

/// The file while it is written.
pub(super) struct Scores {
    out: BufWriter<File>,
    written: WrittenFile,
}

impl Scores {
    pub(super) fn create(folder: &Path, name: &'static str) -> io::Result<Self> {
        let mut out = BufWriter::new(File::create(folder.join(name))?);
        out.write_all(HEADER.as_bytes())?;
        Ok(Self {
            out,
            written: WrittenFile {
                name,
                records: 0,
                repeated: 0,
                bytes: HEADER.len() as u64,
            },
        })
    }

    /// Writes scores in the order given.
    pub(super) fn add<'a>(&mut self, scores: impl Iterator<Item = &'a SleepScore>) -> io::Result<()> {
        for score in scores {
            let columns = [
                with_z(score.upload.window_end),
                score.log_id.to_string(),
                cell(score.overall_score),
                cell(score.composition_score),
                cell(score.revitalization_score),
                cell(score.duration_score),
                cell(score.deep_sleep_minutes),
                cell(score.resting_heart_rate),
                cell(score.restlessness),
            ];
            let mut line = columns.join(",");
            line.push('\n');
            self.out.write_all(line.as_bytes())?;
            self.written.bytes += line.len() as u64;
            self.written.records += 1;
        }
        Ok(())
    }

    /// Closes the file.
    pub(super) fn finish(mut self) -> io::Result<WrittenFile> {
        self.out.flush()?;
        Ok(self.written)
    }
}

/// An unknown value is empty.
fn cell<T: Display>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
