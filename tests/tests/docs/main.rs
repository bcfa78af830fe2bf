//! The pages say what is so: their links, commands, settings, metrics, alerts, relations, paths and ids exist.

mod names;
mod pages;
mod program;
