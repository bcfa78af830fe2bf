//! Free ports, chosen by the system, all held until the last is known.

use std::net::TcpListener;

use crate::error::StackError;

/// `N` different ports that were free a moment ago.
pub(crate) fn free_ports<const N: usize>() -> Result<[u16; N], StackError> {
    let mut ports = [0; N];
    let mut held = Vec::with_capacity(N);
    for port in &mut ports {
        let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(StackError::io("find a free port"))?;
        *port = listener
            .local_addr()
            .map_err(StackError::io("find a free port"))?
            .port();
        held.push(listener);
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ() {
        let [a, b, c] = free_ports::<3>().unwrap();
        assert!(a != b && b != c && a != c);
    }
}
