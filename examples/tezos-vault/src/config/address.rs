//! Addresses as Go writes them: `:6732`, `localhost:6732`, `0.0.0.0:6732`, `[::1]:6732`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The address, and whether no host was given: Go would listen everywhere, this program does so only where it is said.
pub(super) fn parse(text: &str) -> Result<(SocketAddr, bool), String> {
    let wrong = || format!("{text:?} is no address: 127.0.0.1:6732, [::1]:6732, localhost:6732 or :6732");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port: u16 = port.parse().map_err(|_| wrong())?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let ip: IpAddr = match host {
        "" | "localhost" => Ipv4Addr::LOCALHOST.into(),
        host => host.parse().map_err(|_| wrong())?,
    };
    Ok((SocketAddr::new(ip, port), host.is_empty()))
}
