//! Files for a test, as a folder or packed.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use tempfile::TempDir;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A folder that goes with the test.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(TempDir::new().unwrap());
        for (path, text) in files {
            folder.put(path, text.as_bytes());
        }
        folder
    }

    pub(crate) fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

pub(crate) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// An archive whose entries are stored, as the `zip` crate writes them here.
pub(crate) fn zip_of(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::STORE);
    for (path, text) in files {
        zip.start_file(*path, stored).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// An archive of one deflated entry, written by hand.
pub(crate) fn deflated_zip_of(path: &str, text: &str) -> Vec<u8> {
    let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
    deflate.write_all(text.as_bytes()).unwrap();
    let packed = deflate.finish().unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(text.as_bytes());
    let mut about = Vec::new();
    for field in [20_u16, 0, 8, 0, 0x21] {
        about.extend(field.to_le_bytes());
    }
    for field in [crc.sum(), packed.len() as u32, text.len() as u32] {
        about.extend(field.to_le_bytes());
    }
    about.extend((path.len() as u16).to_le_bytes());
    about.extend(0_u16.to_le_bytes());

    let mut zip = b"PK\x03\x04".to_vec();
    zip.extend(&about);
    zip.extend(path.as_bytes());
    zip.extend(&packed);
    let directory = zip.len() as u32;
    zip.extend(b"PK\x01\x02\x14\x00");
    zip.extend(&about);
    zip.extend([0; 14]);
    zip.extend(path.as_bytes());
    let length = zip.len() as u32 - directory;
    zip.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    zip.extend(length.to_le_bytes());
    zip.extend(directory.to_le_bytes());
    zip.extend([0; 2]);
    zip
}
