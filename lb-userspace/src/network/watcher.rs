//! The task that keeps the next hops of the watched addresses current.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    mem,
    net::IpAddr,
    time::Duration,
};

use rtnetlink::packet_route::neighbour::NeighbourState;
use tokio::{
    sync::mpsc,
    time::{Instant, Interval, MissedTickBehavior, interval, sleep},
};

use super::{
    Error, NextHopReport, Unresolved,
    decode::Event,
    kernel::{Heard, Kernel},
    resolve::{Answer, Route, resolve},
    view::{Care, Neighbour, NeighbourKey, View},
};
use crate::state::NextHop;

/// Changes come in bursts: all that come within this time are judged together.
const DEBOUNCE: Duration = Duration::from_millis(10);

/// How long the last answer stands, or the first is held back, while a neighbour is being asked.
const GRACE: Duration = Duration::from_secs(1);

/// The watcher looks around by itself at this rate; the periods below are counted in it.
const BEAT: Duration = Duration::from_millis(500);
const SOLICIT_BEATS: u64 = 2;
const REFRESH_BEATS: u64 = 10;
/// Not all that changes a route is told: path MTUs expire silently.
const RESYNC_BEATS: u64 = 60;

/// One address of interest.
#[derive(Default)]
struct Watched {
    /// None until it has been looked up.
    route: Option<Result<Route, Unresolved>>,
    /// Since when its neighbour is being asked, without an answer to report.
    waiting_since: Option<Instant>,
    reported: Option<Result<NextHop, Unresolved>>,
}

impl Watched {
    fn neighbour(&self, address: IpAddr) -> Option<NeighbourKey> {
        Some(self.route.as_ref()?.as_ref().ok()?.neighbour(address))
    }
}

/// Nobody receives reports any more.
struct Unheard;

/// Joins the kernel's news with the watched addresses.
pub(super) struct Watcher {
    reports: mpsc::Sender<NextHopReport>,
    kernel: Kernel,
    view: View,
    watched: BTreeMap<IpAddr, Watched>,
    /// The watched addresses behind each neighbour.
    behind: HashMap<NeighbourKey, BTreeSet<IpAddr>>,
    /// Addresses whose route must be looked up.
    unrouted: BTreeSet<IpAddr>,
    /// Addresses whose answer may be another now.
    touched: BTreeSet<IpAddr>,
}

impl Watcher {
    /// Opens the sockets and reads what is there.
    pub(super) async fn start(reports: mpsc::Sender<NextHopReport>) -> Result<Self, Error> {
        let (kernel, view) = open().await?;
        Ok(Self {
            reports,
            kernel,
            view,
            watched: BTreeMap::new(),
            behind: HashMap::new(),
            unrouted: BTreeSet::new(),
            touched: BTreeSet::new(),
        })
    }

    /// Watches until no more sets can come or nobody receives the reports.
    pub(super) async fn run(mut self, mut sets: mpsc::UnboundedReceiver<BTreeSet<IpAddr>>) {
        let mut beats = beats();
        let mut beat = 0;
        loop {
            tokio::select! {
                set = sets.recv() => match set {
                    Some(set) => self.replace(&set),
                    None => return,
                },
                heard = self.kernel.hear() => self.hear(heard).await,
                _ = beats.tick() => {
                    beat += 1;
                    self.look_around(beat).await;
                }
                () = self.reports.closed() => return,
            }
            if let Err(Unheard) = self.settle().await {
                return;
            }
        }
    }

    fn replace(&mut self, set: &BTreeSet<IpAddr>) {
        let gone: Vec<_> =
            self.watched.keys().filter(|address| !set.contains(address)).copied().collect();
        for address in gone {
            self.set_route(address, None);
            self.watched.remove(&address);
            self.unrouted.remove(&address);
            self.touched.remove(&address);
        }
        for &address in set {
            self.watched.entry(address).or_insert_with(|| {
                self.unrouted.insert(address);
                Watched::default()
            });
        }
    }

