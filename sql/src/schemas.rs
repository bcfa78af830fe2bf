//! Names of the four schemas. With a prefix, a second warehouse can be built beside the first.

use std::borrow::Cow;

/// As statements name them.
const NAMES: [&str; 4] = ["raw", "stage", "agg", "ops"];

/// Names of the four schemas of one warehouse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schemas {
    prefix: String,
}

impl Schemas {
    /// The schemas of a warehouse that is being built beside the one in use.
    #[must_use]
    pub fn next() -> Self {
        Self {
            prefix: "next_".into(),
        }
    }

    /// The schemas of the previous warehouse.
    #[must_use]
    pub fn old() -> Self {
        Self {
            prefix: "old_".into(),
        }
    }

    /// Schemas whose names begin with `prefix`, which is made of lower-case letters, digits and `_`.
    #[must_use]
    pub fn with_prefix(prefix: &str) -> Option<Self> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        prefix.chars().all(allowed).then(|| Self {
            prefix: prefix.to_owned(),
        })
    }

    /// What stands before each name; nothing for the warehouse in use.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The four names.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        NAMES
            .iter()
            .map(|name| format!("{}{name}", self.prefix))
            .collect()
    }

    /// The table that says which migrations this warehouse has.
    #[must_use]
    pub fn journal(&self) -> String {
        format!("public.{}pulseline_migrations", self.prefix)
    }

    /// Puts the names into a migration's text, which says `{{raw}}`, `{{stage}}`, `{{agg}}`, `{{ops}}`, `{{journal}}`.
    #[must_use]
    pub fn render(&self, text: &str) -> String {
        let text = text.replace("{{journal}}", &self.journal());
        NAMES.iter().fold(text, |text, name| {
            text.replace(&format!("{{{{{name}}}}}"), &format!("{}{name}", self.prefix))
        })
    }

    /// Puts the names into a statement, which says `raw.`, `stage.`, `agg.`, `ops.`.
    pub(crate) fn qualify<'a>(&self, statement: &'a str) -> Cow<'a, str> {
        if self.prefix.is_empty() {
            return Cow::Borrowed(statement);
        }
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut qualified = String::with_capacity(statement.len() + 64);
        let mut rest = statement;
        while let Some(dot) = rest.find('.') {
            let (before, after) = rest.split_at(dot);
            let word = before.rsplit(|c| !is_part(c)).next().unwrap_or(before);
            qualified.push_str(before.strip_suffix(word).unwrap_or(before));
            // After a dot, the word is a column or a table with that name.
            if NAMES.contains(&word) && !qualified.ends_with('.') {
                qualified.push_str(&self.prefix);
            }
            qualified.push_str(word);
            qualified.push('.');
            rest = after.strip_prefix('.').unwrap_or(after);
        }
        qualified.push_str(rest);
        Cow::Owned(qualified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stands_before_every_schema() {
        let next = Schemas::with_prefix("next_").unwrap();
        assert_eq!(next.render("{{raw}}.a {{ops}}.b"), "next_raw.a next_ops.b");
        assert_eq!(next.render("{{journal}}"), "public.next_pulseline_migrations");
        assert_eq!(Schemas::default().render("{{agg}}"), "agg");
        assert!(Schemas::with_prefix("x; drop").is_none());
        assert_eq!(next.names(), ["next_raw", "next_stage", "next_agg", "next_ops"]);
    }

    #[test]
    fn a_prefix_qualifies_schemas_in_statements_and_nothing_else() {
        let next = Schemas::with_prefix("next_").unwrap();
        for (said, qualified) in [
            ("select 1", "select 1"),
            (
                "select r.raw from raw.steps r",
                "select r.raw from next_raw.steps r",
            ),
            (
                "call refresh('agg.steps_1d')",
                "call refresh('next_agg.steps_1d')",
            ),
            ("(ops.a,ops.b)", "(next_ops.a,next_ops.b)"),
            ("x.raw.y craw.z 1.5 'raw'", "x.raw.y craw.z 1.5 'raw'"),
            ("é stage.x é", "é next_stage.x é"),
        ] {
            assert_eq!(next.qualify(said), qualified);
            assert!(matches!(Schemas::default().qualify(said), Cow::Borrowed(same) if same == said));
        }
    }
}
