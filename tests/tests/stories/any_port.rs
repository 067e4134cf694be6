//! Services of every port.

use std::net::SocketAddr;

use lab::{Topology, addresses::VIP, config::Config};

#[test]
fn a_service_of_any_port_serves_every_port_but_those_with_a_service_of_their_own() {
    let lab = Topology::new().client("alice").backends(2).start();
    let [web1, web2] = [lab.backend("web1").v4(), lab.backend("web2").v4()];
    let config = Config::new()
        .service("all", format!("tcp:{}:*", VIP.ip()))
        .backend(web1, 1)
        .service("one", format!("tcp:{}:8080", VIP.ip()))
        .backend(web2, 1);
    lab.serve(&config);

    let served_by = |port| lab.client("alice").get(SocketAddr::new(VIP.ip(), port)).served_by;
    for _ in 0..20 {
        assert_eq!(served_by(80), "web1");
        assert_eq!(served_by(8443), "web1");
        assert_eq!(served_by(8080), "web2");
    }
    // The backend's own refusal, not silence.
    let closed = lab.client("alice").request(SocketAddr::new(VIP.ip(), 81), "/").unwrap_err();
    assert_eq!(closed.kind(), std::io::ErrorKind::ConnectionRefused);
}
