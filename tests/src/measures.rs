//! The metrics of services, as tests read them. An undefined metric is an error, not a zero.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use crate::picture::{metric_names, read};

/// Folders of services/ with a metrics.rs that describes metrics.
const DESCRIBED_IN: [&str; 7] = [
    "runtime/src",
    "generator/src",
    "sink/src",
    "loader/src",
    "compactor/src",
    "admin/src/healer",
    "console/src",
];

/// Metric names in the services' metrics.rs.
///
/// # Errors
/// A file that cannot be read.
pub fn described() -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for folder in DESCRIBED_IN {
        names.extend(metric_names(&read(&format!("services/{folder}/metrics.rs"))?));
    }
    ensure!(names.len() > 40, "only {names:?}");
    Ok(names)
}

/// One response of `/metrics`.
#[derive(Clone, Debug)]
pub struct Measures(String);

impl Measures {
    /// Parses the response of a service.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The sum of a counter or gauge over its labels.
    ///
    /// # Errors
    /// When the service has no metric of exactly this name.
    pub fn sum(&self, name: &str) -> Result<f64> {
        self.check(name)?;
        self.sum_of_lines(name)
    }

    /// How many values a histogram has, and their sum.
    ///
    /// # Errors
    /// When the service has no metric of exactly this name.
    pub fn histogram(&self, name: &str) -> Result<(f64, f64)> {
        self.check(name)?;
        let of = |part| self.sum_of_lines(&format!("{name}_{part}"));
        Ok((of("count")?, of("sum")?))
    }

    fn sum_of_lines(&self, name: &str) -> Result<f64> {
        let values = self.lines(name).map(|(_, value)| value.parse::<f64>());
        let values = values.collect::<Result<Vec<f64>, _>>();
        Ok(values.with_context(|| name.to_owned())?.iter().sum())
    }

    /// The value of the only series of a counter or gauge with this label.
    ///
    /// # Errors
    /// When there is no such metric, or none with the label.
    pub fn of(&self, name: &str, label: &str, value: &str) -> Result<f64> {
        self.with(name, &[(label, value)])
    }

    /// The value of the only series of a counter or gauge with these labels.
    ///
    /// # Errors
    /// When there is no such metric, or none with the labels.
    pub fn with(&self, name: &str, labels: &[(&str, &str)]) -> Result<f64> {
        let wanted = labels.iter().map(|(label, value)| format!("{label}=\"{value}\""));
        let wanted: Vec<String> = wanted.collect();
        self.check(name)?;
        let mut series = self.lines(name);
        let has = |labels: &str, wanted: &str| labels.split(',').any(|label| label == wanted);
        let found = series.find(|(labels, _)| wanted.iter().all(|wanted| has(labels, wanted)));
        let (_, value) = found.with_context(|| format!("{name} has no {}", wanted.join(",")))?;
        value.parse().with_context(|| format!("{name}: {value}"))
    }

    fn check(&self, name: &str) -> Result<()> {
        let kind = format!("# TYPE {name} ");
        let is_there = self.0.lines().any(|line| line.starts_with(&kind));
        ensure!(is_there, "the service has no metric {name}");
        Ok(())
    }

    /// Labels and value of each line of this name.
    fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            let is_it = labels.is_empty() || labels.starts_with('{');
            is_it.then(|| (labels.trim_matches(['{', '}']), value))
        })
    }
}
