//! Guards against slips: too few backends would be left.

use lab::{Topology, addresses::VIP, config::Config};

#[test]
fn a_drain_that_would_leave_too_few_backends_is_refused_unless_it_is_forced() {
    let lab = Topology::new().client("alice").backends(3).start();
    let web = Config::new().service("web", format!("tcp:{VIP}")).setting("min_healthy", "2");
    lab.serve(&web.backends(lab.backends()));
    let [web1, web2, _] = lab.backends() else { panic!("three backends") };
    let drain = |backend: &lab::Backend, more: &[&str]| {
        let address = backend.v4().to_string();
        lab.balancer().lb(&[&["backend", "drain", "web", &address], more].concat())
    };

    drain(web1, &[]).success();
    let refused = drain(web2, &[]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert_eq!(refused.stderr.trim().lines().count(), 1, "{refused:?}");
    for word in ["\"web\"", "1 backend", "min_healthy is 2", "--force"] {
        assert!(refused.stderr.contains(word), "{word:?} is not in {refused:?}");
    }
    assert_eq!(lab.balancer().status().state(web2.v4()), "up");

    drain(web2, &["--force"]).success();
    assert_eq!(lab.balancer().status().state(web2.v4()), "draining");
    assert_eq!(lab.client("alice").get(VIP).served_by, "web3");
}
