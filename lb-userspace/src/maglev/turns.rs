//! Whose turn it is.

/// Tells whose turn it is, so that everybody's turns are spread over all of them.
///
/// Turns come in rounds: in each, every member's share of as many turns as there are members comes
/// together, and what does not make a whole turn is kept for the next round.
pub(super) struct Turns {
    all: u64,
    /// Turns still to come.
    left: u64,
    members: Vec<Turn>,
    at: usize,
}

struct Turn {
    /// What comes together in a round, in parts of which as many as there are turns make one.
    share: u64,
    /// What has come together.
    credit: u64,
    /// Turns still to come.
    left: u32,
}

impl Turns {
    /// As many turns for each as its quota says.
    pub(super) fn new(quotas: &[u32]) -> Self {
        let count = quotas.len() as u64;
        let turn = |quota: &u32| {
            let share = u64::from(*quota) * count;
            Turn { share, credit: share, left: *quota }
        };
        let all = quotas.iter().map(|quota| u64::from(*quota)).sum();
        Self { all, left: all, members: quotas.iter().map(turn).collect(), at: 0 }
    }
}

impl Iterator for Turns {
    type Item = usize;

    /// The member whose turn it is; `None` when all have had theirs.
    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        loop {
            let turn = &mut self.members[self.at];
            if turn.credit >= self.all && turn.left > 0 {
                turn.credit -= self.all;
                turn.left -= 1;
                return Some(self.at);
            }
            turn.credit += turn.share;
            self.at += 1;
            if self.at == self.members.len() {
                self.at = 0;
            }
        }
    }
}
