//! The number of readings and devices.

use std::fmt;

/// One size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    /// Readings, approximately.
    pub(crate) readings: u64,
    /// People who make them.
    pub(crate) participants: u32,
    /// Devices that share the uploads; none: the people's own devices.
    pub(crate) devices: Option<u32>,
}

impl Case {
    /// Every combination of a number of readings and a number of devices.
    pub(crate) fn all(readings: &[u64], participants: u32, devices: &[u32]) -> Vec<Self> {
        let mut cases = Vec::new();
        for &readings in readings {
            let case = Self {
                readings,
                participants,
                devices: None,
            };
            cases.extend(devices.iter().map(|devices| Self {
                devices: Some(*devices),
                ..case
            }));
            if devices.is_empty() {
                cases.push(case);
            }
        }
        cases
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} readings", short(self.readings))?;
        match self.devices {
            Some(devices) => write!(f, ", {devices} devices"),
            None => write!(f, ", {} people", self.participants),
        }
    }
}

/// Reads `500000`, `500k`, `5M`.
pub(crate) fn count(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.as_bytes().last() {
        Some(b'k') => (&text[..text.len() - 1], 1_000),
        Some(b'M') => (&text[..text.len() - 1], 1_000_000),
        _ => (text, 1),
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|count| count.checked_mul(factor))
        .filter(|count| *count > 0)
        .ok_or_else(|| format!("`{text}` is no number such as 500000, 500k or 5M"))
}

fn short(count: u64) -> String {
    match count {
        _ if count.is_multiple_of(1_000_000) => format!("{}M", count / 1_000_000),
        _ if count.is_multiple_of(1_000) => format!("{}k", count / 1_000),
        _ => count.to_string(),
    }
}
