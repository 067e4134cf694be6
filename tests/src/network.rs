//! The router, and how hosts are wired to it.

use anyhow::Result;

use crate::{
    addresses::{BALANCER, CLIENTS, Network, RACK, ROUTER, VIP_PREFIXES},
    host::Host,
};

/// The interface by which every host but the router is wired.
pub(crate) const INTERFACE: &str = "eth0";

/// The router between the clients' network and the rack; the VIPs' packets go to the balancer.
pub(crate) fn router() -> Result<Host> {
    let router = Host::new("router")?;
    router.sysctl("net/ipv4/ip_forward", "1")?;
    router.sysctl("net/ipv6/conf/all/forwarding", "1")?;
    for network in [CLIENTS, RACK] {
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
    let [vips4, vips6] = VIP_PREFIXES;
    let (via4, via6) = (RACK.v4(BALANCER), RACK.v6(BALANCER));
    router.ip(&format!("route add {vips4} via {via4}\nroute add {vips6} via {via6}"))?;
    Ok(router)
}

/// Host `number` of a network, wired to the router.
pub(crate) fn wire(host: &Host, number: u8, network: Network, router: &Host) -> Result<()> {
    let Network { bridge, mtu, .. } = network;
    let port = host.name();
    // Only balancers and backends run XDP programs.
    host.cable(INTERFACE, router, port, mtu, bridge == RACK.bridge)?;
    router.ip(&format!("link set dev {port} master {bridge}"))?;
    let (v4, v6) = (network.v4(number), network.v6(number));
    let (via4, via6) = (network.v4(ROUTER), network.v6(ROUTER));
    host.ip(&format!(
        "addr add {v4}/24 dev {INTERFACE}\n\
         addr add {v6}/64 dev {INTERFACE} nodad\n\
         route add default via {via4}\n\
         route add default via {via6}"
    ))
}
