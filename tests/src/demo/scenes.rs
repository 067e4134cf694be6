//! What the demo shows, one function a scene.

use std::time::{Duration, Instant};

use super::{
    PROMISED, WEIGHTS,
    stage::{Stage, tell, tell_at},
};
use crate::{
    addresses::VIP,
    config::Config,
    load::{Load, Tally},
    poll,
};

/// Past this, what was waited for is not going to come.
const PATIENCE: Duration = Duration::from_secs(8);

/// Two busy cores run probes late, and the demo notices late.
const GRACE: Duration = Duration::from_millis(500);

/// Requests by which the weights are judged: shares are then within a tenth, but once in 10,000 runs.
const REQUESTS: u64 = 600;

pub(super) fn topology(stage: &Stage<'_>) {
    let lab = stage.lab;
    println!("lb, shown on hosts that are network namespaces of this machine:\n");
    let balancer = format!("balancer {:<12} lb; VIP {}", lab.balancer().v4(), VIP.ip());
    println!("   alice 198.51.100.11 ─── router ──┬── {balancer}");
    for (n, (name, weight)) in WEIGHTS.iter().enumerate() {
        let corner = if n + 1 == WEIGHTS.len() { '└' } else { '├' };
        let address = lab.backend(name).v4();
        println!("{corner:>37}── {name:<8} {address:<12} nginx; weight {weight}");
    }
}

pub(super) fn start(stage: &mut Stage<'_>, config: &Config) {
    stage.scene("lb starts with this config file, and backends accept its tunnel");
    tell(&config.to_toml());
    let started = Instant::now();
    stage.lab.serve(config);
    let status = stage.lab.balancer().lb(&["status", "-o", "json"]).json();
    let mode = status["interfaces"][0]["mode"].as_str().unwrap_or("no").to_owned();
    let took = started.elapsed().as_secs_f64();
    let claim = format!("after {took:.2} s every backend is up; XDP runs on eth0 in {mode} mode");
    stage.claim(mode == "native", &claim);
}

pub(super) fn weights(stage: &mut Stage<'_>) {
    stage.scene(&format!("alice makes {REQUESTS} requests to http://{}/", VIP.ip()));
    let tally = requests(stage, REQUESTS);
    let total: u16 = WEIGHTS.iter().map(|(_, weight)| weight).sum();
    tell("backend   weight   its share   served");
    let mut follows = true;
    for (name, weight) in WEIGHTS {
        let share = f64::from(weight) / f64::from(total);
        let served = tally.share(name);
        follows &= (served - share).abs() < 0.1;
        let bar = "█".repeat((tally.of(name) * 40 / tally.answered().max(1)) as usize);
        tell(&format!(
            "{name:<9} {weight:>6} {:>9.0} %   {:>6}  {:>3.0} %  {bar}",
            share * 100.0,
            tally.of(name),
            served * 100.0
        ));
    }
    stage.claim(tally.failures.is_empty(), &format!("{} of them failed", tally.failures.len()));
    stage.claim(follows, "each backend served its share");
}

pub(super) fn direct_replies(stage: &mut Stage<'_>) {
    stage.scene("replies go from the backends to alice directly");
    let before = stage.lab.balancer().interface_counters();
    let mut connection = stage.lab.client("alice").keep_open(VIP);
    let bodies = (0..20).filter_map(|_| connection.get("/large").ok());
    let replied: u64 = bodies.map(|response| response.body.len() as u64).sum();
    let after = stage.lab.balancer().interface_counters();
    let [received, sent] = [after.rx_bytes - before.rx_bytes, after.tx_bytes - before.tx_bytes];
    tell(&format!(
        "alice was sent                {:>9}\n\
         the balancer's eth0 received  {:>9}  in {} packets\n\
         the balancer's eth0 sent      {:>9}  in {} packets",
        mebibytes(replied),
        mebibytes(received),
        after.rx_packets - before.rx_packets,
        mebibytes(sent),
        after.tx_packets - before.tx_packets
    ));
    stage.claim(replied == 20 << 20, "every reply arrived whole");
    stage.claim(
        received > 0 && received.max(sent) < replied / 10,
        "the balancer carried alice's requests and acknowledgements, and none of the replies",
    );
}

