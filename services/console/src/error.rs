//! Errors that stop the console.

use std::net::SocketAddr;

/// An error that stops the console.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// A setting is wrong; the text names it.
    #[error("configuration: {0}")]
    Config(String),
    /// The address is taken or not ours.
    #[error(
        "cannot listen on {address}: another console may be running. Set console.listen (PULSELINE__CONSOLE__LISTEN) to another \
         address; port 0 selects a free port"
    )]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}
