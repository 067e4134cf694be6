//! How new flows are spread: what each scheduler promises, packet by packet.

use std::collections::BTreeMap;

use lab::rig::{
    Rig,
    packet::{frame, tcp, udp},
};
use lb_common::verdict::Verdict;

use crate::world::backend_of;

const VIP: &str = "203.0.113.10:80";

/// A service with these settings and backends: the last byte of the address, and more of its table.
fn web(settings: &str, backends: &[(u8, &str)]) -> String {
    let backend = |(last, more): &(u8, &str)| {
        format!("[[service.backend]]\naddress = \"192.0.2.{last}\"\n{more}\n")
    };
    format!(
        "[[service]]\nname = \"web\"\naddress = \"tcp:{VIP}\"\ntable_size = 1024\n{settings}\n{}",
        backends.iter().map(backend).collect::<String>()
    )
}

const THREE: [(u8, &str); 3] = [(21, ""), (22, ""), (23, "")];

fn client(number: u32) -> String {
    format!("198.51.{}.{}:{}", 100 + number / 60_000, number % 250, 1024 + number / 250 % 60_000)
}

fn send(rig: &mut Rig, number: u32, flags: &str) -> u8 {
    backend_of(rig, &tcp(&client(number), VIP, flags))
}

/// Opens a flow: a SYN, the same again, and the packet after it all meet one backend.
fn open(rig: &mut Rig, number: u32) -> u8 {
    let backend = send(rig, number, "S");
    for flags in ["S", "A", "PA"] {
        assert_eq!(send(rig, number, flags), backend, "flow {number} moved");
    }
    backend
}

fn shares(backends: &[u8]) -> BTreeMap<u8, usize> {
    let mut shares = BTreeMap::new();
    for backend in backends {
        *shares.entry(*backend).or_default() += 1;
    }
    shares
}

#[test]
fn rr_gives_three_hundred_flows_to_three_backends_in_turn() {
    let mut rig = Rig::new(&web("scheduler = \"rr\"", &THREE));
    let backends: Vec<u8> = (0..300).map(|number| open(&mut rig, number)).collect();
    assert_eq!(shares(&backends), [(21, 100), (22, 100), (23, 100)].into());
    assert!(backends.windows(2).all(|pair| pair[0] != pair[1]), "two in a row");
}

#[test]
fn rr_gives_udp_flows_in_turn_too() {
    let config = web("scheduler = \"rr\"", &THREE).replace("tcp:", "udp:");
    let mut rig = Rig::new(&config);
    let datagram = |number| udp(&client(number), VIP, b"question");
    let backends: Vec<u8> = (0..30).map(|number| backend_of(&mut rig, &datagram(number))).collect();
    assert_eq!(shares(&backends), [(21, 10), (22, 10), (23, 10)].into());
    let again: Vec<u8> = (0..30).map(|number| backend_of(&mut rig, &datagram(number))).collect();
    assert_eq!(again, backends, "a flow's datagrams meet one backend");
}

#[test]
fn wrr_interleaves_weights_without_bursts() {
    let weights = [(21, "weight = 5"), (22, "weight = 1"), (23, "weight = 1")];
    let mut rig = Rig::new(&web("scheduler = \"wrr\"", &weights));
    let backends: Vec<u8> = (0..70).map(|number| open(&mut rig, number)).collect();
    assert_eq!(shares(&backends), [(21, 50), (22, 10), (23, 10)].into());
    let longest = backends.chunk_by(|a, b| a == b).map(<[u8]>::len).max().unwrap();
    assert!(longest <= 3, "{longest} in a row: {backends:?}");
}

#[test]
fn lc_gives_new_flows_to_the_backends_with_fewer_until_all_have_as_many() {
    let mut rig = Rig::new(&web("scheduler = \"lc\"", &THREE[..1]));
    for number in 0..30 {
        open(&mut rig, number);
    }
    rig.reconfigure(&web("scheduler = \"lc\"", &THREE));
    let next: Vec<u8> = (30..90).map(|number| open(&mut rig, number)).collect();
    assert_eq!(shares(&next), [(22, 30), (23, 30)].into());
    for number in 0..10 {
        send(&mut rig, number, "FA");
    }
    let next: Vec<u8> = (90..100).map(|number| open(&mut rig, number)).collect();
    assert_eq!(shares(&next), [(21, 10)].into(), "ten of its flows have ended");
}

/// What `wlc` and `lc` promise, told plainly: the fewest flows for its weight, the new one counted;
/// of equal ones the first whose turn comes.
struct Reference {
    weights: Vec<u64>,
    flows: Vec<u64>,
    asked: usize,
}

