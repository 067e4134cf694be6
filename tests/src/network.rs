//! The router, and how hosts are wired to it.

use anyhow::Result;

use crate::{
    addresses::{BALANCER, CLIENTS, FRONT, Network, RACK, ROUTER, VIP_PREFIXES},
    host::Host,
};

/// The interface by which every host but the router is wired.
pub(crate) const INTERFACE: &str = "eth0";

/// The router between the lab's networks.
pub(crate) fn router() -> Result<Host> {
    let router = Host::new("router")?;
    router.sysctl("net/ipv4/ip_forward", "1")?;
    router.sysctl("net/ipv6/conf/all/forwarding", "1")?;
    for network in [CLIENTS, FRONT, RACK] {
        let Network { bridge, mtu, .. } = network;
        let (v4, v6) = (network.v4(ROUTER), network.v6(ROUTER));
        // Snooping would hold back neighbour solicitations until a multicast querier shows up.
        router.ip(&format!(
            "link add {bridge} mtu {mtu} type bridge mcast_snooping 0\n\
             addr add {v4}/24 dev {bridge}\n\
             addr add {v6}/64 dev {bridge} nodad\n\
             link set dev {bridge} up"
        ))?;
    }
    Ok(router)
}

/// Sends the VIPs' packets to the balancer's address in a network.
pub(crate) fn route_vips(router: &Host, network: Network) -> Result<()> {
    let [vips4, vips6] = VIP_PREFIXES;
    let (via4, via6) = (network.v4(BALANCER), network.v6(BALANCER));
    router.ip(&format!("route add {vips4} via {via4}\nroute add {vips6} via {via6}"))
}

/// An end of a cable to the router: host `number` of a network.
pub(crate) fn wire(
    host: &Host,
    interface: &str,
    router: &Host,
    network: Network,
    number: u8,
) -> Result<()> {
    let Network { bridge, mtu, runs_xdp, .. } = network;
    let port = format!("{}-{interface}", host.name());
    host.cable(interface, router, &port, mtu, runs_xdp)?;
    router.ip(&format!("link set dev {port} master {bridge}"))?;
    let (v4, v6) = (network.v4(number), network.v6(number));
    host.ip(&format!("addr add {v4}/24 dev {interface}\naddr add {v6}/64 dev {interface} nodad"))
}

/// Makes the router the way to everywhere else.
pub(crate) fn default_route(host: &Host, network: Network) -> Result<()> {
    let (via4, via6) = (network.v4(ROUTER), network.v6(ROUTER));
    host.ip(&format!("route add default via {via4}\nroute add default via {via6}"))
}
