//! libpq's password file: lines of `host:port:database:user:password`; the first match counts.

use std::fs;
use std::path::Path;

/// The key of the search.
pub(super) struct Wanted<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) dbname: &'a str,
    pub(super) user: &'a str,
}

/// The password file's text; none when it is missing or, as in libpq, readable by others than its owner.
pub(super) fn read(path: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "password file ignored: group or others can read it; run chmod 0600");
        return None;
    }
    fs::read_to_string(path).ok()
}

/// The password of the first matching line.
pub(super) fn find(text: &str, wanted: &Wanted<'_>) -> Option<String> {
    let port = wanted.port.to_string();
    let asked = [wanted.host, &port, wanted.dbname, wanted.user];
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let fields = fields(line);
            let (password, keys) = fields.split_last()?;
            let fits = keys.len() == asked.len()
                && keys
                    .iter()
                    .zip(asked)
                    .all(|(key, asked)| key == "*" || key == asked);
            fits.then(|| password.clone())
        })
}

/// The five fields of a line; a backslash escapes colons and backslashes.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let is_last = fields.len() == 5;
        match character {
            ':' if !is_last => fields.push(String::new()),
            other => {
                let kept = if other == '\\' {
                    characters.next()
                } else {
                    Some(other)
                };
                if let Some(field) = fields.last_mut() {
                    field.extend(kept);
                }
            }
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_gives_the_password() {
        let text = "# a comment\nh:1:d:other:no\nh:*:d:u:p\\:w\\\\\n*:*:*:*:late\n";
        let wanted = |host| Wanted {
            host,
            port: 5432,
            dbname: "d",
            user: "u",
        };
        assert_eq!(find(text, &wanted("h")).as_deref(), Some("p:w\\"));
        assert_eq!(find(text, &wanted("elsewhere")).as_deref(), Some("late"));
        assert_eq!(find("h:1:d", &wanted("h")), None);
    }
}
