//! The backends' side of the tunnel.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use lab::{Topology, addresses::VIP, config::Config, host::Host, tunnel};

use crate::SOON;

const SERVICE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 10), 53);
const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(198, 51, 100, 11), 5353);

#[test]
fn a_backend_accepts_tunnels_from_listed_balancers_only() {
    let lab = Topology::new().client("alice").backends(2).start();
    let web1 = lab.backend("web1");
    let responder = web1.answer_udp(SERVICE.into());
    web1.attach_decap();
    let send = |host: &Host| {
        for _ in 0..3 {
            tunnel::send(host, web1.v4(), CLIENT, SERVICE, b"tunnelled").unwrap();
        }
        // What a host sends stays in order: when its ping is answered, the tunnelled have come in.
        host.run("ping", &["-n", "-c", "1", &web1.v4().to_string()]).unwrap();
    };

    send(lab.backend("web2").host());
    send(lab.client("alice").host());
    assert_eq!(responder.received(), 0);
    send(lab.balancer().host());
    lab.eventually("the balancer's tunnel is open", SOON, || responder.received() == 3);
}

#[test]
fn a_backend_without_decap_gets_nothing_out_of_a_tunnel_and_detach_makes_it_so_again() {
    let lab = Topology::new().client("alice").backends(1).start();
    lab.serve(&Config::web(VIP, lab.backends()));
    let web1 = lab.backend("web1");
    assert_eq!(lab.client("alice").get(VIP).served_by, "web1");

    web1.lb(&["decap", "detach", "eth0"]).success();
    lab.client("alice").request(VIP, "/").unwrap_err();
    let own = SocketAddr::new(web1.v4().into(), 80);
    assert_eq!(lab.client("alice").get(own).served_by, "web1");

    web1.attach_decap();
    assert_eq!(lab.client("alice").get(VIP).served_by, "web1");
}
