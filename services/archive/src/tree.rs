//! The files of a folder or zip archive, and their readers.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::{DeflateDecoder, MultiGzDecoder};
use zip::{CompressionMethod, ZipArchive};

use crate::ArchiveError;

/// A reader of an uncompressed file.
pub(crate) type EntryReader = Box<dyn Read + Send>;

/// Bytes read from the disk so far.
pub(crate) type Consumed = Arc<AtomicU64>;

/// One file.
#[derive(Clone, Debug)]
pub(crate) struct ArchiveEntry {
    /// Below the root, with `/` between.
    pub(crate) path: String,
    /// Size on disk, compressed.
    pub(crate) bytes: u64,
    location: EntryLocation,
}

#[derive(Clone, Debug)]
enum EntryLocation {
    File(PathBuf),
    Zipped { start: u64, deflated: bool },
}

impl ArchiveEntry {
    /// Name without its folders and without `.gz`.
    pub(crate) fn name(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".gz").unwrap_or(name)
    }

    /// Its folders, from the root.
    pub(crate) fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// All files of an archive, sorted by path.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    pub(crate) entries: Vec<ArchiveEntry>,
    /// Zip entries that are encrypted or use an unsupported compression.
    pub(crate) locked: Vec<String>,
}

impl Tree {
    pub(crate) fn open(root: &Path) -> Result<Self, ArchiveError> {
        let shown = root.display().to_string();
        let mut tree = Self {
            root: root.to_owned(),
            entries: Vec::new(),
            locked: Vec::new(),
        };
        let about = fs::metadata(root).map_err(|source| ArchiveError::read(&shown, source))?;
        if about.is_dir() {
            tree.list_folder(root)?;
        } else {
            let file = File::open(root).map_err(|source| ArchiveError::read(&shown, source))?;
            tree.list_zip(file)
                .map_err(|source| ArchiveError::Zip { path: shown, source })?;
        }
        tree.entries.sort_by(|a, b| a.path.cmp(&b.path));
        tree.locked.sort();
        Ok(tree)
    }

    fn list_folder(&mut self, folder: &Path) -> Result<(), ArchiveError> {
        let read = |path: &Path, source| ArchiveError::read(path.display().to_string(), source);
        for entry in fs::read_dir(folder).map_err(|source| read(folder, source))? {
            let entry = entry.map_err(|source| read(folder, source))?;
            if is_hidden(&entry.file_name().to_string_lossy()) {
                continue;
            }
            let path = entry.path();
            let kind = entry.file_type().map_err(|source| read(&path, source))?;
            // A symlink to a folder may form a cycle; one to a file is read.
            let about = fs::metadata(&path).map_err(|source| read(&path, source))?;
            if kind.is_symlink() && about.is_dir() {
                continue;
            }
            if about.is_dir() {
                self.list_folder(&path)?;
            } else {
                let below = path.strip_prefix(&self.root).unwrap_or(&path);
                let parts: Vec<_> = below.iter().map(|part| part.to_string_lossy()).collect();
                self.entries.push(ArchiveEntry {
                    path: parts.join("/"),
                    bytes: about.len(),
                    location: EntryLocation::File(path),
                });
            }
        }
        Ok(())
    }

    fn list_zip(&mut self, file: File) -> Result<(), zip::result::ZipError> {
        let mut zip = ZipArchive::new(BufReader::new(file))?;
        for index in 0..zip.len() {
            let entry = zip.by_index_raw(index)?;
            let path = entry.name()?.replace('\\', "/");
            if entry.is_dir() || path.split('/').any(is_hidden) {
                continue;
            }
            let deflated = entry.compression() == CompressionMethod::DEFLATE;
            let readable =
                !entry.encrypted() && (deflated || entry.compression() == CompressionMethod::STORE);
            match entry.data_start().filter(|_| readable) {
                None => self.locked.push(path),
                Some(start) => self.entries.push(ArchiveEntry {
                    path,
                    bytes: entry.compressed_size(),
                    location: EntryLocation::Zipped { start, deflated },
                }),
            }
        }
        Ok(())
    }

    /// Opens a file for uncompressed reading; adds the bytes read from disk to `consumed`.
    pub(crate) fn read(
        &self,
        entry: &ArchiveEntry,
        consumed: &Consumed,
    ) -> Result<EntryReader, ArchiveError> {
        let unpacked = || -> io::Result<EntryReader> {
            let counted = |file| Counted {
                file,
                consumed: Arc::clone(consumed),
            };
            let source: EntryReader = match &entry.location {
                EntryLocation::File(path) => Box::new(counted(File::open(path)?)),
                EntryLocation::Zipped { start, deflated } => {
                    let mut file = File::open(&self.root)?;
                    file.seek(SeekFrom::Start(*start))?;
                    let packed = BufReader::new(counted(file).take(entry.bytes));
                    if *deflated {
                        Box::new(DeflateDecoder::new(packed))
                    } else {
                        Box::new(packed)
                    }
                }
            };
            if entry.path.ends_with(".gz") {
                return Ok(Box::new(MultiGzDecoder::new(source)));
            }
            Ok(source)
        };
        unpacked().map_err(|source| ArchiveError::read(&entry.path, source))
    }

    /// The first uncompressed bytes of a file; fewer if it is damaged.
    pub(crate) fn peek(&self, entry: &ArchiveEntry, bytes: u64) -> Result<Vec<u8>, ArchiveError> {
        let mut head = Vec::new();
        let mut source = self.read(entry, &Consumed::default())?.take(bytes);
        match source.read_to_end(&mut head) {
            Err(error) if !is_damage(&error) => Err(ArchiveError::read(&entry.path, error)),
            _ => Ok(head),
        }
    }
}

/// True for errors of a decompressor, false for I/O errors of the system.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
    )
}

fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || name == "__MACOSX"
}

struct Counted {
    file: File,
    consumed: Consumed,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(into)?;
        self.consumed.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
