//! Checks that everything the documentation names exists: links, commands, settings, metrics, alerts, relations,
//! paths and ids.

mod names;
mod pages;
mod program;
