//! Running packets through a program, without a network.

use aya::programs::{ProgramError, TestRun as _, TestRunOptions, Xdp};

use super::{Dataplane, DataplaneError, load};

/// What became of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The XDP action: 0 aborted, 1 drop, 2 pass, 3 transmit, 4 redirect.
    pub action: u32,
    /// The frame after the program.
    pub frame: Vec<u8>,
}

/// Where a packet comes in, and with what in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ingress {
    /// Index of the interface; loopback for none.
    pub interface: Option<u32>,
    /// Bytes of metadata that the driver has put in front of the frame, where an outer header would
    /// go: a multiple of 4, up to 32, and from Linux 6.8 on up to 216.
    pub metadata: u32,
}

/// More than any outer header adds.
const ROOM: usize = 256;

impl Dataplane {
    /// Runs a frame of at least 14 bytes through the program. Counters and flows change as by a
    /// real packet.
    pub fn run_packet(
        &mut self,
        ingress: Ingress,
        frame: &[u8],
    ) -> Result<Outcome, DataplaneError> {
        run(load::xdp(&mut self.loaded, self.program)?, ingress, frame)
    }

    /// The loaded program: for others to call, and to ask what the kernel knows of it.
    pub fn program(&self) -> Result<&Xdp, DataplaneError> {
        let program = self.loaded.program(self.program).ok_or(ProgramError::UnexpectedProgramType);
        program.and_then(TryInto::try_into).map_err(DataplaneError::bpf("the balancer's program"))
    }
}

pub(super) fn run(
    program: &mut Xdp,
    ingress: Ingress,
    frame: &[u8],
) -> Result<Outcome, DataplaneError> {
    let Ingress { interface, metadata } = ingress;
    let bytes = [&vec![0; metadata as usize], frame].concat();
    // `struct xdp_md`: data, data_end, data_meta, ingress_ifindex, rx_queue_index and
    // egress_ifindex.
    let context = [metadata, bytes.len() as u32, 0, interface.unwrap_or(0), 0, 0];
    let context: Vec<u8> = context.into_iter().flat_map(u32::to_ne_bytes).collect();
    let mut out = vec![0; bytes.len() + ROOM];
    let options = TestRunOptions {
        data_in: Some(&bytes),
        data_out: Some(&mut out),
        ctx_in: (ingress != Ingress::default()).then_some(context.as_slice()),
        repeat: 1,
        ..TestRunOptions::default()
    };
    let result = program.test_run(options).map_err(DataplaneError::bpf("running a packet"))?;
    out.truncate(result.data_size_out as usize);
    // Metadata moves with the front of the frame, and comes out before it.
    let frame = out.get(metadata as usize..).unwrap_or_default().to_vec();
    Ok(Outcome { action: result.return_value, frame })
}
