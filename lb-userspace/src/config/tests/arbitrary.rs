//! Any services that a file can state.

use std::{collections::BTreeMap, net::IpAddr, num::NonZeroU16, time::Duration};

use clap::ValueEnum as _;
use proptest::{option::of, prelude::*, sample::select};

use crate::{
    model::{
        Admin, Affinity, Backend, BackendAddress, Check, HashFields, HttpCheck, Idle, IdleTime,
        MaxFlows, OnDrain, OnFailure, Percent, Policy, Probe, Protocol, Scheduler, Service,
        ServiceAddress, ServiceName, SlowStart, TableSize, Timing, Weight,
    },
    state::Desired,
};

prop_compose! {
    fn check()(
        port in 1..=u16::MAX,
        http in any::<bool>(),
        path in select(vec!["/", "/healthz", "/a?b=\"c\"&d='\\e'"]),
        host in select(vec![None, Some("www.example.com".to_owned())]),
        expect in prop::collection::vec(100..=599u16, 0..3),
        interval in 10..100_000u64,
        timeout in 1..=100u64,
        rise in 1..5u16,
        fall in 1..5u16,
    ) -> Check {
        let probe = HttpCheck { path: path.to_owned(), host, expect };
        let interval = Duration::from_millis(interval);
        let timeout = interval * timeout as u32 / 100;
        Check {
            probe: if http { Probe::Http(probe) } else { Probe::Tcp },
            port: NonZeroU16::new(port),
            timing: Timing { interval, timeout, rise, fall },
        }
    }
}

fn time() -> impl Strategy<Value = IdleTime> {
    (10_000..=10_800_000u64).prop_map(|ms| Duration::from_millis(ms).try_into().unwrap())
}

fn idle(protocol: Protocol) -> impl Strategy<Value = Idle> {
    [of(time()), of(time()), of(time()), of(time())].prop_map(move |times| {
        let [syn, established, closing, udp] = times;
        match protocol {
            Protocol::Tcp => Idle { syn, established, closing, udp: None },
            Protocol::Udp => Idle { udp, ..Idle::default() },
        }
    })
}

prop_compose! {
    /// Any policy that suits the protocol.
    fn policy(protocol: Protocol)(
        scheduler in select(Scheduler::value_variants()),
        hash in of(select(HashFields::value_variants())),
        affinity in of((1..=32u8, 1..=128u8, time())),
        idle in idle(protocol),
        on_failure in select(OnFailure::value_variants()),
        on_drain in of(select(OnDrain::value_variants())),
        min_healthy in 0..3u16,
        slow_start in of(1..=3600u64),
        min_primaries in 1..3u16,
        panic_threshold in 0..=100u8,
    ) -> Policy {
        let policy = Policy {
            scheduler,
            hash,
            affinity: affinity.map(|(prefix4, prefix6, timeout)| {
                Affinity::new(prefix4, prefix6, timeout).unwrap()
            }),
            idle,
            on_failure,
            on_drain,
            min_healthy,
            slow_start: slow_start.map(|s| SlowStart::clamped(Duration::from_secs(s))),
            min_primaries: NonZeroU16::new(min_primaries).unwrap(),
            panic_threshold: Percent::try_from(panic_threshold).unwrap(),
        };
        match policy.suits(protocol).map_err(|invalid| invalid.field) {
            Ok(()) => policy,
            Err("hash") => Policy { hash: None, on_failure: OnFailure::Keep, ..policy },
            Err(_) => Policy { on_failure: OnFailure::Keep, ..policy },
        }
    }
}

prop_compose! {
    fn backend()(weight in 0..30u16, backup in any::<bool>(), max_flows in 0..3u32) -> Backend {
        let max_flows = MaxFlows::new(max_flows);
        Backend { weight: Weight(weight), admin: Admin::Enabled, backup, max_flows }
    }
}

prop_compose! {
    fn service()(
        udp in any::<bool>(),
        port in 0..3u16,
        vip in 1..200u8,
        log2 in 5..=17u32,
        check in prop::option::of(check()),
        backends in prop::collection::btree_map((any::<bool>(), 1..250u8), backend(), 0..6),
        policy in [policy(Protocol::Tcp), policy(Protocol::Udp)],
    ) -> Service {
        let [tcp, of_udp] = policy;
        let (protocol, policy) = if udp { (Protocol::Udp, of_udp) } else { (Protocol::Tcp, tcp) };
        let port = NonZeroU16::new(port);
        let ip = |(v6, last): (bool, u8)| -> IpAddr {
            if v6 { [0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()].into() } else { [192, 0, 2, last].into() }
        };
        let address = ServiceAddress { protocol, vip: [203, 0, 113, vip].into(), port };
        Service {
            table_size: TableSize::try_from(1 << log2).unwrap(),
            check,
            policy,
            backends: backends
                .into_iter()
                .map(|(host, backend)| (BackendAddress { ip: ip(host), port }, backend))
                .collect(),
            ..Service::new(address)
        }
    }
}

pub(super) fn desired() -> impl Strategy<Value = Desired> {
    prop::collection::btree_map("[a-z][a-z0-9._-]{0,8}", service(), 0..6).prop_map(|services| {
        let mut seen = std::collections::BTreeSet::new();
        let services: BTreeMap<ServiceName, Service> = services
            .into_iter()
            .filter(|(_, service)| seen.insert(service.address))
            .map(|(name, service)| (name.parse().unwrap(), service))
            .collect();
        Desired { services }
    })
}
