//! Renamed settings: the old name still works, with a warning.

use std::collections::BTreeMap;

/// Old and new name. The section accepts either (`serde(alias)`) and rejects both together.
const RENAMED: [(&str, &str); 1] = [("loader.frontier_devices", "loader.high_watermark_devices")];

/// One warning for each setting that uses its old name.
pub(crate) fn warnings(origins: &BTreeMap<String, String>) -> Vec<String> {
    let given = |(old, new): (&str, &str)| {
        let origin = origins.get(old)?;
        Some(format!("{old} has been renamed to {new}: change it in {origin}"))
    };
    RENAMED.into_iter().filter_map(given).collect()
}

/// Replaces old names by new ones.
pub(crate) fn by_new_names(mut origins: BTreeMap<String, String>) -> BTreeMap<String, String> {
    for (old, new) in RENAMED {
        if let Some(origin) = origins.remove(old) {
            origins.insert(new.to_owned(), origin);
        }
    }
    origins
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use pulseline_runtime::config::load_from;

    use super::*;
    use crate::settings::Settings;

    const OLD: &str = "PULSELINE__LOADER__FRONTIER_DEVICES";
    const NEW: &str = "PULSELINE__LOADER__HIGH_WATERMARK_DEVICES";

    fn read(names: &[&str]) -> Result<Settings, String> {
        let environment: HashMap<_, _> = names
            .iter()
            .map(|name| ((*name).to_owned(), "17".to_owned()))
            .collect();
        load_from(None, Some(environment)).map_err(|error| error.to_string())
    }

    #[test]
    fn an_old_name_is_read_and_both_names_at_once_are_refused() {
        for name in [OLD, NEW] {
            assert_eq!(read(&[name]).unwrap().loader.high_watermark_devices, 17);
        }
        let refused = read(&[OLD, NEW]).unwrap_err();
        assert!(refused.contains("high_watermark_devices"), "{refused}");
    }

    #[test]
    fn an_old_name_is_warned_of_and_shown_as_the_new_one() {
        let origins = BTreeMap::from([("loader.frontier_devices".to_owned(), OLD.to_owned())]);
        let expected = format!(
            "loader.frontier_devices has been renamed to loader.high_watermark_devices: change it in {OLD}"
        );
        assert_eq!(warnings(&origins), [expected]);
        let shown = by_new_names(origins);
        assert_eq!(shown["loader.high_watermark_devices"], OLD);
        assert_eq!(warnings(&shown), [""; 0]);
    }
}
