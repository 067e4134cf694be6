//! Running one packet through the program, without a network.

use aya::programs::{TestRun as _, TestRunOptions};

use super::{Dataplane, DataplaneError, load};

/// What became of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The XDP action: 0 aborted, 1 drop, 2 pass, 3 transmit, 4 redirect.
    pub action: u32,
    /// The frame after the program.
    pub frame: Vec<u8>,
}

/// More than any outer header adds.
const ROOM: usize = 256;

impl Dataplane {
    /// Runs a frame of at least 14 bytes through the program as if it came in by the interface
    /// with this index, or by loopback. Counters and flows change as by a real packet.
    pub fn run_packet(
        &mut self,
        ingress: Option<u32>,
        frame: &[u8],
    ) -> Result<Outcome, DataplaneError> {
        // `struct xdp_md`: data, data_end, data_meta, ingress_ifindex, rx_queue_index and
        // egress_ifindex.
        let context = [0, frame.len() as u32, 0, ingress.unwrap_or(0), 0, 0];
        let context: Vec<u8> = context.into_iter().flat_map(u32::to_ne_bytes).collect();
        let mut out = vec![0; frame.len() + ROOM];
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut out),
            ctx_in: ingress.map(|_| context.as_slice()),
            repeat: 1,
            ..TestRunOptions::default()
        };
        let program = load::xdp(&mut self.loaded, self.program)?;
        let result = program.test_run(options).map_err(DataplaneError::bpf("running a packet"))?;
        out.truncate(result.data_size_out as usize);
        Ok(Outcome { action: result.return_value, frame: out })
    }
}
