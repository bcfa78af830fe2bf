//! The pages of the documentation: their lines and links, and the length of the first one.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use pulseline_tests::picture;

const README_LINES_MAX: usize = 120;
const README_CHARS_MAX: usize = 120;
const SOURCE_ENDINGS: [&str; 8] = ["md", "rs", "sql", "toml", "js", "mjs", "yml", "sh"];
const SKIPPED_FOLDERS: [&str; 5] = ["target", ".git", ".stack", "node_modules", "proptest-regressions"];

/// A line of a page.
pub(crate) struct Line {
    pub(crate) page: String,
    pub(crate) number: usize,
    /// Language of the surrounding code block; none outside.
    pub(crate) code: Option<String>,
    pub(crate) text: String,
}

impl Line {
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.page, self.number)
    }

    /// The texts in backticks, or the line of a shell block.
    pub(crate) fn spans(&self) -> Vec<&str> {
        match self.code.as_deref() {
            None => self.text.split('`').skip(1).step_by(2).collect(),
            Some("sh") => vec![&self.text],
            Some(_) => Vec::new(),
        }
    }

    pub(crate) fn heading(&self) -> Option<&str> {
        let title = self.text.trim_start_matches('#').strip_prefix(' ')?;
        (self.code.is_none() && self.text.starts_with('#')).then_some(title)
    }
}

fn files(folder: &Path, found: &mut Vec<String>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_ref()) {
            files(&path, found)?;
        } else if SOURCE_ENDINGS.contains(&name.rsplit('.').next().unwrap_or_default()) {
            found.push(
                path.strip_prefix(picture::path(""))?
                    .to_string_lossy()
                    .into_owned(),
            );
        }
    }
    Ok(())
}

/// Every source and page with its text.
pub(crate) fn sources() -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    files(&picture::path(""), &mut found)?;
    ensure!(
        found.len() > 300,
        "only {} files: the walk is broken",
        found.len()
    );
    found.sort();
    found
        .into_iter()
        .map(|name| Ok((name.clone(), picture::read(&name)?)))
        .collect()
}

pub(crate) fn lines_of(page: &str, text: &str) -> Vec<Line> {
    let mut code: Option<String> = None;
    let mut lines = Vec::new();
    for (number, text) in (1..).zip(text.lines()) {
        if let Some(language) = text.trim_start().strip_prefix("```") {
            code = code.is_none().then(|| language.to_owned());
            continue;
        }
        let (page, code, text) = (page.to_owned(), code.clone(), text.to_owned());
        lines.push(Line {
            page,
            number,
            code,
            text,
        });
    }
    lines
}

/// Every line of every page.
pub(crate) fn pages() -> Result<Vec<Line>> {
    let sources = sources()?.into_iter().filter(|(name, _)| name.ends_with(".md"));
    Ok(sources.flat_map(|(name, text)| lines_of(&name, &text)).collect())
}

/// The pages that describe the current version.
pub(crate) fn present() -> Result<Vec<Line>> {
    let pages = pages()?.into_iter();
    Ok(pages.filter(|line| line.page != "CHANGELOG.md").collect())
}

/// A heading's anchor on GitHub.
fn anchor(title: &str) -> String {
    let kept = title.to_lowercase().replace(' ', "-");
    kept.chars()
        .filter(|c| c.is_alphanumeric() || ['-', '_'].contains(c))
        .collect()
}

#[test]
fn every_link_leads_somewhere() -> Result<()> {
    let pages = pages()?;
    let anchors = pages
        .iter()
        .filter_map(|line| Some((line.page.clone(), anchor(line.heading()?))));
    let (anchors, mut links): (BTreeSet<_>, _) = (anchors.collect(), 0);
    for line in pages.iter().filter(|line| line.code.is_none()) {
        for target in line
            .text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if target.contains("://") {
                continue;
            }
            let (file, part) = target.split_once('#').unwrap_or((target, ""));
            let folder = Path::new(&line.page).parent().unwrap_or(Path::new(""));
            let file = if file.is_empty() {
                line.page.clone()
            } else {
                plain(&folder.join(file))
            };
            ensure!(
                picture::path(&file).exists(),
                "{}: {target} does not exist",
                line.place()
            );
            let is_there = part.is_empty() || anchors.contains(&(file, part.to_owned()));
            ensure!(is_there, "{}: {target} has no such heading", line.place());
            links += 1;
        }
    }
    ensure!(links > 80, "only {links} links");
    Ok(())
}

/// Resolves `..` in a path.
fn plain(path: &Path) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in path
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
    {
        if part == ".." {
            drop(parts.pop())
        } else {
            parts.push(part)
        }
    }
    parts.join("/")
}

#[test]
fn the_readme_is_short() -> Result<()> {
    let text = picture::read("README.md")?;
    let count = text.lines().count();
    ensure!(count <= README_LINES_MAX, "README.md has {count} lines");
    for (number, line) in (1..).zip(text.lines()) {
        let chars = line.chars().count();
        ensure!(
            chars <= README_CHARS_MAX,
            "README.md:{number} has {chars} characters"
        );
    }
    Ok(())
}
