//! The page's files from `page/`, embedded in the binary: plain HTML, CSS and JavaScript.

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const PICTURE: &str = "image/svg+xml";

/// Path, content type, text.
const FILES: [(&str, &str, &str); 12] = [
    ("/", HTML, include_str!("../page/index.html")),
    ("/style.css", CSS, include_str!("../page/style.css")),
    ("/icon.svg", PICTURE, include_str!("../page/icon.svg")),
    ("/app.js", SCRIPT, include_str!("../page/app.js")),
    ("/dom.js", SCRIPT, include_str!("../page/dom.js")),
    ("/server.js", SCRIPT, include_str!("../page/server.js")),
    ("/flow.js", SCRIPT, include_str!("../page/flow.js")),
    ("/accounting.js", SCRIPT, include_str!("../page/accounting.js")),
    (
        "/dead_letters.js",
        SCRIPT,
        include_str!("../page/dead_letters.js"),
    ),
    ("/compactor.js", SCRIPT, include_str!("../page/compactor.js")),
    ("/person.js", SCRIPT, include_str!("../page/person.js")),
    ("/charts.js", SCRIPT, include_str!("../page/charts.js")),
];

/// The content type and text of a path.
pub(crate) fn file(path: &str) -> Option<(&'static str, &'static str)> {
    let found = FILES.into_iter().find(|(name, ..)| *name == path);
    found.map(|(_, kind, text)| (kind, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_never_writes_data_as_markup() {
        for (path, kind, text) in FILES {
            // Namespace names are not requests.
            let text = text.replace("http://www.w3.org/", "");
            for refused in [
                "http://",
                "https://",
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
            ] {
                assert!(!text.contains(refused), "{path} contains {refused}");
            }
            // The page's content security policy would block it anyway.
            assert!(
                kind != HTML
                    || !(text.contains("<style") || text.contains(" style=") || text.contains("onclick"))
            );
        }
    }

    #[test]
    fn every_file_that_a_file_names_is_served() {
        for (path, _, text) in FILES {
            for named in text.split(['"', '\'']).filter(|word| word.starts_with("./")) {
                let named = named.trim_start_matches('.');
                assert!(file(named).is_some(), "{path} names {named}");
            }
        }
        assert!(file("/Cargo.toml").is_none());
    }
}
