//! Parses libpq connection strings: a URL or `name=value name=value`. Errors never quote the text: it may hold a password.

use super::error::SettingsError;

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
const ENDS_EARLY: SettingsError = SettingsError::Text("a name has no value");
const QUOTE_OPEN: SettingsError = SettingsError::Text("a quote is not closed");
const NOT_UTF8: SettingsError = SettingsError::Text("it is not UTF-8 once %-sequences are decoded");

/// Names and values in order; the last of equal names wins.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, SettingsError> {
    let text = text.trim();
    SCHEMES
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .map_or_else(|| pairs(text), url)
}

fn url(text: &str) -> Result<Vec<(String, String)>, SettingsError> {
    let mut given = Vec::new();
    let mut push = |name: &str, value: String| given.push((name.to_owned(), value));
    let rest = match end_of_credentials(text) {
        Some(at) => {
            let (user, password) = split(&text[..at], ':');
            push("user", decoded(user)?);
            if let Some(password) = password {
                push("password", decoded(password)?);
            }
            &text[at + 1..]
        }
        None => text,
    };
    let (place, query) = split(rest, '?');
    let (authority, dbname) = split(place, '/');
    if !authority.is_empty() {
        let (hosts, ports) = hosts_and_ports(authority)?;
        push("host", decoded(&hosts)?);
        push("port", decoded(&ports)?);
    }
    if let Some(dbname) = dbname.filter(|name| !name.is_empty()) {
        push("dbname", decoded(dbname)?);
    }
    for pair in query.into_iter().flat_map(|query| query.split('&')) {
        if pair.is_empty() {
            continue;
        }
        let (name, value) = pair.split_once('=').ok_or(ENDS_EARLY)?;
        push(&decoded(name)?, decoded(value)?);
    }
    Ok(given)
}

/// End of user and password. As in libpq, a slash ends the search unless it belongs to an unencoded password.
fn end_of_credentials(text: &str) -> Option<usize> {
    let first = text.find(['@', '/'])?;
    if text[first..].starts_with('@') {
        return Some(first);
    }
    let (_, port) = split(&text[..first], ':');
    let is_password = port.is_some_and(|port| !port.chars().all(|c| c.is_ascii_digit() || c == ','));
    let is_list_or_address = text.starts_with('[') || text[..first].contains(',');
    text.find('@').filter(|_| is_password && !is_list_or_address)
}

/// `a:1,[::1]:2,c` → `a,::1,c` and `1,2,`.
fn hosts_and_ports(authority: &str) -> Result<(String, String), SettingsError> {
    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    for one in authority.split(',') {
        let (host, port) = match one.strip_prefix('[') {
            Some(rest) => {
                let (address, after) = rest
                    .split_once(']')
                    .ok_or(SettingsError::Text("a bracket is not closed"))?;
                let is_port = after.is_empty() || after.starts_with(':');
                if !is_port {
                    return Err(SettingsError::Text(
                        "only a colon may follow an address in brackets",
                    ));
                }
                (address, after.trim_start_matches(':'))
            }
            None => {
                let (host, port) = split(one, ':');
                (host, port.unwrap_or_default())
            }
        };
        hosts.push(host);
        ports.push(port);
    }
    Ok((hosts.join(","), ports.join(",")))
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at)
        .map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Decodes %-sequences; a bare % stays unchanged, as passwords may contain one.
fn decoded(text: &str) -> Result<String, SettingsError> {
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(plain).map_err(|_| NOT_UTF8)
}

fn pairs(text: &str) -> Result<Vec<(String, String)>, SettingsError> {
    let mut given = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or(ENDS_EARLY)?;
        let after = after.trim_start();
        let (value, left) = match after.strip_prefix('\'') {
            Some(quoted) => value(quoted, |c| c == '\'', true)?,
            None => value(after, char::is_whitespace, false)?,
        };
        given.push((name.trim().to_owned(), value));
        rest = left.trim_start();
    }
    Ok(given)
}

/// A value and the rest of the text; a backslash escapes the next character.
fn value(text: &str, ends: impl Fn(char) -> bool, is_quoted: bool) -> Result<(String, &str), SettingsError> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, kept)| kept)),
            end if ends(end) => return Ok((value, &text[at + end.len_utf8()..])),
            other => value.push(other),
        }
    }
    if is_quoted {
        return Err(QUOTE_OPEN);
    }
    Ok((value, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, name: &str) -> Option<String> {
        let mut given = parse(text).unwrap();
        given.reverse();
        given.into_iter().find(|(n, _)| n == name).map(|(_, value)| value)
    }

    #[test]
    fn a_url_is_read_as_libpq_reads_it() {
        let url = "postgresql://a%40b:p%3Aw@h1:1,[::1]:2,h3/d%20b?sslmode=verify-full&host=other";
        assert_eq!(of(url, "user").as_deref(), Some("a@b"));
        assert_eq!(of(url, "password").as_deref(), Some("p:w"));
        assert_eq!(of(url, "port").as_deref(), Some("1,2,"));
        assert_eq!(of(url, "dbname").as_deref(), Some("d b"));
        assert_eq!(of(url, "sslmode").as_deref(), Some("verify-full"));
        // The last one wins.
        assert_eq!(of(url, "host").as_deref(), Some("other"));
        let url = "postgres://h1:1,[::1]:2,h3/?options=a@b";
        assert_eq!(of(url, "host").as_deref(), Some("h1,::1,h3"));
        assert_eq!(of(url, "dbname"), None);
        assert_eq!(of(url, "options").as_deref(), Some("a@b"));
        let socket = "postgres:///d?host=%2Frun%2Fpg";
        assert_eq!(of(socket, "host").as_deref(), Some("/run/pg"));
    }

    #[test]
    fn a_password_that_is_not_encoded_is_taken_as_it_was() {
        assert_eq!(of("postgres://u:pa/ss@h/d", "password").as_deref(), Some("pa/ss"));
        assert_eq!(of("postgres://u:pa?ss@h/d", "password").as_deref(), Some("pa?ss"));
        assert_eq!(of("postgres://u:100%@h/d", "password").as_deref(), Some("100%"));
        assert_eq!(of("postgres://h:5432/d?options=a@b", "user"), None);
    }

    #[test]
    fn pairs_are_read_as_libpq_reads_them() {
        let text = r"host = a,b port=1,2 password='it\'s = \\ here' dbname=d\ b application_name=''";
        assert_eq!(of(text, "host").as_deref(), Some("a,b"));
        assert_eq!(of(text, "password").as_deref(), Some(r"it's = \ here"));
        assert_eq!(of(text, "dbname").as_deref(), Some("d b"));
        assert_eq!(of(text, "application_name").as_deref(), Some(""));
    }

    #[test]
    fn what_cannot_be_read_is_refused_without_its_text() {
        for wrong in [
            "hunter2",
            "password='hunter2",
            "postgres://u@h/?hunter2",
            "postgres://[hunter2/",
        ] {
            let error = parse(wrong).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
