//! What an error tells people to do helps: each remedy is followed here.

use lab::{Lab, Topology, addresses::VIP, command::Output, config::Config};

use crate::SOON;

const STATE: &str = "/var/lib/lb/state.json";

#[test]
fn deleting_a_damaged_state_file_keeps_every_connection_where_it_is() {
    let lab = Topology::new().client("alice").backends(3).start();
    let (balancer, alice) = (lab.balancer(), lab.client("alice"));
    // Numbers that the file alone would not lead to: web1 comes last, though its address is first.
    lab.serve(&Config::web(VIP, &lab.backends()[1..]));
    let web1 = lab.backend("web1").v4().to_string();
    balancer.lb(&["backend", "add", "web", &web1]).success();
    all_up(&lab);
    let mut open: Vec<_> = (0..30).map(|_| alice.keep_open(VIP)).collect();
    let before: Vec<_> = open.iter_mut().map(|one| one.get("/").unwrap().served_by).collect();
    for name in ["web1", "web2", "web3"] {
        assert!(before.iter().any(|served_by| served_by == name), "{before:?}");
    }

    assert!(balancer.terminate());
    balancer.host().write(STATE, "{ \"version\": 1, ").unwrap();
    let config = Config::web(VIP, lab.backends());
    refuses(&balancer.refused(&config.to_toml()), &[STATE, "damaged", "delete it"]);
    assert_eq!(alice.get(VIP).status, 200);

    balancer.host().run("rm", &[STATE]).unwrap();
    balancer.restart();
    all_up(&lab);
    assert!(balancer.log().contains("the changes made by command are lost"), "{}", balancer.log());
    let after: Vec<_> = open.iter_mut().map(|one| one.get("/").unwrap().served_by).collect();
    assert_eq!(after, before);
}

#[test]
fn a_new_hash_key_is_refused_until_it_is_taken_back_or_the_data_path_is_detached() {
    let lab = Topology::new().client("alice").backends(1).start();
    let (balancer, config) = (lab.balancer(), Config::web(VIP, lab.backends()));
    lab.serve(&config);
    assert!(balancer.terminate());
    let keyed = format!("hash_key = \"a secret\"\n{}", config.to_toml());
    refuses(&balancer.refused(&keyed), &["hash key", "set `hash_key` back", "`lb detach`"]);

    balancer.start(&config);
    assert_eq!(lab.client("alice").get(VIP).status, 200);
    assert!(balancer.terminate());

    balancer.lb(&["detach"]).success();
    balancer.write_config(&keyed);
    balancer.restart();
    all_up(&lab);
    assert_eq!(lab.client("alice").get(VIP).status, 200);
}

#[test]
fn a_first_start_that_cannot_write_its_state_leaves_nothing_behind() {
    let lab = Topology::new().client("alice").backends(1).start();
    let (balancer, config) = (lab.balancer(), Config::web(VIP, lab.backends()));
    let remount = |how| balancer.host().run("mount", &["-o", how, "/var/lib"]).unwrap();
    remount("remount,ro");
    let output = balancer.refused(&config.to_toml());
    refuses(&output, &[STATE, "Read-only", "make its directory writable"]);
    assert!(!balancer.is_attached("eth0"));
    assert_eq!(balancer.pins(), "");

    remount("remount,rw");
    lab.serve(&config);
    assert_eq!(lab.client("alice").get(VIP).status, 200);
}

#[test]
fn a_start_that_fails_forgets_no_change_that_was_made_by_command() {
    let lab = Topology::new().backends(1).start();
    let (balancer, config) = (lab.balancer(), Config::web(VIP, lab.backends()));
    let web1 = lab.backend("web1").v4();
    let elsewhere = config.to_toml().replace("eth0", "eth7");
    refuses(&balancer.refused(&elsewhere), &["eth7"]);
    assert!(balancer.host().read(STATE).is_err(), "nothing was begun");

    balancer.start(&config);
    balancer.lb(&["backend", "set", "web", &web1.to_string(), "--weight", "7"]).success();
    assert!(balancer.terminate());
    refuses(&balancer.refused(&elsewhere.replace("weight = 1", "weight = 2")), &["eth7"]);
    balancer.start(&config);
    assert_eq!(balancer.status().backend(web1).unwrap().weight, 7);
}

fn all_up(lab: &Lab) {
    lab.eventually("every backend is up", SOON, || {
        lab.balancer().status().backends().all(|backend| backend.state == "up")
    });
}

/// One sentence that says all of this, and the exit code of a failure.
#[track_caller]
fn refuses(output: &Output, said: &[&str]) {
    assert_eq!(output.code, 1, "{output:?}");
    let sentences: Vec<_> = output.stderr.lines().filter(|line| line.starts_with("lb: ")).collect();
    assert_eq!(sentences.len(), 1, "{output:?}");
    for word in said {
        assert!(sentences[0].contains(word), "{word:?} is not in {:?}", sentences[0]);
    }
}
