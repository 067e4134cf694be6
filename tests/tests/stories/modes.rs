//! Where the XDP program runs.

use lab::{Topology, addresses::VIP, config::Config};

#[test]
fn generic_mode_serves_as_native_does() {
    for mode in ["native", "generic"] {
        let lab = Topology::new().client("alice").backends(2).start();
        let config = lab.backends().iter().fold(
            Config::new()
                .setting("mode", &format!("{mode:?}"))
                .service("web", format!("tcp:{VIP}")),
            |config, backend| config.backend(backend.v4(), 1),
        );
        lab.serve(&config);

        let status = lab.balancer().lb(&["status", "-o", "json"]).json();
        assert_eq!(status["interfaces"][0]["mode"], mode);
        let alice = lab.client("alice");
        let mut served: Vec<_> = (0..100).map(|_| alice.get(VIP).served_by).collect();
        served.sort();
        served.dedup();
        assert_eq!(served, ["web1", "web2"], "in {mode} mode");
        let mut connection = alice.keep_open(VIP);
        assert_eq!(connection.get("/large").unwrap().body.len(), 1 << 20);
        assert_eq!(connection.post("/", &vec![b'!'; 1 << 20]).unwrap().status, 200);
        assert!(alice.ping(VIP.ip()), "the VIP answers no ping in {mode} mode");
    }
}

#[test]
fn packets_leave_by_another_interface_than_they_came_in_by() {
    for mode in ["native", "generic"] {
        let lab = Topology::new().client("alice").backends(2).two_armed().start();
        let web = Config::new().setting("mode", &format!("{mode:?}"));
        let web = web.service("web", format!("tcp:{VIP}"));
        lab.serve(&lab.backends().iter().fold(web, |web, backend| web.backend(backend.v4(), 1)));

        let mut connection = lab.client("alice").keep_open(VIP);
        assert_eq!(connection.get("/large").unwrap().body.len(), 1 << 20, "in {mode} mode");
        assert_eq!(connection.post("/", &vec![b'!'; 1 << 20]).unwrap().status, 200);
    }
}
