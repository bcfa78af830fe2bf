//! Archives of the classes that a Java server loads: with one it starts in half the processor time.
//!
//! A server that stops leaves the archive with its data, from where it moves beside the program, for every later server.
//! Another Java than the one that made it leaves it unused.

use std::fs;
use std::path::{Path, PathBuf};

const FILE: &str = "classes.jsa";

/// The archive of one server.
pub(crate) struct ClassArchive {
    /// Beside the program.
    kept: PathBuf,
    /// With the data of the server that makes it.
    made: PathBuf,
}

impl ClassArchive {
    /// Of a program, and of a server with this data.
    pub(crate) fn of(program: &Path, data: &Path) -> Self {
        Self {
            kept: program.join(FILE),
            made: data.join(FILE),
        }
    }

    /// Java's option that uses the archive, where there is one.
    pub(crate) fn used(&self) -> Option<String> {
        let is_kept = self.kept.exists();
        is_kept.then(|| format!("-XX:SharedArchiveFile={}", self.kept.display()))
    }

    /// Java's option that uses the archive, or makes one when the server stops.
    pub(crate) fn option(&self) -> String {
        let made = || format!("-XX:ArchiveClassesAtExit={}", self.made.display());
        self.used().unwrap_or_else(made)
    }

    /// Takes what a stopped server has made. Without an archive the next start only takes longer.
    pub(crate) fn keep(&self) {
        let _ = fs::rename(&self.made, &self.kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_server_that_stops_makes_the_archive_of_all_later_ones() {
        let folder = tempfile::tempdir().unwrap();
        let [program, data] = ["program", "data"].map(|name| folder.path().join(name));
        fs::create_dir_all(&program).unwrap();
        fs::create_dir_all(&data).unwrap();
        let archive = ClassArchive::of(&program, &data);
        let made = data.join(FILE);
        archive.keep();
        assert_eq!(
            archive.option(),
            format!("-XX:ArchiveClassesAtExit={}", made.display())
        );
        fs::write(&made, "classes").unwrap();
        archive.keep();
        let kept = program.join(FILE);
        assert_eq!(
            archive.option(),
            format!("-XX:SharedArchiveFile={}", kept.display())
        );
        assert!(!made.exists());
    }
}
