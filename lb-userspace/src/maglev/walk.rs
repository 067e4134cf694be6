//! The order in which a member looks for free slots.

use lb_common::{address::Address, backend::BackendId};
use sha2::{Digest, Sha256};

use super::fill::FREE;
use crate::model::BackendAddress;

/// One member's way through a table's cells: every cell once, by steps of one odd length.
#[derive(Clone, Copy)]
pub(super) struct Walk {
    /// The cell to look at next; only its low bits count.
    pub(super) next: u32,
    pub(super) step: u32,
    /// The number that undoes a multiplication by `step`.
    inverse: u32,
}

impl Walk {
    pub(super) fn new(address: BackendAddress) -> Self {
        let digest = Sha256::digest(name(address));
        let word = |at: usize| {
            u32::from_le_bytes([digest[at], digest[at + 1], digest[at + 2], digest[at + 3]])
        };
        let step = word(4) | 1;
        Self { next: word(0), step, inverse: inverse(step) }
    }

    /// The next free cell on the way, which is passed.
    ///
    /// It looks at four cells at a time: whether the very next one is free is a coin toss that a
    /// CPU cannot predict, whether one of four is, it mostly can.
    pub(super) fn stride<const N: usize>(&mut self, cells: &[[BackendId; N]]) -> usize {
        let mask = cells.len() - 1;
        loop {
            let mut free = 0;
            for ahead in 0..4 {
                let cell = self.next.wrapping_add(self.step.wrapping_mul(ahead));
                free |= u32::from(cells[cell as usize & mask] == [FREE; N]) << ahead;
            }
            if free != 0 {
                let passed = self.step.wrapping_mul(free.trailing_zeros());
                let cell = self.next.wrapping_add(passed);
                self.next = cell.wrapping_add(self.step);
                return cell as usize & mask;
            }
            self.next = self.next.wrapping_add(self.step.wrapping_mul(4));
        }
    }

    /// Which of the free cells [`Self::stride`] would meet: it comes to cell `c` after
    /// `(c - next) / step` steps, modulo the size.
    pub(super) fn leap(&mut self, free: &[u32], cells: usize) -> usize {
        let mask = cells as u32 - 1;
        let mut nearest = (u32::MAX, 0);
        for (at, cell) in free.iter().enumerate() {
            let steps = cell.wrapping_sub(self.next).wrapping_mul(self.inverse) & mask;
            if steps < nearest.0 {
                nearest = (steps, at);
            }
        }
        let (_, at) = nearest;
        self.next = free[at].wrapping_add(self.step);
        at
    }
}

/// What a walk is derived from: 16 bytes of address, two of port. Every balancer of a group must
/// derive the same walk, so this must never change.
fn name(address: BackendAddress) -> [u8; 18] {
    let mut name = [0; 18];
    let (ip, port) = name.split_at_mut(16);
    ip.copy_from_slice(&Address::from(address.ip).octets());
    port.copy_from_slice(&address.port.map_or(0, u16::from).to_be_bytes());
    name
}

/// The inverse of an odd number modulo 2³², by Newton's method: each round doubles the right bits,
/// and an odd number is its own inverse in the last three.
fn inverse(odd: u32) -> u32 {
    (0..4).fold(odd, |x, _| x.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(x))))
}
