//! An archive of files: discovered once, then read twice.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::discover::{Carried, NotCarried, discover};
use crate::family::Family;
use crate::people::People;
use crate::pieces::Elements;
use crate::record::devices_of;
use crate::tree::{Consumed, Tree};
use crate::{ArchiveError, Clock, Options, manifest};

/// The files of some people.
#[derive(Debug)]
pub struct Archive {
    pub(crate) options: Options,
    pub(crate) tree: Tree,
    /// By person and folder; files of days come last, because they extend past the other files.
    pub(crate) files: Vec<Carried>,
    pub(crate) not_carried: Vec<NotCarried>,
    /// People named by folders and profiles.
    pub(crate) people: People,
}

impl Archive {
    /// Lists the files; reads the first bytes of each, and the profiles.
    ///
    /// # Errors
    ///
    /// An unreadable folder or file, an invalid zip archive, an unknown time zone, or no supported
    /// file.
    pub fn open(mut options: Options) -> Result<Self, ArchiveError> {
        let shown = options.root.display().to_string();
        let root: PathBuf = options
            .root
            .canonicalize()
            .map_err(|source| ArchiveError::read(&shown, source))?;
        let tree = Tree::open(&root)?;
        for (name, zone) in manifest::zones(&tree)? {
            options.zones.entry(name).or_insert(zone);
        }
        let people = People::new(&options)?;
        let discovery = discover(&tree, &root, options.person.as_deref())?;
        if discovery.carried.is_empty() {
            return Err(ArchiveError::Empty {
                path: shown,
                seen: tree.entries.len(),
            });
        }
        let mut files = discovery.carried;
        files.sort_by(|a, b| {
            let key = |file: &Carried| (file.entry.folder().to_owned(), file.family.is_daily());
            (&a.person, key(a), &a.entry.path).cmp(&(&b.person, key(b), &b.entry.path))
        });
        let mut archive = Self {
            options,
            tree,
            files,
            not_carried: discovery.not_carried,
            people,
        };
        archive.meet_people()?;
        archive.leave_out()?;
        Ok(archive)
    }

    /// Names from folders and profiles. Tables and documents name people in their records, which only the
    /// survey reads.
    #[must_use]
    pub fn people(&self) -> Vec<String> {
        let names = self.people.all().iter().map(|person| person.name.clone());
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Size on disk of all supported files: the bytes that one reading consumes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.entry.bytes).sum()
    }

    /// The clock of a file: the option of its stream, else that of its layout. Files of days use local time.
    pub(crate) fn clock_of(&self, file: &Carried) -> Clock {
        let given = self.options.clocks.get(&file.family.stream()).copied();
        given
            .filter(|_| !file.family.is_daily())
            .unwrap_or_else(|| file.family.clock(file.layout))
    }

    /// Files of people who are not selected are not read.
    fn leave_out(&mut self) -> Result<(), ArchiveError> {
        // Tables and documents name their people only in their records.
        let known = self.people();
        let tells_all = self.files.iter().all(|file| file.person.is_some());
        if let Some(name) = self
            .options
            .only
            .iter()
            .find(|name| tells_all && !known.contains(name))
        {
            let name = name.clone();
            return Err(ArchiveError::Nobody { name, known });
        }
        let options = &self.options;
        self.files
            .retain(|file| file.person.as_deref().is_none_or(|name| options.wants(name)));
        Ok(())
    }

    /// Reads profiles first: documents name only devices, whose owner's zone must be known.
    fn meet_people(&mut self) -> Result<(), ArchiveError> {
        for file in &self.files {
            if let Some(name) = &file.person {
                self.people.named(name);
            }
            if file.family != Family::StoreUsers {
                continue;
            }
            let read = |source| ArchiveError::read(&file.entry.path, source);
            let mut elements = Elements::new(self.tree.read(&file.entry, &Consumed::default())?);
            while let Some(piece) = elements.next().map_err(read)? {
                if let Some((user_id, devices)) = devices_of(piece.bytes) {
                    self.people.profiled(user_id, &devices);
                }
            }
        }
        Ok(())
    }
}
