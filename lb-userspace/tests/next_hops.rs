//! Next hops as the kernel really tells them, in network namespaces of the test's own: `eth0` and
//! `eth1` here, their other ends `p0` and `p1` in a peer's namespace.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Write,
    net::IpAddr,
    os::fd::AsRawFd,
    process::{Command, Stdio},
    time::Duration,
};

use lb::{
    network::{Network, NextHopReport, Unresolved},
    state::NextHop,
};
use nix::sched::{CloneFlags, unshare};
use tokio::{sync::mpsc, time::timeout};

/// Longer than any step takes, also on a machine that has much else to do; shorter than it takes
/// until everything is read again, which would hide a change that was missed.
const DEADLINE: Duration = Duration::from_secs(15);

const OURS: [u8; 6] = [2, 0, 0, 0, 0, 0x10];
const PEER: [u8; 6] = [2, 0, 0, 0, 0, 0x20];
const PEER_ON_ETH1: [u8; 6] = [2, 0, 0, 0, 0, 0x21];
const SUCCESSOR: [u8; 6] = [2, 0, 0, 0, 0, 0x99];

/// Neighbours fail within a second or two rather than a minute, and believe every change.
const SETUP: &str = "
    link add eth0 address 02:00:00:00:00:10 type veth peer name p0 address 02:00:00:00:00:20
    link add eth1 address 02:00:00:00:00:11 type veth peer name p1 address 02:00:00:00:00:21
    link set p0 netns PEER
    link set p1 netns PEER
    addr add 192.0.2.10/24 dev eth0
    addr add 198.51.100.10/24 dev eth1
    addr add 2001:db8::10/64 dev eth0 nodad
    link set lo up
    link set eth0 up
    link set eth1 up";
const PEER_SETUP: &str = "
    addr add 192.0.2.1/24 dev p0
    addr add 192.0.2.21/24 dev p0
    addr add 198.51.100.1/24 dev p1
    addr add 2001:db8::21/64 dev p0 nodad
    link set p0 up
    link set p1 up";

/// Two network namespaces joined by two cables; they end with the test.
struct World {
    peer: File,
    network: Network,
    reports: mpsc::Receiver<NextHopReport>,
    known: BTreeMap<IpAddr, Result<NextHop, Unresolved>>,
}

impl World {
    async fn new() -> Self {
        let here = new_namespace();
        let peer = new_namespace();
        nix::sched::setns(&here, CloneFlags::CLONE_NEWNET).unwrap_or_else(|e| panic!("setns: {e}"));
        let peer_path = format!("/proc/{}/fd/{}", std::process::id(), peer.as_raw_fd());
        ip(None, &SETUP.replace("PEER", &peer_path));
        ip(Some(&peer), PEER_SETUP);
        for setting in [
            "ipv4/neigh/eth0/base_reachable_time_ms=300",
            "ipv4/neigh/eth0/delay_first_probe_time=1",
            "ipv4/neigh/eth0/retrans_time_ms=50",
            "ipv4/neigh/eth0/locktime=0",
            "ipv6/neigh/eth0/retrans_time_ms=50",
        ] {
            set(None, setting);
        }
        for setting in ["ipv4/conf/p0/arp_notify=1", "ipv6/conf/p0/ndisc_notify=1"] {
            set(Some(&peer), setting);
        }
        let (sender, reports) = mpsc::channel(16);
        let network = Network::spawn(sender).await.unwrap_or_else(|error| panic!("{error}"));
        Self { peer, network, reports, known: BTreeMap::new() }
    }

    fn watch(&mut self, addresses: &[&str]) {
        let addresses: BTreeSet<IpAddr> = addresses.iter().map(|text| address(text)).collect();
        self.known.retain(|address, _| addresses.contains(address));
        self.network.watch(addresses);
    }

    fn peer_ip(&self, lines: &str) {
        ip(Some(&self.peer), lines);
    }

    /// Takes reports until one about `text` is as `wanted`.
    async fn until<T>(
        &mut self,
        text: &str,
        wanted: impl Fn(&Result<NextHop, Unresolved>) -> Option<T>,
    ) -> T {
        loop {
            if let Some(value) = self.known.get(&address(text)).and_then(&wanted) {
                return value;
            }
            let report = timeout(DEADLINE, self.reports.recv()).await;
            let Ok(Some(report)) = report else {
                panic!("nothing new of {text}; known: {:?}", self.known)
            };
            let before = self.known.insert(report.address, report.next_hop.clone());
            assert_ne!(before, Some(report.next_hop), "{} is reported twice", report.address);
        }
    }