impl Reference {
    fn choose(&mut self) -> usize {
        let (count, first) = (self.weights.len(), self.asked);
        let order = (0..count).map(|step| (first + step) % count);
        self.asked += 1;
        // Of equal ones the first is the least.
        let busy = |one: usize, other: usize| (self.flows[one] + 1) * self.weights[other];
        order.min_by(|a, b| busy(*a, *b).cmp(&busy(*b, *a))).unwrap()
    }
}

#[test]
fn wlc_chooses_as_a_plain_model_of_it_whatever_opens_and_ends() {
    let weights = [3, 1, 7, 2, 5, 1, 4];
    let tables: Vec<String> = weights.iter().map(|weight| format!("weight = {weight}")).collect();
    let backends: Vec<(u8, &str)> = (21..).zip(tables.iter().map(String::as_str)).collect();
    let mut rig = Rig::new(&web("scheduler = \"wlc\"", &backends));
    let flows = vec![0; weights.len()];
    let mut model = Reference { weights: weights.to_vec(), flows, asked: 0 };
    let mut open_flows: Vec<(u32, usize)> = Vec::new();
    // A multiplicative generator is random enough, and the same every time.
    let mut random = 1u64;
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) as usize
    };
    for number in 0..600 {
        if next() % 5 < 2 && !open_flows.is_empty() {
            let (ended, at) = open_flows.swap_remove(next() % open_flows.len());
            send(&mut rig, ended, if next() % 2 == 0 { "FA" } else { "R" });
            model.flows[at] -= 1;
        }
        let at = model.choose();
        assert_eq!(usize::from(open(&mut rig, number) - 21), at, "flow {number}");
        model.flows[at] += 1;
        open_flows.push((number, at));
    }
    for (at, last) in (21..28).enumerate() {
        assert_eq!(rig.flows(&format!("192.0.2.{last}")), model.flows[at]);
    }
}

#[test]
fn sh_sends_a_client_s_address_to_one_backend_that_it_keeps_when_others_go() {
    let five: Vec<(u8, &str)> = (21..26).map(|last| (last, "")).collect();
    let mut rig = Rig::new(&web("scheduler = \"sh\"", &five));
    rig.check();
    let of = |rig: &mut Rig, client: u8, port: u16| {
        backend_of(rig, &tcp(&format!("198.51.100.{client}:{port}"), VIP, "S"))
    };
    let before: Vec<u8> = (0..250).map(|client| of(&mut rig, client, 1000)).collect();
    assert_eq!(shares(&before).len(), 5);
    for client in 0..250 {
        assert_eq!(of(&mut rig, client, 2000), before[usize::from(client)], "another port");
    }
    rig.judge("192.0.2.23", lb::state::Health::Down);
    for client in 0..250 {
        let now = of(&mut rig, client, 3000);
        let old = before[usize::from(client)];
        assert!(now == old || old == 23, "client {client} moved from {old} to {now}");
    }
    rig.judge("192.0.2.23", lb::state::Health::Up);
    let after: Vec<u8> = (0..250).map(|client| of(&mut rig, client, 4000)).collect();
    assert_eq!(after, before, "it came back to those it had");
}

#[test]
fn p2c_balances_better_than_chance() {
    let ten: Vec<(u8, &str)> = (21..31).map(|last| (last, "")).collect();
    let spread = |scheduler: &str| {
        let mut rig = Rig::new(&web(&format!("scheduler = \"{scheduler}\""), &ten));
        let backends: Vec<u8> = (0..2000)
            .map(|number| {
                send(&mut rig, number, "S");
                send(&mut rig, number, "A")
            })
            .collect();
        let shares = shares(&backends);
        shares.values().max().unwrap() - shares.values().min().unwrap()
    };
    let (chance, choices) = (spread("maglev"), spread("p2c"));
    println!("of 2000 flows over 10 backends: most - fewest is {chance} by hash, {choices} by p2c");
    assert!(choices <= 12 && choices * 2 < chance, "{choices} of p2c, {chance} of chance");
}

#[test]
fn the_hash_looks_at_the_fields_that_the_service_names() {
    for (fields, ports_matter) in [
        ("5tuple", true),
        ("source", false),
        ("source+destination", false),
        ("source-port-free", false),
    ] {
        let mut rig = Rig::new(&web(&format!("hash = \"{fields}\""), &THREE));
        let of_ports: Vec<u8> = (1000..1100)
            .map(|port| backend_of(&mut rig, &tcp(&format!("198.51.100.7:{port}"), VIP, "S")))
            .collect();
        assert_eq!(shares(&of_ports).len() > 1, ports_matter, "{fields}");
        let of_clients: Vec<u8> = (0..100)
            .map(|last| backend_of(&mut rig, &tcp(&format!("198.51.100.{last}:1000"), VIP, "S")))
            .collect();
        assert_eq!(shares(&of_clients).len(), 3, "{fields}");
    }
}

