//! Millions of packets through a loaded program, each of another flow, without a network.
//!
//! The program under test is called by one that makes its packets in the kernel, which takes some ten
//! nanoseconds a packet.

use std::{io::ErrorKind, ops::Range, time::Duration};

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, Map, MapData, MapError, ProgramArray},
    programs::{ProgramError, ProgramFd, TestRun as _, TestRunOptions, TestRunResult, Xdp},
    sys::SyscallError,
};
use lb::dataplane::Outcome;
use lb_common::{
    generate::{Progress, Template},
    packet::buffer::Buffer,
};

use crate::{cpu, plain::Plain};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/generate.o"));
const PROGRAM: &str = "generate";

/// Most packets of one system call, which costs what some hundred packets do.
const BATCH: u64 = 1_000_000;

/// More than a program adds to a frame.
const ROOM: usize = 256;

/// Packets for a program, all alike but for the client they come from.
pub struct Traffic {
    frame: Vec<u8>,
    template: Template,
    generator: Ebpf,
    target: ProgramArray<MapData>,
    progress: Array<MapData, Plain<Progress>>,
}

/// What was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Packets.
    pub packets: u64,
    /// CPU time that it took.
    pub cpu: Duration,
    /// What the kernel was told to do with the last packet: an XDP action.
    pub action: u32,
    /// When the last packet ran, by the clock that the data path reads.
    pub jiffies: u64,
}

impl Traffic {
    /// Traffic of packets like this one, for a program.
    pub fn like(frame: &[u8], target: &ProgramFd) -> Self {
        let template = Template::of(frame).expect("an IP packet that is no longer than a template");
        let mut loader = EbpfLoader::new();
        let value = Plain(template);
        loader.override_global("TEMPLATE", &value, true);
        let mut generator = loader.load(OBJECT).expect("the generator's maps");
        let program: &mut Xdp =
            generator.program_mut(PROGRAM).expect(PROGRAM).try_into().expect(PROGRAM);
        program.load().expect("a generator that the verifier takes");
        let mut traffic = Self {
            frame: frame.to_vec(),
            template,
            target: take(&mut generator, "TARGET"),
            progress: take(&mut generator, "PROGRESS"),
            generator,
        };
        traffic.aim(target);
        traffic
    }

    /// Sends what follows to another program.
    pub fn aim(&mut self, target: &ProgramFd) {
        self.target.set(0, target, 0).expect("a program that the generator can call");
    }

    /// Begins with the first flow of a range; flow 4711 comes from the same address and port in all
    /// traffic.
    pub fn of_flows(&mut self, flows: Range<u64>) -> &mut Self {
        let Range { start, end } = flows;
        let progress = Progress { next: start, first: start, end, ..self.progress() };
        self.progress.set(0, Plain(progress), 0).expect("the generator's progress");
        self
    }

    /// Runs a packet of each of the next flows, again from the first after the last.
    pub fn run(&mut self, packets: u64) -> Run {
        let begin = self.progress().packets;
        let started = cpu::time();
        let mut action = None;
        let mut left = packets;
        while left > 0 {
            match self.test_run(left.min(BATCH) as u32, None) {
                Ok(result) => action = Some(result.return_value),
                // The kernel ends a batch for a signal; the progress says how far it came.
                Err(ProgramError::SyscallError(SyscallError { io_error, .. }))
                    if io_error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("running {left} packets: {error}"),
            }
            left = packets - (self.progress().packets - begin);
        }
        let cpu = cpu::time().saturating_sub(started);
        let action = action.expect("a batch that came to its end");
        assert_ne!(action, ABORTED, "the generator reaches the program");
        Run { packets, cpu, action, jiffies: self.progress().jiffies }
    }

    /// Runs a packet of the next flow, and shows what became of it.
    pub fn send(&mut self) -> Outcome {
        let mut frame = vec![0; self.frame.len() + ROOM];
        let result = self.test_run(1, Some(&mut frame)).expect("a run of a packet");
        frame.truncate(result.data_size_out as usize);
        Outcome { action: result.return_value, frame }
    }

    fn test_run(
        &self,
        repeat: u32,
        data_out: Option<&mut [u8]>,
    ) -> Result<TestRunResult, ProgramError> {
        let data_in = Some(self.frame.as_slice());
        let options = TestRunOptions { data_in, data_out, repeat, ..TestRunOptions::default() };
        let program: &Xdp = self.generator.program(PROGRAM).expect(PROGRAM).try_into()?;
        program.test_run(options)
    }

    fn progress(&self) -> Progress {
        self.progress.get(&0, 0).expect("the generator's progress").0
    }

    /// The packet of a flow, as the host makes it.
    pub fn packet(&self, flow: u64) -> Vec<u8> {
        let mut bytes = self.frame.clone();
        self.template.render(&mut Buffer::new(&mut bytes, 0), flow).expect("a packet");
        bytes
    }
}

/// `XDP_ABORTED`.
const ABORTED: u32 = 0;

fn take<M: TryFrom<Map, Error = MapError>>(generator: &mut Ebpf, name: &str) -> M {
    let map = generator.take_map(name).expect(name);
    M::try_from(map).expect(name)
}
