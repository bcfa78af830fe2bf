//! The console as a process, and requests that browsers do not send.

use anyhow::Result;
use pulseline_stack::free_port;
use reqwest::header::HeaderMap;

use crate::service::{Role, Service};
use crate::world::World;

/// A running console; killed when dropped.
pub struct Console {
    service: Service,
    address: String,
}

impl Console {
    /// Starts the console with this token, and waits until it serves its page.
    ///
    /// # Errors
    /// When it ends, or is not ready in time.
    pub async fn start(world: &World, token: &str) -> Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        let settings = [
            ("PULSELINE__CONSOLE__LISTEN", address.as_str()),
            ("PULSELINE__CONSOLE__TOKEN", token),
        ];
        let mut service = Service::start_with(world, Role::Console, &settings)?;
        service.until_ready().await?;
        Ok(Self { service, address })
    }

    /// Address of a route, such as `#flow`.
    #[must_use]
    pub fn url(&self, route: &str) -> String {
        format!("http://{}/{route}", self.address)
    }

    /// Sends a request with these headers; returns status, headers and body.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<(u16, HeaderMap, String)> {
        let url = format!("http://{}{path}", self.address);
        let mut request = reqwest::Client::new().request(method.parse()?, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok((status, headers, answer.text().await?))
    }

    /// Sends SIGTERM and returns the exit code.
    ///
    /// # Errors
    /// As [`Service::terminate`].
    pub async fn terminate(self) -> Result<Option<i32>> {
        self.service.terminate().await
    }

    /// True while it runs.
    ///
    /// # Errors
    /// An I/O error of the system.
    pub fn is_running(&mut self) -> Result<bool> {
        self.service.is_running()
    }

    /// The log so far.
    ///
    /// # Errors
    /// An I/O error of the system.
    pub fn log(&self) -> Result<String> {
        self.service.log()
    }
}
