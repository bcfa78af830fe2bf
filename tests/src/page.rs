//! A headless browser, and the content of a page that it shows.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);
/// Milliseconds of the page's own clock, which stops while it waits for responses: enough to draw it once.
const BUDGET: &str = "--virtual-time-budget=1500";
/// For root, in a container, without a screen.
const SWITCHES: [&str; 5] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
];

/// Debian's Chromium with a profile of its own.
pub struct Browser {
    folder: TempDir,
}

impl Browser {
    /// A browser with an empty profile, which is removed with the browser.
    ///
    /// # Errors
    /// An I/O error of the system.
    pub fn new() -> Result<Self> {
        let folder = TempDir::new()?;
        Ok(Self { folder })
    }

    /// Opens an address; returns the page after it was drawn.
    ///
    /// # Errors
    /// A browser that is missing or fails, a page that does not draw, or that met an error.
    pub async fn open(&self, url: &str) -> Result<String> {
        self.run(&["--window-size=1280,900", "--dump-dom", url], url)
            .await
    }

    /// Opens an address in dark mode on a screen of this width; returns the page, and a picture of it.
    ///
    /// # Errors
    /// As [`Browser::open`].
    pub async fn picture(&self, url: &str, width: u32) -> Result<(String, PathBuf)> {
        let file = self.folder.path().join(format!("{width}.png"));
        let picture = format!("--screenshot={}", file.display());
        let size = format!("--window-size={width},900");
        let dark = "--blink-settings=preferredColorScheme=0";
        let page = self.run(&[&picture, &size, dark, "--dump-dom", url], url).await?;
        Ok((page, file))
    }

    async fn run(&self, words: &[&str], url: &str) -> Result<String> {
        let mut command = Command::new("chromium");
        command.args(SWITCHES).arg(BUDGET).arg(format!(
            "--user-data-dir={}",
            self.folder.path().join("profile").display()
        ));
        let running = command
            .args(words)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = timeout(PATIENCE, running)
            .await
            .context("the browser does not end")?
            .context("chromium is missing: scripts/test installs it")?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let page = String::from_utf8(output.stdout)?;
        ensure!(
            attribute(&page, "<html", "data-ready").is_ok_and(|view| !view.is_empty()),
            "{url} was not drawn: {page}"
        );
        if let Ok(error) = attribute(&page, "<html", "data-error") {
            anyhow::bail!("{url}: {error}");
        }
        Ok(page)
    }
}

/// An attribute of the first element whose opening tag contains `mark`.
///
/// # Errors
/// When there is none.
pub fn attribute(page: &str, mark: &str, name: &str) -> Result<String> {
    attributes(page, mark, name)?
        .into_iter()
        .next()
        .with_context(|| format!("no element with {mark} and {name}"))
}

/// An attribute of every element whose opening tag contains `mark`.
///
/// # Errors
/// When an element has the mark and not the attribute.
pub fn attributes(page: &str, mark: &str, name: &str) -> Result<Vec<String>> {
    let tags = page.split('<').map(|rest| format!("<{rest}"));
    let marked = tags.filter(|tag| {
        tag.split('>')
            .next()
            .is_some_and(|opening| opening.contains(mark))
    });
    let value = |tag: String| {
        let (_, behind) = tag.split_once(&format!(" {name}=\""))?;
        Some(behind.split_once('"')?.0.to_owned())
    };
    marked
        .map(|tag| value(tag.clone()).with_context(|| format!("{tag} has no {name}")))
        .collect()
}

/// The text of the element with this id, up to the first element in it.
///
/// # Errors
/// When there is none.
pub fn text(page: &str, id: &str) -> Result<String> {
    let (_, behind) = page
        .split_once(&format!("id=\"{id}\""))
        .with_context(|| format!("no element {id}"))?;
    let (_, inner) = behind.split_once('>').context("no end of the tag")?;
    Ok(inner.split('<').next().unwrap_or_default().to_owned())
}
