//! Names of the four schemas. A prefix lets a second warehouse be built beside the first.

/// Names of the four schemas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schemas {
    prefix: String,
}

impl Schemas {
    /// Schemas whose names begin with `prefix`, which is made of lower-case letters, digits and `_`.
    #[must_use]
    pub fn with_prefix(prefix: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        prefix.chars().all(allowed).then(|| Self {
            prefix: prefix.to_owned(),
        })
    }

    /// Puts the names into a migration's text, which says `{{raw}}`, `{{stage}}`, `{{agg}}`, `{{ops}}`.
    #[must_use]
    pub fn render(&self, text: &str) -> String {
        ["raw", "stage", "agg", "ops"]
            .iter()
            .fold(text.to_owned(), |text, name| {
                text.replace(&format!("{{{{{name}}}}}"), &format!("{}{name}", self.prefix))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stands_before_every_schema() {
        let next = Schemas::with_prefix("next_").unwrap();
        assert_eq!(next.render("{{raw}}.a {{ops}}.b"), "next_raw.a next_ops.b");
        assert_eq!(Schemas::default().render("{{agg}}"), "agg");
        assert!(Schemas::with_prefix("x; drop").is_none());
    }
}
