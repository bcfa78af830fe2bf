//! Checks the documentation: its links, commands, settings, metrics, alerts, relations, paths and ids exist.

mod names;
mod pages;
mod program;