#[test]
fn clients_of_one_prefix_keep_their_backend_under_any_scheduler() {
    for scheduler in ["maglev", "rr", "wrr", "lc", "wlc", "p2c"] {
        let affinity = "affinity = { by = \"address\", prefix4 = 24 }";
        let mut rig = Rig::new(&web(&format!("scheduler = \"{scheduler}\"\n{affinity}"), &THREE));
        let of = |rig: &mut Rig, net: u8, host: u8, port: u16| {
            backend_of(rig, &tcp(&format!("198.51.{net}.{host}:{port}"), VIP, "S"))
        };
        let first: Vec<u8> = (0..30).map(|net| of(&mut rig, net, 1, 1000)).collect();
        assert_eq!(shares(&first).len(), 3, "{scheduler}: prefixes are spread");
        for net in 0..30 {
            for (host, port) in [(1, 2000), (9, 1000), (254, 7)] {
                let backend = of(&mut rig, net, host, port);
                assert_eq!(backend, first[usize::from(net)], "{scheduler}: a client of {net}");
            }
        }
    }
}

#[test]
fn a_client_whose_backend_drains_gets_another_and_keeps_that() {
    let affinity = "scheduler = \"rr\"\naffinity = { by = \"address\" }";
    let mut rig = Rig::new(&web(affinity, &THREE));
    let of =
        |rig: &mut Rig, port: u16| backend_of(rig, &tcp(&format!("198.51.100.7:{port}"), VIP, "S"));
    let first = of(&mut rig, 1000);
    rig.administer(&format!("192.0.2.{first}"), lb::model::Admin::Draining);
    let second = of(&mut rig, 2000);
    assert_ne!(second, first);
    rig.administer(&format!("192.0.2.{first}"), lb::model::Admin::Enabled);
    assert_eq!((3000..3010).map(|port| of(&mut rig, port)).collect::<Vec<_>>(), [second; 10]);
    assert_eq!(of(&mut rig, 1000), first, "the flow that was there is where it was");
}

#[test]
fn a_backend_takes_no_more_flows_than_it_may_and_the_last_are_refused() {
    for scheduler in ["maglev", "rr", "wrr", "lc", "wlc", "sh", "p2c"] {
        let backends = [(21, "max_flows = 5"), (22, "max_flows = 7"), (23, "max_flows = 9")];
        let mut rig = Rig::new(&web(&format!("scheduler = \"{scheduler}\""), &backends));
        for number in 0..21 {
            send(&mut rig, number, "S");
        }
        let flows = |rig: &Rig| [21, 22, 23].map(|last| rig.flows(&format!("192.0.2.{last}")));
        assert_eq!(flows(&rig), [5, 7, 9], "{scheduler}");
        let refused = frame(&[], &tcp(&client(21), VIP, "S"));
        assert_eq!(rig.send(&refused).verdict, Verdict::BackendsFull, "{scheduler}");
        send(&mut rig, 3, "R");
        send(&mut rig, 21, "S");
        assert_eq!(flows(&rig).iter().sum::<u64>(), 21, "{scheduler}: one ended, one came");
    }
}

#[test]
fn a_change_of_the_scheduler_moves_no_flow() {
    let schedulers = ["maglev", "rr", "wrr", "lc", "wlc", "sh", "p2c", "maglev"];
    let config = |scheduler: &str| web(&format!("scheduler = \"{scheduler}\""), &THREE);
    let mut rig = Rig::new(&config("rr"));
    let before: Vec<u8> = (0..100).map(|number| open(&mut rig, number)).collect();
    for scheduler in schedulers {
        rig.reconfigure(&config(scheduler));
        let now: Vec<u8> = (0..100).map(|number| send(&mut rig, number, "PA")).collect();
        assert_eq!(now, before, "{scheduler}");
    }
}

#[test]
fn a_thousand_backends_are_compared_by_samples_and_still_balance() {
    let backends: Vec<String> = (0..1000u32)
        .map(|number| {
            format!("[[service.backend]]\naddress = \"10.0.{}.{}\"\n", number / 250, number % 250)
        })
        .collect();
    let limits = lb::config::Limits { backends: 1100, ..lab::rig::LIMITS };
    let config = web("scheduler = \"lc\"", &[]) + &backends.concat();
    let mut rig = Rig::with_limits(&config, limits);
    for number in 0..3000 {
        rig.send(&frame(&[], &tcp(&client(number), VIP, "S")));
    }
    let flows = (0..1000u32).map(|n| rig.flows(&format!("10.0.{}.{}", n / 250, n % 250)));
    let most = flows.max().unwrap();
    assert!(most <= 5, "{most} where 3 would be even");
}
