//! The lab's address plan, of prefixes that RFC 5737 and RFC 3849 set aside for documentation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where web clients find the service over IPv4.
pub const VIP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 10)), 80);

/// Where web clients find the service over IPv6.
pub const VIP6: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 3, 0, 0, 0, 0, 0x10)), 80);

/// The prefixes of all VIPs, which the router sends to the balancer.
pub(crate) const VIP_PREFIXES: [&str; 2] = ["203.0.113.0/24", "2001:db8:3::/64"];

/// A network of the lab; the host with number `n` is `prefix` followed by `n` in both families.
#[derive(Clone, Copy)]
pub(crate) struct Network {
    /// The router's interface, a bridge.
    pub(crate) bridge: &'static str,
    v4: [u8; 3],
    v6: u16,
    /// Largest packet in bytes.
    pub(crate) mtu: u32,
    /// Whether its hosts run XDP programs.
    pub(crate) runs_xdp: bool,
}

/// Where clients live.
pub(crate) const CLIENTS: Network =
    Network { bridge: "clients", v4: [198, 51, 100], v6: 1, mtu: 1500, runs_xdp: false };

/// Where balancers and backends live. Its MTU has room for an outer IPv6 header around a client's
/// largest packet: balancing by tunnel needs that of a real network too.
pub(crate) const RACK: Network =
    Network { bridge: "rack", v4: [192, 0, 2], v6: 2, mtu: 1600, runs_xdp: true };

/// Where a two-armed balancer takes the clients' packets in (RFC 2544: documentation has no fourth
/// prefix).
pub(crate) const FRONT: Network =
    Network { bridge: "front", v4: [198, 18, 0], v6: 4, mtu: 1500, runs_xdp: true };

impl Network {
    /// The IPv4 address of host `n`.
    pub(crate) const fn v4(self, n: u8) -> Ipv4Addr {
        let [a, b, c] = self.v4;
        Ipv4Addr::new(a, b, c, n)
    }

    /// The IPv6 address of host `n`, written with the same digits as its IPv4 address.
    pub(crate) fn v6(self, n: u8) -> Ipv6Addr {
        let digits = u16::from(n / 100) << 8 | u16::from(n / 10 % 10) << 4 | u16::from(n % 10);
        Ipv6Addr::new(0x2001, 0xdb8, self.v6, 0, 0, 0, 0, digits)
    }
}

/// The router's number in each network.
pub(crate) const ROUTER: u8 = 1;
/// The balancer's number in the rack.
pub(crate) const BALANCER: u8 = 11;
/// The first client's number.
pub(crate) const FIRST_CLIENT: u8 = 11;
/// The first backend's number.
pub(crate) const FIRST_BACKEND: u8 = 21;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_the_same_number_in_both_families() {
        assert_eq!(RACK.v4(21).to_string(), "192.0.2.21");
        assert_eq!(RACK.v6(21).to_string(), "2001:db8:2::21");
        assert_eq!(RACK.v6(121).to_string(), "2001:db8:2::121");
    }
}
