//! Written folders and files.

use uuid::Uuid;

/// The written files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// One per device, in the order of their names.
    pub folders: Vec<WrittenFolder>,
}

/// The files of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenFolder {
    /// `p01`; a person's second device is `p02b`.
    pub name: String,
    /// IANA name of the time zone of the files' wall clock.
    pub zone: String,
    /// The person.
    pub user_id: Uuid,
    /// The device's id in its uploads. The files do not contain it.
    pub device_id: Uuid,
    /// In the order in which they were written.
    pub files: Vec<WrittenFile>,
}

/// One file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenFile {
    /// Such as `heart_rate.json`.
    pub name: &'static str,
    /// Records in the file, with repeated ones.
    pub records: u64,
    /// Records that repeat the one before them.
    pub repeated: u64,
    /// Its size.
    pub bytes: u64,
}

impl Written {
    /// Records in all files.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.files().map(|file| file.records).sum()
    }

    /// Size of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files().map(|file| file.bytes).sum()
    }

    fn files(&self) -> impl Iterator<Item = &WrittenFile> {
        self.folders.iter().flat_map(|folder| &folder.files)
    }
}