    /// Takes in what was heard and what follows closely on it.
    async fn hear(&mut self, first: Heard) {
        let mut next = Some(first);
        let mut waited = false;
        while let Some(heard) = next {
            match heard {
                Heard::Changed(event) => self.apply(event),
                Heard::Lost(reason) => return self.reopen(reason).await,
            }
            if !mem::replace(&mut waited, true) {
                sleep(DEBOUNCE).await;
            }
            next = self.kernel.heard();
        }
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Link(index, link) => {
                // The kernel does not tell of each route that goes with a link.
                if self.view.set_link(index, link) {
                    self.reroute_all();
                }
            }
            Event::Neighbour(key, neighbour) => {
                if self.view.set_neighbour(key, neighbour) {
                    self.touched.extend(self.behind.get(&key).into_iter().flatten());
                }
            }
            Event::Route(prefix) => {
                let within = |address: &&IpAddr| prefix.contains(**address);
                self.unrouted.extend(self.watched.keys().filter(within));
            }
            Event::AnyRoute => self.reroute_all(),
        }
    }

    fn reroute_all(&mut self) {
        self.unrouted.extend(self.watched.keys());
    }

    async fn resync(&mut self) {
        match self.kernel.view().await {
            Ok(view) => self.view = view,
            Err(error) => return self.reopen(&error.to_string()).await,
        }
        self.reroute_all();
    }

    /// Starts afresh: a socket that has overflowed goes on losing changes, without a word, until
    /// all that it still holds has been read.
    async fn reopen(&mut self, reason: &str) {
        log::warn!("changes of the network were missed ({reason}): reading all of it again");
        while !self.reports.is_closed() {
            match open().await {
                Ok((kernel, view)) => {
                    (self.kernel, self.view) = (kernel, view);
                    return self.reroute_all();
                }
                Err(error) => log::error!("{error}"),
            }
            sleep(BEAT).await;
        }
    }

    /// What must be done even when nothing is heard.
    async fn look_around(&mut self, beat: u64) {
        if beat.is_multiple_of(RESYNC_BEATS) && !self.watched.is_empty() {
            self.resync().await;
        }
        let solicit = beat.is_multiple_of(SOLICIT_BEATS);
        let refresh = beat.is_multiple_of(REFRESH_BEATS);
        if solicit || refresh {
            let keys: Vec<_> = self.behind.keys().copied().collect();
            for key in keys {
                if refresh || self.view.care(key) != Care::Refresh {
                    self.care_for(key).await;
                }
            }
        }
        let waiting = self.watched.iter().filter(|(_, watched)| watched.waiting_since.is_some());
        self.touched.extend(waiting.map(|(address, _)| address));
    }

    async fn care_for(&mut self, key: NeighbourKey) {
        let care = self.view.care(key);
        if care == Care::None || !self.kernel.solicit(key, care == Care::Create).await {
            return;
        }
        if care != Care::Refresh {
            // The kernel tells only how it ends. Until then nobody else behind it need ask.
            let asked = Neighbour { state: NeighbourState::Incomplete, mac: None };
            self.view.set_neighbour(key, Some(asked));
        }
    }

    /// Looks up the routes that must be, and reports every answer that is another than before.
    async fn settle(&mut self) -> Result<(), Unheard> {
        while let Some(address) = self.unrouted.pop_first() {
            let route = self.kernel.route(address).await;
            if let Err(reason @ Unresolved::LookUp { .. }) = &route
                && self.watched.get(&address).is_some_and(|watched| watched.route.is_some())
            {
                // Not to know better is no reason to stop sending.
                log::warn!("{reason}; the last answer stands");
                continue;
            }
            self.set_route(address, Some(route));
            self.touched.insert(address);
        }
        while let Some(address) = self.touched.pop_first() {
            let Some(report) = self.judge(address).await else { continue };
            self.reports.send(report).await.map_err(|_| Unheard)?;
        }
        Ok(())
    }

    fn set_route(&mut self, address: IpAddr, route: Option<Result<Route, Unresolved>>) {
        let Some(watched) = self.watched.get_mut(&address) else { return };
        let before = watched.neighbour(address);
        watched.route = route;
        let after = watched.neighbour(address);
        if before == after {
            return;
        }
        watched.waiting_since = None;
        if let Some(key) = before
            && let Some(addresses) = self.behind.get_mut(&key)
        {
            addresses.remove(&address);
            if addresses.is_empty() {
                self.behind.remove(&key);
            }
        }
        if let Some(key) = after {
            self.behind.entry(key).or_default().insert(address);
        }
    }

    /// The answer for an address, if it is time to report it and it is another than the last.
    async fn judge(&mut self, address: IpAddr) -> Option<NextHopReport> {
        let watched = self.watched.get_mut(&address)?;
        let next_hop = match resolve(address, watched.route.as_ref()?, &self.view) {
            Answer::Settled(next_hop) => next_hop,
            Answer::Waiting(reason) => {
                let Some(since) = watched.waiting_since else {
                    watched.waiting_since = Some(Instant::now());
                    let key = watched.neighbour(address)?;
                    self.care_for(key).await;
                    return None;
                };
                if since.elapsed() < GRACE {
                    return None;
                }
                Err(reason)
            }
        };
        watched.waiting_since = None;
        if watched.reported.as_ref() == Some(&next_hop) {
            return None;
        }
        watched.reported = Some(next_hop.clone());
        Some(NextHopReport { address, next_hop })
    }
}

async fn open() -> Result<(Kernel, View), Error> {
    let mut kernel = Kernel::open()?;
    let view = kernel.view().await?;
    Ok((kernel, view))
}

fn beats() -> Interval {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    beats
}
