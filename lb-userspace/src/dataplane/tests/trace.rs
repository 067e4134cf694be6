//! Tracing: what it says, and that it costs nothing while it is off.

use std::sync::{Mutex, MutexGuard};

use aya_log::EbpfLogger;

use super::*;
use crate::dataplane::{
    load,
    open::{BALANCE, Program, TRACED},
};

/// A log that keeps its lines.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl Lines {
    fn all(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap()
    }
}

impl log::Log for &Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        self.all().push(record.args().to_string());
    }

    fn flush(&self) {}
}

/// A TCP SYN from 198.51.100.7.
fn syn(destination: [u8; 4], port: u16) -> Vec<u8> {
    let ethernet = [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]].concat();
    let ip = [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 198, 51, 100, 7];
    let tcp = [0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 255, 255, 0, 0, 0, 0];
    let ports = [40_000u16.to_be_bytes(), port.to_be_bytes()].concat();
    [&ethernet[..], &[8, 0], &ip, &destination, &ports, &tcp].concat()
}

#[test]
fn each_packet_for_a_vip_is_told_of_with_its_verdict_and_backend() {
    let world = World::new();
    let config = DataplaneConfig { trace: true, ..world.config() };
    let (mut dataplane, _) = Dataplane::open(&config).unwrap();
    dataplane.apply(&tables()).unwrap();
    let lines = Lines::default();
    let mut trace = EbpfLogger::init_with_logger(&mut dataplane.loaded, &lines).unwrap();
    let vip = [203, 0, 113, 10];
    for (destination, port) in [(vip, 443), (vip, 81), ([203, 0, 113, 11], 443)] {
        dataplane.run_packet(Ingress::default(), &syn(destination, port)).unwrap();
    }
    trace.flush();
    let lines = lines.all();
    let told = "::ffff:198.51.100.7 -> ::ffff:203.0.113.10 by ";
    assert_eq!(lines.len(), 2, "{lines:?}");
    let backend = lines[0].strip_prefix(&format!("redirected {told}::ffff:192.0.2.")).unwrap();
    assert!(["3", "20"].contains(&backend), "{lines:?}");
    assert_eq!(lines[1], format!("no_service {told}::"));
}

#[test]
fn while_it_is_off_packets_run_through_a_program_that_has_nothing_of_it() {
    let translated = |program: &Program| {
        let mut dataplane = Dataplane::unattached_with(program, LIMITS, key(7)).unwrap();
        let has_log = dataplane.loaded.map("AYA_LOGS").is_some();
        let info = load::xdp(&mut dataplane.loaded, program.name).unwrap().info().unwrap();
        let dump = Command::new("bpftool")
            .args(["prog", "dump", "xlated", "id", &info.id().to_string()])
            .output()
            .unwrap();
        let dump = String::from_utf8(dump.stdout).unwrap();
        let calls = dump.lines().filter(|line| line.contains(" call ")).map(str::to_owned);
        (has_log, calls.collect::<Vec<_>>(), info.size_translated().unwrap())
    };
    let logs = |calls: &[String]| calls.iter().any(|call| call.contains("ringbuf"));
    let (has_log, calls, size) = translated(&BALANCE);
    assert!(!has_log && !logs(&calls), "{calls:?}");
    let (has_log, calls, traced) = translated(&TRACED);
    assert!(has_log && logs(&calls), "{calls:?}");
    assert!(traced > size, "{traced} bytes, and {size} while it is off");
}