pub(super) fn failover(stage: &mut Stage<'_>) {
    stage.scene("web2's nginx is killed while alice makes 200 requests a second");
    let load = stage.lab.client("alice").load(VIP, 200);
    next(&load, 50);
    stage.lab.backend("web2").stop_nginx();
    let died = Instant::now();
    tell_at(Duration::ZERO, "web2 refuses connections");
    web2_leaves(stage, &load, died);
    stage.lab.backend("web2").start_nginx();
    tell_at(died.elapsed(), "web2's nginx is started again");
    web2_returns(stage, &load, died);
}

fn web2_leaves(stage: &mut Stage<'_>, load: &Load, died: Instant) {
    let before = load.so_far();
    let is_down = reaches(stage, "down");
    let took = died.elapsed();
    let failed = load.so_far().since(&before).failures.len();
    tell_at(took, &format!("lb takes web2 out; until now {failed} requests failed"));
    stage.claim(
        is_down && took <= PROMISED + GRACE,
        &format!("within interval × fall + timeout = {:.1} s", PROMISED.as_secs_f64()),
    );

    let since = next(load, 200);
    // One request may have been under way to web2 when it was taken out.
    let (answered, failed) = (since.answered(), since.failures.len());
    stage.claim(
        answered >= 199 && failed <= 1 && since.of("web2") == 0,
        &format!("of the next {answered} requests web2 got none, and {failed} failed"),
    );
}

fn web2_returns(stage: &mut Stage<'_>, load: &Load, died: Instant) {
    let before = load.so_far();
    let is_up = reaches(stage, "up");
    tell_at(died.elapsed(), "lb brings web2 back");
    next(load, 200);
    let since = load.so_far().since(&before);
    let (answered, failed) = (since.answered(), since.failures.len());
    stage.claim(
        is_up && since.of("web2") > 0 && failed == 0,
        &format!("of {answered} requests web2 served {}, and {failed} failed", since.of("web2")),
    );
}

pub(super) fn daemon_killed(stage: &mut Stage<'_>) {
    stage.scene("lb's daemon is killed by SIGKILL, and started again, while requests go on");
    let load = stage.lab.client("alice").load(VIP, 200);
    next(&load, 50);
    stage.lab.balancer().kill9();
    let without = next(&load, 150);
    tell(&format!("without a daemon: {} requests answered", without.answered()));
    stage.lab.balancer().restart();
    let after = next(&load, 150);
    tell(&format!("with its successor: {} requests answered", after.answered()));
    let failed = load.stop().failures.len();
    stage.claim(
        failed == 0 && without.answered() >= 150 && after.answered() >= 150,
        &format!("{failed} requests failed"),
    );
}

/// Whether lb calls web2 so within the demo's patience.
fn reaches(stage: &Stage<'_>, wanted: &str) -> bool {
    let web2 = stage.lab.backend("web2").v4();
    let is_so = || (stage.lab.balancer().status().state(web2) == wanted).then_some(());
    poll::until(PATIENCE, is_so).is_some()
}

/// What becomes of so many requests.
fn requests(stage: &Stage<'_>, count: u64) -> Tally {
    next(&stage.lab.client("alice").load(VIP, 1000), count)
}

/// What becomes of a load's next requests, at least so many of them.
fn next(load: &Load, count: u64) -> Tally {
    let before = load.so_far();
    let made = |tally: &Tally| tally.answered() + tally.failures.len() as u64;
    poll::until(PATIENCE, || (made(&load.so_far().since(&before)) >= count).then_some(()));
    load.so_far().since(&before)
}

fn mebibytes(bytes: u64) -> String {
    format!("{}.{:02} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 100) >> 20)
}