    async fn resolved(&mut self, text: &str) -> NextHop {
        self.until(text, |next_hop| next_hop.as_ref().ok().copied()).await
    }

    async fn reached_by(&mut self, text: &str, mac: [u8; 6]) -> NextHop {
        let by = |hop: &Result<NextHop, _>| hop.as_ref().ok().copied();
        self.until(text, |hop| by(hop).filter(|hop| hop.destination_mac == mac)).await
    }

    async fn unresolved(&mut self, text: &str) -> String {
        self.until(text, |next_hop| next_hop.as_ref().err().map(ToString::to_string)).await
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Moves the calling thread into a new network namespace.
fn new_namespace() -> File {
    unshare(CloneFlags::CLONE_NEWNET).unwrap_or_else(|error| {
        panic!("this test makes network namespaces, so it must be run as root: {error}")
    });
    File::open("/proc/thread-self/ns/net").unwrap_or_else(|error| panic!("netns: {error}"))
}

/// A command in the calling thread's namespace, or in the given one.
fn command(namespace: Option<&File>, program: &str) -> Command {
    let Some(namespace) = namespace else { return Command::new(program) };
    let mut command = Command::new("nsenter");
    let path = format!("/proc/{}/fd/{}", std::process::id(), namespace.as_raw_fd());
    command.arg(format!("--net={path}")).arg(program);
    command
}

fn ip(namespace: Option<&File>, lines: &str) {
    feed(command(namespace, "ip").args(["-batch", "-"]), lines);
}

/// Writes a setting of `/proc/sys/net`, which shows the namespace of whoever opens it.
fn set(namespace: Option<&File>, setting: &str) {
    let Some((path, value)) = setting.split_once('=') else { panic!("{setting}: no value") };
    let mut tee = command(namespace, "tee");
    feed(tee.arg(format!("/proc/sys/net/{path}")).stdout(Stdio::null()), value);
}

fn feed(command: &mut Command, input: &str) {
    let mut run = || {
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        child.wait()
    };
    match run() {
        Ok(status) if status.success() => {}
        failure => panic!("{input}: {failure:?}"),
    }
}

#[tokio::test]
async fn a_backend_on_the_link_is_resolved_with_all_that_a_frame_needs() {
    let mut world = World::new().await;
    world.watch(&["192.0.2.21"]);
    let next_hop = world.resolved("192.0.2.21").await;
    let expected = NextHop {
        egress: nix::net::if_::if_nametoindex("eth0").unwrap(),
        destination_mac: PEER,
        source_mac: OURS,
        vlans: [0, 0],
        mtu: 1500,
        source: address("192.0.2.10"),
    };
    assert_eq!(next_hop, expected);
}

#[tokio::test]
async fn a_backend_behind_a_gateway_is_resolved_to_the_gateway_and_its_route_s_mtu() {
    let mut world = World::new().await;
    ip(None, "route add 203.0.113.0/24 via 192.0.2.1 mtu 1400");
    world.watch(&["203.0.113.9"]);
    let next_hop = world.resolved("203.0.113.9").await;
    assert_eq!((next_hop.destination_mac, next_hop.mtu), (PEER, 1400));
}

#[tokio::test]
async fn ipv6_backends_are_resolved_on_the_link_and_behind_a_gateway() {
    let mut world = World::new().await;
    ip(None, "route add 2001:db8:9::/48 via 2001:db8::21");
    world.watch(&["2001:db8::21", "2001:db8:9::1"]);
    for text in ["2001:db8::21", "2001:db8:9::1"] {
        let next_hop = world.resolved(text).await;
        assert_eq!((next_hop.destination_mac, next_hop.source_mac), (PEER, OURS));
        assert_eq!(next_hop.source, address("2001:db8::10"));
    }
}

#[tokio::test]
async fn another_server_that_takes_over_an_address_is_followed() {
    let mut world = World::new().await;
    world.watch(&["192.0.2.21", "2001:db8::21"]);
    world.reached_by("192.0.2.21", PEER).await;
    world.reached_by("2001:db8::21", PEER).await;
    world.peer_ip("link set p0 address 02:00:00:00:00:99");
    world.reached_by("192.0.2.21", SUCCESSOR).await;
    world.reached_by("2001:db8::21", SUCCESSOR).await;
}

#[tokio::test]
async fn a_route_that_moves_to_another_gateway_is_followed() {
    let mut world = World::new().await;
    ip(None, "route add 203.0.113.0/24 via 192.0.2.1");
    world.watch(&["203.0.113.9"]);
    world.reached_by("203.0.113.9", PEER).await;
    ip(None, "route replace 203.0.113.0/24 via 198.51.100.1");
    let next_hop = world.reached_by("203.0.113.9", PEER_ON_ETH1).await;
    assert_eq!(next_hop.source, address("198.51.100.10"));
    ip(None, "route add 203.0.113.9/32 via 192.0.2.1");
    world.reached_by("203.0.113.9", PEER).await;
    ip(None, "route del 203.0.113.9/32");
    world.reached_by("203.0.113.9", PEER_ON_ETH1).await;
}

#[tokio::test]
async fn each_address_without_a_next_hop_is_reported_with_the_reason() {
    let mut world = World::new().await;
    ip(None, "route add blackhole 203.0.113.0/24");
    world.watch(&["203.0.113.1", "10.9.9.9", "192.0.2.10", "192.0.2.99", "2001:db8::99"]);
    for (text, reason) in [
        ("203.0.113.1", "the route to 203.0.113.1 drops its packets"),
        ("10.9.9.9", "no route to 10.9.9.9"),
        ("192.0.2.10", "192.0.2.10 is an address of this host"),
        ("192.0.2.99", "192.0.2.99 on eth0 does not answer ARP"),
        ("2001:db8::99", "2001:db8::99 on eth0 does not answer neighbour solicitations"),
    ] {
        assert_eq!(world.unresolved(text).await, reason);
    }
}

#[tokio::test]
async fn a_server_that_goes_away_is_noticed_and_found_again_when_it_returns() {
    let mut world = World::new().await;
    world.watch(&["192.0.2.21"]);
    world.resolved("192.0.2.21").await;
    world.peer_ip("addr del 192.0.2.21/24 dev p0");
    assert_eq!(world.unresolved("192.0.2.21").await, "192.0.2.21 on eth0 does not answer ARP");
    world.peer_ip("addr add 192.0.2.21/24 dev p0");
    world.reached_by("192.0.2.21", PEER).await;
}

#[tokio::test]
async fn a_link_that_goes_down_takes_its_next_hops_with_it_and_brings_them_back() {
    let mut world = World::new().await;
    world.watch(&["192.0.2.21", "2001:db8::21"]);
    world.resolved("192.0.2.21").await;
    world.peer_ip("link set p0 down");
    assert_eq!(world.unresolved("192.0.2.21").await, "eth0 has no carrier");
    world.peer_ip("link set p0 up");
    world.resolved("192.0.2.21").await;
    ip(None, "link set eth0 down");
    assert_eq!(world.unresolved("192.0.2.21").await, "no route to 192.0.2.21");
    ip(None, "link set eth0 up");
    world.resolved("192.0.2.21").await;
}

#[tokio::test]
async fn a_neighbour_set_by_hand_stays_as_it_was_set() {
    let mut world = World::new().await;
    ip(None, "neigh replace 192.0.2.77 lladdr 02:00:00:00:00:77 nud permanent dev eth0");
    world.watch(&["192.0.2.77", "192.0.2.99"]);
    world.reached_by("192.0.2.77", [2, 0, 0, 0, 0, 0x77]).await;
    world.unresolved("192.0.2.99").await;
    let shown = command(None, "ip").args(["neigh", "show", "192.0.2.77"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("PERMANENT"), "{shown}");
}

#[tokio::test]
async fn only_new_addresses_of_a_set_are_reported_again() {
    let mut world = World::new().await;
    world.watch(&["192.0.2.21"]);
    world.resolved("192.0.2.21").await;
    world.watch(&["192.0.2.21", "192.0.2.1"]);
    world.resolved("192.0.2.1").await;
    world.watch(&["192.0.2.1"]);
    world.watch(&["192.0.2.1", "192.0.2.21"]);
    world.known.remove(&address("192.0.2.21"));
    world.resolved("192.0.2.21").await;
}

/// The test's only thread is busy while the routes change, so that notifications pile up beyond
/// what the socket holds.
#[tokio::test]
async fn a_storm_of_changes_hides_none_that_matters() {
    let mut world = World::new().await;
    ip(None, "route add 203.0.113.0/24 via 192.0.2.1");
    world.watch(&["203.0.113.9"]);
    world.reached_by("203.0.113.9", PEER).await;
    let blackhole =
        |n| format!("route add blackhole 10.{}.{}.{}\n", n >> 16, n >> 8 & 255, n & 255);
    let storm: String = (0..60_000).map(blackhole).collect();
    ip(None, &(storm + "route replace 203.0.113.0/24 via 198.51.100.1"));
    world.reached_by("203.0.113.9", PEER_ON_ETH1).await;
}
