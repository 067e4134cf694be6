//! What the figures are held against.

use super::{
    measure::Figures,
    subject::{HOT, Kind, Scale},
};

/// A figure beside a yardstick of the same run, both without the cost of the run itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ratio {
    pub(super) kind: Kind,
    pub(super) scale: Scale,
    /// The yardstick.
    pub(super) to: &'static str,
    pub(super) value: f64,
    /// The goal.
    pub(super) at_most: f64,
}

impl Ratio {
    /// Whether the goal is met.
    pub(super) fn is_met(&self) -> bool {
        self.value <= self.at_most
    }
}

/// Every ratio whose two sides were measured.
pub(super) fn ratios(figures: &Figures) -> Vec<Ratio> {
    let net = |kind, scale| figures.get(&(kind, scale)).map(|figure| figure.net);
    let header = net(Kind::Encapsulate, HOT);
    let hot = net(Kind::EstablishedV4, HOT);
    let mut ratios = Vec::new();
    for (kind, scale) in figures.keys().copied() {
        let mut hold = |to, yardstick: Option<f64>, at_most| {
            let value = net(kind, scale).zip(yardstick).map(|(net, yardstick)| net / yardstick);
            ratios.extend(value.map(|value| Ratio { kind, scale, to, value, at_most }));
        };
        match (kind, scale) {
            (Kind::EstablishedV4, HOT) => hold("a tunnel header", header, 2.0),
            (Kind::EstablishedV6, HOT) => hold("a tunnel header", header, 2.2),
            (Kind::NotOurs, HOT) => hold("a tunnel header", header, 0.8),
            (Kind::Syn, _) => hold("established", net(Kind::EstablishedV4, scale), 1.3),
            (Kind::EstablishedV4, Scale { flows: MANY.., .. }) => {
                let line = hot.zip(net(Kind::Line, scale)).map(|(hot, line)| hot + line);
                hold("the peer", net(Kind::Peer, scale), 0.5);
                hold("one flow and a random line", line, 1.2);
            }
            _ => {}
        }
    }
    ratios
}

/// So many flows lie in memory, beyond all caches.
const MANY: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::{super::measure::Figure, *};

    fn figures(nets: &[(Kind, Scale, f64)]) -> Figures {
        let figure = |net| Figure { ns: net + 20.0, net, loads: Vec::new() };
        nets.iter().map(|(kind, scale, net)| ((*kind, *scale), figure(*net))).collect()
    }

    #[test]
    fn figures_are_held_against_yardsticks_of_their_own_run_and_scale() {
        let million = Scale { flows: MANY, room: 1 << 22 };
        let ratios = ratios(&figures(&[
            (Kind::Encapsulate, HOT, 10.0),
            (Kind::EstablishedV4, HOT, 15.0),
            (Kind::Peer, HOT, 1000.0),
            (Kind::Line, million, 35.0),
            (Kind::Peer, million, 80.0),
            (Kind::EstablishedV4, million, 60.0),
        ]));
        let found: Vec<_> =
            ratios.iter().map(|ratio| (ratio.scale.flows, ratio.value, ratio.is_met())).collect();
        assert_eq!(found, [(1, 1.5, true), (MANY, 0.75, false), (MANY, 1.2, true)]);
    }

    #[test]
    fn what_was_not_measured_is_held_against_nothing() {
        assert!(ratios(&figures(&[(Kind::EstablishedV4, HOT, 15.0)])).is_empty());
    }
}
