//! Connection parameters from the URL, with defaults from libpq's environment variables; unknown ones are refused.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use super::conninfo;
use super::error::SettingsError;

/// Supported parameters with the variable of their default, if any. The names are libpq's;
/// `keepalives_retries` is the driver's name of `keepalives_count`.
const KNOWN: [(&str, &str); 35] = [
    ("host", "PGHOST"),
    ("hostaddr", "PGHOSTADDR"),
    ("port", "PGPORT"),
    ("dbname", "PGDATABASE"),
    ("user", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("passfile", "PGPASSFILE"),
    ("connect_timeout", "PGCONNECT_TIMEOUT"),
    ("application_name", "PGAPPNAME"),
    ("fallback_application_name", ""),
    ("client_encoding", ""),
    ("options", "PGOPTIONS"),
    ("keepalives", ""),
    ("keepalives_idle", ""),
    ("keepalives_interval", ""),
    ("keepalives_count", ""),
    ("keepalives_retries", ""),
    ("tcp_user_timeout", ""),
    ("sslmode", "PGSSLMODE"),
    ("ssl", ""),
    ("sslrootcert", "PGSSLROOTCERT"),
    ("sslcert", "PGSSLCERT"),
    ("sslkey", "PGSSLKEY"),
    ("sslpassword", ""),
    ("sslcrl", "PGSSLCRL"),
    ("sslnegotiation", "PGSSLNEGOTIATION"),
    ("sslcertmode", "PGSSLCERTMODE"),
    ("sslsni", "PGSSLSNI"),
    ("sslcompression", ""),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION"),
    ("channel_binding", "PGCHANNELBINDING"),
    ("gssencmode", "PGGSSENCMODE"),
    ("target_session_attrs", "PGTARGETSESSIONATTRS"),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS"),
];
/// Longest unknown parameter name to quote; a longer one may be part of a password.
const NAME_LENGTH_MAX: usize = 32;

/// The source of defaults.
pub(super) trait Surroundings {
    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;
}

impl<F: Fn(&str) -> Option<String>> Surroundings for F {
    fn variable(&self, name: &str) -> Option<String> {
        self(name)
    }
}

struct Given {
    value: String,
    /// Its variable; empty for the URL.
    variable: &'static str,
}

/// Connection parameters. As in libpq, an empty value counts as unset.
pub(super) struct Parameters {
    given: BTreeMap<&'static str, Given>,
    /// The home directory, for libpq's files.
    home: Option<PathBuf>,
}

impl Parameters {
    pub(super) fn read(text: &str, surroundings: &dyn Surroundings) -> Result<Self, SettingsError> {
        let mut given = BTreeMap::new();
        for (name, variable) in KNOWN.into_iter().filter(|(_, variable)| !variable.is_empty()) {
            if let Some(value) = surroundings.variable(variable) {
                given.insert(name, Given { value, variable });
            }
        }
        for (name, value) in conninfo::parse(text)? {
            let known = KNOWN.into_iter().find(|(known, _)| *known == name);
            let (name, _) = known.ok_or_else(|| unknown(&name))?;
            given.insert(name, Given { value, variable: "" });
        }
        given.retain(|_, given| !given.value.is_empty());
        let home = surroundings.variable("HOME").filter(|home| !home.is_empty());
        Ok(Self {
            given,
            home: home.map(PathBuf::from),
        })
    }

    /// The value, if set.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(|given| given.value.as_str())
    }

    /// The setting as its user knows it.
    pub(super) fn label(&self, name: &str) -> String {
        match self.given.get(name) {
            Some(given) if !given.variable.is_empty() => given.variable.to_owned(),
            _ => format!("{name} in timescale.url"),
        }
    }

    /// Refuses the value without quoting it.
    pub(super) fn wrong(&self, name: &str, expected: &str) -> SettingsError {
        SettingsError::Value {
            setting: self.label(name),
            expected: expected.to_owned(),
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, SettingsError> {
        let Some(value) = self.get(name) else {
            return Ok(None);
        };
        let found = words.iter().find(|(word, _)| *word == value);
        found.map(|(_, meaning)| Some(*meaning)).ok_or_else(|| {
            let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.wrong(name, &format!("one of {}", names.join(", ")))
        })
    }

    /// A number.
    pub(super) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, SettingsError> {
        self.get(name)
            .map(|value| value.trim().parse().map_err(|_| self.wrong(name, "a number")))
            .transpose()
    }

    /// True when a file was asked for, rather than looked for where libpq has it.
    pub(super) fn names(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// The file that was asked for; otherwise the one in the home directory.
    pub(super) fn file(&self, name: &str, default: &str) -> Option<PathBuf> {
        match self.get(name) {
            Some(path) => Some(PathBuf::from(path)),
            None => self.home.as_ref().map(|home| home.join(default)),
        }
    }
}

fn unknown(name: &str) -> SettingsError {
    let is_name = name.len() <= NAME_LENGTH_MAX
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if is_name {
        SettingsError::Unknown(name.to_owned())
    } else {
        SettingsError::Text("it contains an invalid parameter name")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn the_url_goes_before_the_environment() {
        let variables = |name: &str| (name == "PGSSLMODE").then(|| "require".to_owned());
        let read = Parameters::read("postgres://h/d", &variables).unwrap();
        assert_eq!(read.get("sslmode"), Some("require"));
        assert_eq!(read.label("sslmode"), "PGSSLMODE");
        let read = Parameters::read("postgres://h/d?sslmode=disable", &variables).unwrap();
        assert_eq!(read.get("sslmode"), Some("disable"));
        assert_eq!(read.label("sslmode"), "sslmode in timescale.url");
    }

    #[test]
    fn what_is_unknown_is_refused_by_its_name_and_never_by_its_value() {
        let error = |text| Parameters::read(text, &nothing).err().unwrap().to_string();
        let text = error("postgres://u:hunter2@h/d?sslmod=hunter2");
        assert!(text.contains("`sslmod`") && !text.contains("hunter2"), "{text}");
        let text = error("host=h password=a Hunter2=x");
        assert!(!text.contains("Hunter2"), "{text}");
    }

    #[test]
    fn an_empty_value_is_none() {
        let read = Parameters::read("postgres://h/d?sslmode=&application_name=", &nothing).unwrap();
        assert_eq!(read.get("sslmode"), None);
    }
}
