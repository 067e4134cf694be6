//! A backend's side without a network: tunnel packets go through the loaded program one by one, and
//! through the same code on the host.

use std::{collections::BTreeSet, net::IpAddr};

use lb::dataplane::decap::Unattached;
use lb_common::{
    address::Address,
    decap::{self, Outcome},
    packet::buffer::{Buffer, HEADROOM},
};

use super::{ip, xdp_action};

/// What became of a packet at a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwrapped {
    /// How it ended.
    pub outcome: Outcome,
    /// The frame after it.
    pub frame: Vec<u8>,
}

/// A loaded program, and the list of balancers that its twin on the host goes by.
pub struct Backend {
    program: Unattached,
    from: BTreeSet<Address>,
}

impl Backend {
    /// A backend that takes the tunnels of these balancers.
    pub fn new(from: &[&str]) -> Self {
        let from: Vec<IpAddr> = from.iter().copied().map(ip).collect();
        let program = Unattached::load(&from).expect("a loaded program");
        Self { program, from: from.into_iter().map(Address::from).collect() }
    }

    /// Runs a frame through the program and through its twin.
    pub fn receive(&mut self, frame: &[u8]) -> Unwrapped {
        let expected = self.twin_receive(frame);
        let before = self.program.counters().expect("counters");
        let ran = self.program.run_packet(frame).expect("a run of the program");
        let counted: Vec<Outcome> = self
            .program
            .counters()
            .expect("counters")
            .into_iter()
            .flat_map(|(outcome, now)| vec![outcome; (now - before[&outcome]) as usize])
            .collect();
        let [outcome] = counted[..] else {
            panic!("one packet was counted as {counted:?}");
        };
        assert_eq!(ran.action, xdp_action(outcome.action()), "action of {outcome:?}");
        let unwrapped = Unwrapped { outcome, frame: ran.frame };
        assert_eq!(unwrapped, expected, "the kernel, and the same code on the host");
        unwrapped
    }

    fn twin_receive(&self, frame: &[u8]) -> Unwrapped {
        let mut bytes = [&[0; HEADROOM][..], frame].concat();
        let mut buffer = Buffer::new(&mut bytes, HEADROOM);
        let outcome = decap::unwrap(&mut buffer, |source| self.from.contains(source));
        Unwrapped { outcome, frame: buffer.frame().to_vec() }
    }
}
