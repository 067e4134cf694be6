//! Packets that nobody meant: whatever the kernel does with them, the host's run of the same code
//! does, byte for byte, and what is not sent is left as it came.

use std::cell::RefCell;

use lab::rig::{
    Rig,
    packet::{echo, frame, tcp, udp},
};
use lb_common::verdict::Action;
use proptest::{prelude::*, test_runner::TestRunner};

const CONFIG: &str = r#"
    [[service]]
    name = "web"
    address = "tcp:203.0.113.10:80"
    table_size = 64
    [[service.backend]]
    address = "192.0.2.21"
    [[service]]
    name = "dns"
    address = "udp:[2001:db8:3::10]:53"
    table_size = 64
    [[service.backend]]
    address = "2001:db8:2::21"
    "#;

fn originals() -> Vec<Vec<u8>> {
    let v4 = [
        tcp("198.51.100.7:40000", "203.0.113.10:80", "A"),
        tcp("198.51.100.7:40000", "203.0.113.10:80", "S"),
        echo("198.51.100.7", "203.0.113.10", false),
    ];
    let v6 = [
        udp("2001:db8:1::7:40000", "2001:db8:3::10:53", b"question"),
        echo("2001:db8:1::7", "2001:db8:3::10", false),
    ];
    let tags: [&[u16]; 3] = [&[], &[7], &[7, 9]];
    let packets = v4.iter().chain(&v6);
    packets.flat_map(|packet| tags.map(|tags| frame(tags, packet))).collect()
}

#[test]
fn the_kernel_and_the_host_agree_on_packets_that_nobody_meant() {
    let rig = RefCell::new(Rig::new(CONFIG));
    let originals = originals();
    let flips = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let cases = (0..originals.len(), flips, proptest::option::of(0usize..120));
    let config = ProptestConfig { cases: 3000, failure_persistence: None, ..Default::default() };
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&cases, |(which, flips, length)| {
        let mut bytes = originals[which].clone();
        for (index, byte) in flips {
            // Behind the Ethernet addresses, where every byte means something.
            let at = 12 + index.index(bytes.len() - 12);
            bytes[at] = byte;
        }
        // The kernel runs no frame that is shorter than an Ethernet header.
        bytes.resize(length.unwrap_or(bytes.len()).max(14), 0);
        let outcome = rig.borrow_mut().send(&bytes);
        if matches!(outcome.verdict.action(), Action::Pass | Action::Drop) {
            prop_assert_eq!(outcome.frame, bytes);
        }
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
