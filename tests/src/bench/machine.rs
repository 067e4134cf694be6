//! What the figures were taken of, and on.

use std::{fs, time::Duration};

use anyhow::{Context as _, Result};
use lb::{config::Limits, dataplane::Dataplane, state::hash_key};

use crate::cpu;

/// The machine, and the balancer's program as its kernel loaded it.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) kernel: String,
    pub(super) processor: String,
    pub(super) program: Program,
}

/// A loaded program.
#[derive(Debug)]
pub(super) struct Program {
    /// Instructions after the verifier's rewriting.
    pub(super) translated: u32,
    /// Instructions that the verifier walked.
    pub(super) verified: u32,
    /// CPU time of loading it with all of its maps, of ordinary size.
    pub(super) load: Duration,
}

impl Machine {
    pub(super) fn look() -> Result<Self> {
        let kernel =
            fs::read_to_string("/proc/sys/kernel/osrelease").context("the kernel's release")?;
        let cpus = fs::read_to_string("/proc/cpuinfo").context("what processor this is")?;
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
        let processor = model.and_then(|line| line.split_once(": ")).map(|(_, name)| name);
        Ok(Self {
            kernel: kernel.trim().to_owned(),
            processor: processor.unwrap_or("unknown").to_owned(),
            program: Program::look()?,
        })
    }
}

impl Program {
    fn look() -> Result<Self> {
        /// Bytes of an instruction.
        const INSTRUCTION: u32 = 8;

        let started = cpu::time();
        let dataplane = Dataplane::unattached(Limits::default(), hash_key(b"any"))?;
        let load = cpu::time().saturating_sub(started);
        let info = dataplane.program()?.info().context("what the kernel knows of the program")?;
        let translated = info.size_translated().context("the size of the program")?;
        let verified = info.verified_instruction_count();
        let verified = verified.context("what the verifier walked: Linux 5.16 tells")?;
        Ok(Self { translated: translated / INSTRUCTION, verified, load })
    }
}
