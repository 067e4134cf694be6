//! Whose turn it is.

/// Tells whose turn it is, so that everybody's turns are spread over all of them.
///
/// Turns come in rounds: in each, every member's share of as many turns as there are members comes
/// together, and what does not make a whole turn is kept for the next round.
pub(super) struct Turns {
    slots: u64,
    members: Vec<Turn>,
    at: usize,
}

struct Turn {
    /// What comes together in a round, in parts of which as many as there are slots make a turn.
    share: u64,
    /// What has come together.
    credit: u64,
    /// Turns still to come.
    left: u32,
}

impl Turns {
    /// The quotas add up to the slots.
    pub(super) fn new(slots: usize, quotas: &[u32]) -> Self {
        let count = quotas.len() as u64;
        let turn = |quota: &u32| {
            let share = u64::from(*quota) * count;
            Turn { share, credit: share, left: *quota }
        };
        Self { slots: slots as u64, members: quotas.iter().map(turn).collect(), at: 0 }
    }

    /// The member whose turn it is; to be asked once for every slot.
    pub(super) fn next(&mut self) -> usize {
        loop {
            let turn = &mut self.members[self.at];
            if turn.credit >= self.slots && turn.left > 0 {
                turn.credit -= self.slots;
                turn.left -= 1;
                return self.at;
            }
            turn.credit += turn.share;
            self.at += 1;
            if self.at == self.members.len() {
                self.at = 0;
            }
        }
    }
}
