//! Assigns files to people and kinds: by name, and by content when a name is ambiguous.

mod recognise;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::ArchiveError;
use crate::family::{Family, Layout};
use crate::manifest::MANIFEST;
use crate::tree::{ArchiveEntry, Tree};
use recognise::{Recognised, recognise};

/// Bytes that suffice to recognise a file.
const PEEK_BYTES: u64 = 4 << 10;

/// A supported file.
#[derive(Clone, Debug)]
pub(crate) struct Carried {
    pub(crate) entry: ArchiveEntry,
    pub(crate) layout: Layout,
    pub(crate) family: Family,
    /// Its person; none when the records name people.
    pub(crate) person: Option<String>,
}

/// Unsupported files of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotCarried {
    /// Name of the kind.
    pub kind: String,
    /// The reason.
    pub why: &'static str,
    /// Number of files.
    pub files: usize,
}

/// The files of a tree.
#[derive(Clone, Debug, Default)]
pub(crate) struct Discovery {
    pub(crate) carried: Vec<Carried>,
    pub(crate) not_carried: Vec<NotCarried>,
}

/// Classifies the files of a tree.
///
/// A folder named `p` and a number is a person. Otherwise all files belong to one person, named after the root, unless
/// several folders of the root have their own heart rates or steps: then each is a person.
pub(crate) fn discover(tree: &Tree, root: &Path, person: Option<&str>) -> Result<Discovery, ArchiveError> {
    let mut discovery = Discovery::default();
    let mut others: BTreeMap<(String, &'static str), usize> = BTreeMap::new();
    for path in &tree.locked {
        let kind = path.rsplit('/').next().unwrap_or_default().to_owned();
        *others
            .entry((kind, "encrypted, or compressed with an unsupported method"))
            .or_default() += 1;
    }
    for entry in tree.entries.iter().filter(|entry| entry.path != MANIFEST) {
        let head = tree.peek(entry, PEEK_BYTES)?;
        match recognise(entry, &head) {
            Recognised::Carried(layout, family) => discovery.carried.push(Carried {
                entry: entry.clone(),
                layout,
                family,
                person: None,
            }),
            Recognised::Not(kind, why) => *others.entry((kind, why)).or_default() += 1,
        }
    }
    let several = has_several_people(&discovery.carried);
    for file in &mut discovery.carried {
        if matches!(file.layout, Layout::Pmdata | Layout::Account) {
            file.person = Some(match person {
                Some(name) => name.to_owned(),
                None => person_of(file, root, several),
            });
        }
    }
    discovery.not_carried = others
        .into_iter()
        .map(|((kind, why), files)| NotCarried { kind, why, files })
        .collect();
    Ok(discovery)
}

fn has_several_people(files: &[Carried]) -> bool {
    let tops: BTreeSet<_> = files
        .iter()
        .filter(|file| matches!(file.family, Family::HeartRate | Family::Steps))
        .map(|file| file.entry.path.split_once('/').map(|(top, _)| top))
        .collect();
    tops.len() > 1 && !tops.contains(&None)
}

fn person_of(file: &Carried, root: &Path, several: bool) -> String {
    let numbered = file.entry.folder().split('/').find(|part| is_numbered(part));
    let top = file.entry.path.split_once('/').map(|(top, _)| top);
    match (numbered, top) {
        (Some(part), _) => part.to_owned(),
        (None, Some(top)) if several => top.to_owned(),
        _ => name_of(root),
    }
}

/// True for `p01` and similar names; `p02b` is a person's second device.
fn is_numbered(part: &str) -> bool {
    part.strip_prefix('p').is_some_and(|rest| {
        let digits = rest
            .strip_suffix(|last: char| last.is_ascii_lowercase())
            .unwrap_or(rest);
        (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The name of a folder or archive, or of its parent when it is called `fitbit`.
fn name_of(root: &Path) -> String {
    let is_named = |path: &&Path| {
        path.file_name()
            .is_some_and(|name| !name.eq_ignore_ascii_case("fitbit"))
    };
    let named = root.ancestors().find(is_named).unwrap_or(root);
    let name = if named
        .extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("zip"))
    {
        named.file_stem()
    } else {
        named.file_name()
    };
    name.map_or_else(|| "one".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_named_by_folders() {
        assert!(is_numbered("p01") && is_numbered("p123") && is_numbered("p02b"));
        assert!(!is_numbered("p") && !is_numbered("pmsys") && !is_numbered("people"));
        assert_eq!(name_of(Path::new("/data/anna")), "anna");
        assert_eq!(name_of(Path::new("/data/anna/Fitbit")), "anna");
        assert_eq!(name_of(Path::new("/data/anna.zip")), "anna");
    }
}
