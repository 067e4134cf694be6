//! How services and backends are written: `tcp:203.0.113.10:443`, `udp:[2001:db8::10]:53`,
//! `tcp:203.0.113.10:*`, and `192.0.2.21:443`.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    num::NonZeroU16,
    str::FromStr,
};

use serde::{Deserialize, Serialize};

/// A text that is no address of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {wanted}")]
pub struct ParseAddressError {
    text: String,
    wanted: &'static str,
}

/// The transport protocol of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
}

impl Protocol {
    /// The IANA protocol number.
    pub const fn number(self) -> u8 {
        match self {
            Self::Tcp => 6,
            Self::Udp => 17,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// What clients dial: a VIP, a protocol, and a port or every port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceAddress {
    /// The transport protocol.
    pub protocol: Protocol,
    /// The VIP: a unicast address; never an IPv4-mapped one.
    pub vip: IpAddr,
    /// The port; none for every port.
    pub port: Option<NonZeroU16>,
}

const SERVICE_FORM: &str = "a service address, such as tcp:203.0.113.10:443, \
     udp:[2001:db8::10]:53, or tcp:203.0.113.10:* for every port";

impl FromStr for ServiceAddress {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseAddressError { text: text.to_owned(), wanted: SERVICE_FORM };
        let (protocol, rest) = text.split_once(':').ok_or_else(wrong)?;
        let protocol = match protocol {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            _ => return Err(wrong()),
        };
        let (vip, port) = rest.rsplit_once(':').ok_or_else(wrong)?;
        let vip = parse_host(vip).filter(is_unicast).ok_or_else(wrong)?;
        let port = match port {
            "*" => None,
            port => Some(parse_port(port).ok_or_else(wrong)?),
        };
        Ok(Self { protocol, vip, port })
    }
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.protocol, Host(self.vip))?;
        match self.port {
            Some(port) => write!(f, "{port}"),
            None => f.write_str("*"),
        }
    }
}

/// A backend's own address, and the port on which it serves.
///
/// A method that cannot translate ports (`ipip`) needs none: it is the service's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BackendAddress {
    /// A unicast address; never an IPv4-mapped one.
    pub ip: IpAddr,
    /// The port; none where the service takes every port, or before the service fills it in.
    pub port: Option<NonZeroU16>,
}

impl BackendAddress {
    /// True when this names `whole`: the same address, and the same port or none.
    pub fn may_be(self, whole: Self) -> bool {
        self.ip == whole.ip && (self.port.is_none() || self.port == whole.port)
    }
}

const BACKEND_FORM: &str =
    "a backend address, such as 192.0.2.21, 192.0.2.21:443, 2001:db8::21 or [2001:db8::21]:443";

impl FromStr for BackendAddress {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseAddressError { text: text.to_owned(), wanted: BACKEND_FORM };
        let (ip, port) = match (text.parse::<IpAddr>(), text.parse::<SocketAddr>()) {
            (Ok(ip), _) => (ip, None),
            (_, Ok(both)) => (both.ip(), Some(NonZeroU16::new(both.port()).ok_or_else(wrong)?)),
            _ => (parse_host(text).ok_or_else(wrong)?, None),
        };
        if is_unicast(&ip) { Ok(Self { ip, port }) } else { Err(wrong()) }
    }
}

impl fmt::Display for BackendAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.ip, port.get()).fmt(f),
            None => self.ip.fmt(f),
        }
    }
}

macro_rules! as_string {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = ParseAddressError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}
as_string!(ServiceAddress);
as_string!(BackendAddress);

struct Host(IpAddr);

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => v4.fmt(f),
            IpAddr::V6(v6) => write!(f, "[{v6}]"),
        }
    }
}

fn parse_host(text: &str) -> Option<IpAddr> {
    match text.strip_prefix('[') {
        Some(rest) => Some(IpAddr::V6(rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?)),
        None => Some(IpAddr::V4(text.parse().ok()?)),
    }
}

fn parse_port(text: &str) -> Option<NonZeroU16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn is_unicast(ip: &IpAddr) -> bool {
    let special = ip.is_unspecified() || ip.is_multicast() || ip.is_loopback();
    let mapped = matches!(ip, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    !special && !mapped && !broadcast
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_as_it_is_read() {
        for text in
            ["tcp:203.0.113.10:443", "udp:[2001:db8::10]:53", "tcp:203.0.113.10:*", "udp:[::2]:*"]
        {
            assert_eq!(text.parse::<ServiceAddress>().unwrap().to_string(), text);
        }
        for text in ["192.0.2.21", "192.0.2.21:443", "2001:db8::21", "[2001:db8::21]:443"] {
            assert_eq!(text.parse::<BackendAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_form_that_is() {
        for text in [
            "",
            "tcp",
            "tcp:203.0.113.10",
            "sctp:203.0.113.10:80",
            "tcp:203.0.113.10:0",
            "tcp:203.0.113.10:+80",
            "tcp:203.0.113.10:65536",
            "tcp:2001:db8::10:80",
            "tcp:224.0.0.1:80",
            "tcp:0.0.0.0:80",
            "tcp:[::ffff:203.0.113.10]:80",
            "tcp:127.0.0.1:80",
        ] {
            let error = text.parse::<ServiceAddress>().unwrap_err().to_string();
            assert!(error.contains("tcp:203.0.113.10:443"), "{text}: {error}");
        }
        for text in ["", "192.0.2", "192.0.2.21:0", "[192.0.2.21]:80", "::ffff:192.0.2.21", "::"] {
            assert!(text.parse::<BackendAddress>().is_err(), "{text}");
        }
    }
}
