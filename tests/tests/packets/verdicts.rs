//! Every way a packet can end has a packet that ends so.

use lab::rig::{Outcome, Rig, header::as_fragment, packet::frame, wire::Wire};
use lb::state::Health;
use lb_common::verdict::Verdict;

use crate::world::{ETHERNET, FAMILIES, Family, both_families, both_families_with, with_bytes};

/// Sends a packet that ends by this verdict. A verdict that is added does not compile before it has
/// a packet here.
fn example(rig: &mut Rig, verdict: Verdict, family: &Family) -> Outcome {
    let packet = frame(&[], &family.tcp());
    match verdict {
        Verdict::Transmitted => rig.send(&packet),
        Verdict::Redirected => Wire::lay(|out| {
            after(|rig| rig.reroute(|next_hop| next_hop.egress = out.index), &packet)
        }),
        Verdict::EchoReplied => rig.send(&frame(&[], &family.ping())),
        Verdict::NotOurs => rig.send(&frame(&[], &family.pong())),
        Verdict::NoService => {
            rig.send(&with_bytes(&family.tcp(), family.header + 2, &81u16.to_be_bytes()))
        }
        Verdict::Malformed => rig.send(&packet[..packet.len() - 1]),
        Verdict::Fragment => rig.send(&frame(&[], &as_fragment(&family.tcp(), 0, true))),
        Verdict::NoBackend => after(Rig::lose_next_hops, &packet),
        Verdict::NextHopUnresolved => {
            let lose_it_under_way = |rig: &mut Rig| {
                rig.send(&packet);
                rig.lose_next_hops();
            };
            after(lose_it_under_way, &packet)
        }
        Verdict::TooBig => after(|rig| rig.reroute(|next_hop| next_hop.mtu = 64), &packet),
        Verdict::NoHeadroom => rig.send_without_headroom(&packet),
        Verdict::BackendsFull => {
            let mut rig = both_families_with("scheduler = \"lc\"", "max_flows = 1");
            let another = with_bytes(&family.tcp(), family.header, &999u16.to_be_bytes());
            rig.send(&packet_with_flag(&packet, family, SYN));
            rig.send(&packet_with_flag(&another, family, SYN))
        }
        Verdict::Reset => {
            let mut rig = both_families_with("on_failure = \"reset\"", "");
            rig.send(&packet);
            rig.check();
            rig.judge(family.backend, Health::Down);
            rig.send(&packet)
        }
    }
}

const SYN: u8 = 2;

/// The frame of a TCP segment with this flag alone.
fn packet_with_flag(frame: &[u8], family: &Family, flag: u8) -> Vec<u8> {
    let mut frame = frame.to_vec();
    frame[ETHERNET + family.header + 13] = flag;
    frame
}

/// Sends a packet where something else has changed first.
fn after(change: impl FnOnce(&mut Rig), packet: &[u8]) -> Outcome {
    let mut rig = both_families();
    change(&mut rig);
    rig.send(packet)
}

#[test]
fn every_verdict_is_reached_by_a_packet_of_each_family() {
    let mut rig = both_families();
    for family in FAMILIES {
        for verdict in Verdict::ALL {
            let ended = example(&mut rig, *verdict, &family);
            assert_eq!(ended.verdict, *verdict, "{}", verdict.name());
        }
    }
}
