//! A hangup reads the config file again.

use lab::{Topology, addresses::VIP, config::Config};

use crate::SOON;

#[test]
fn a_hangup_says_which_changes_wait_for_a_restart_and_makes_the_others() {
    let lab = Topology::new().backends(1).start();
    let (balancer, web1) = (lab.balancer(), lab.backend("web1").v4());
    let weighing =
        |weight| Config::new().service("web", format!("tcp:{VIP}")).backend(web1, weight);
    balancer.start(&weighing(1));
    let reload = |file: &str, weight: u64| {
        balancer.write_config(file);
        let daemon = balancer.lb(&["status", "-o", "json"]).json()["pid"].to_string();
        balancer.host().run("kill", &["-HUP", &daemon]).unwrap();
        lab.eventually("the new weight", SOON, || {
            balancer.status().backend(web1).unwrap().weight == weight
        });
    };
    let warnings = || {
        let lines = balancer.log();
        lines.lines().filter(|line| line.contains("restart")).map(str::to_owned).collect::<Vec<_>>()
    };

    reload(&weighing(2).to_toml(), 2);
    assert_eq!(warnings(), Vec::<String>::new());

    let started_otherwise = "interfaces = [\"eth0\", \"eth1\"]\nmode = \"generic\"\n\
                             [limits]\nflows = 4096\n[[service]]";
    let file = weighing(3).to_toml().replace("interfaces = [\"eth0\"]\n", "");
    reload(&file.replacen("[[service]]", started_otherwise, 1), 3);
    lab.eventually("a word in the log", SOON, || !warnings().is_empty());
    let warnings = warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("WARN"), "{warnings:?}");
    assert!(warnings[0].contains("interfaces, mode, limits.flows "), "{warnings:?}");
}
