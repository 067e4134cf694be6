//! The lab itself, without `lb`: what other stories take for granted.

use std::net::{IpAddr, SocketAddr};

use lab::{
    Topology,
    addresses::{VIP, VIP6},
};

#[test]
fn a_client_reaches_every_backend_through_the_router_over_both_families() {
    let lab = Topology::new().client("alice").backends(2).start();
    for backend in lab.backends() {
        let addresses: [IpAddr; 2] = [backend.v4().into(), backend.v6().into()];
        for address in addresses {
            let answer = lab.client("alice").get(SocketAddr::new(address, 80));
            assert_eq!((answer.status, answer.served_by.as_str()), (200, backend.name()));
        }
    }
}

#[test]
fn large_answers_and_uploads_arrive_whole() {
    let lab = Topology::new().client("alice").backends(1).start();
    let web1 = SocketAddr::new(lab.backend("web1").v4().into(), 80);
    let mut connection = lab.client("alice").keep_open(web1);
    assert_eq!(connection.get("/large").unwrap().body, vec![b'.'; 1 << 20]);
    assert_eq!(connection.post("/", &vec![b'!'; 1 << 20]).unwrap().status, 200);
}

#[test]
fn nobody_answers_for_the_vip_while_no_lb_runs() {
    let lab = Topology::new().client("alice").backends(1).start();
    for vip in [VIP, VIP6] {
        lab.client("alice").request(vip, "/").unwrap_err();
    }
}

#[test]
fn a_backend_whose_web_server_is_stopped_refuses_until_it_is_started() {
    let lab = Topology::new().client("alice").backends(1).start();
    let backend = lab.backend("web1");
    let web1 = SocketAddr::new(backend.v4().into(), 80);
    backend.stop_nginx();
    let refusal = lab.client("alice").request(web1, "/").unwrap_err();
    assert_eq!(refusal.kind(), std::io::ErrorKind::ConnectionRefused);
    backend.start_nginx();
    assert_eq!(lab.client("alice").get(web1).served_by, "web1");
}

#[test]
fn datagrams_and_pings_are_answered() {
    let lab = Topology::new().client("alice").backends(1).start();
    let backend = lab.backend("web1");
    let address = SocketAddr::new(backend.v6().into(), 53);
    let responder = backend.answer_udp(address);
    let answer = lab.client("alice").ask_udp(address, b"who?").unwrap();
    assert_eq!((answer.served_by.as_str(), answer.echo.as_slice()), ("web1", &b"who?"[..]));
    assert_eq!(responder.received(), 1);
    assert!(lab.client("alice").ping(lab.balancer().v4().into()));
}

#[test]
fn a_load_is_answered_at_its_pace() {
    let lab = Topology::new().client("alice").backends(1).start();
    let load = lab.client("alice").load(SocketAddr::new(lab.backend("web1").v4().into(), 80), 100);
    lab.eventually("fifty requests are answered", std::time::Duration::from_secs(5), || {
        load.so_far().answered() >= 50
    });
    let tally = load.stop();
    assert_eq!(tally.failures, Vec::<String>::new());
    assert_eq!(tally.of("web1"), tally.answered());
}
