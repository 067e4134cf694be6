//! Any bytes as a frame: parsed, encapsulated and unwrapped again without a read or write beyond
//! the frame, and left as they came when they are refused.
#![no_main]

use lb_common::{
    address::Address,
    backend::BackendEntry,
    decap::{self, Outcome},
    forward::ipip,
    packet::{
        Family, Packet,
        buffer::{Buffer, HEADROOM},
    },
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut memory = [&[0; HEADROOM][..], bytes].concat();

    let mut frame = Buffer::new(&mut memory, HEADROOM);
    if decap::unwrap(&mut frame, |_| true) != Outcome::Decapsulated {
        assert_eq!(frame.frame(), bytes);
    }

    memory[HEADROOM..].copy_from_slice(bytes);
    let mut frame = Buffer::new(&mut memory, HEADROOM);
    let Some(packet) = Packet::parse(&frame) else { return };
    if packet.transport(&frame).is_err() {
        return;
    }
    let entry = backend(packet.family);
    match ipip::encapsulate(&mut frame, &packet, &entry, packet.link.tags) {
        Ok(()) => {
            let outcome = decap::unwrap(&mut frame, |source| *source == entry.outer_source);
            assert_eq!(outcome, Outcome::Decapsulated);
            assert_eq!(&frame.frame()[12..], &bytes[12..]);
        }
        Err(_) => assert_eq!(frame.frame(), bytes),
    }
});

fn backend(inner: Family) -> BackendEntry {
    let (source, destination) = ([192, 0, 2, 11], [192, 0, 2, 21]);
    let payload = match inner {
        Family::V4 => ipip::IPV4,
        Family::V6 => ipip::IPV6,
    };
    BackendEntry {
        outer_source: Address::v4(source),
        outer_destination: Address::v4(destination),
        mtu: 9000,
        checksum: ipip::header_sum(source, destination, payload),
        payload,
        ..BackendEntry::default()
    }
}
