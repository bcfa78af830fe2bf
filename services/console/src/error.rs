//! Why the console did not start, or ended.

use std::net::SocketAddr;

/// Why the console did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// A setting is wrong; the text names it.
    #[error("configuration: {0}")]
    Config(String),
    /// The address is taken or not ours.
    #[error(
        "cannot listen on {address}: does another console run? console.listen (PULSELINE__CONSOLE__LISTEN) takes another \
         address, port 0 a free one"
    )]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}
