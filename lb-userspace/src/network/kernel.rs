//! The netlink sockets: one that hears of changes, one that asks.
//!
//! They are two so that a burst of notifications never costs an answer: the kernel drops both
//! alike when a socket's buffer is full.

use std::{collections::HashMap, net::IpAddr, pin::pin, time::Duration};

use futures_util::{FutureExt, Stream, StreamExt};
use nix::sys::socket::{setsockopt, sockopt};
use rtnetlink::{
    Handle, MulticastGroup, new_connection, new_multicast_connection,
    packet_core::{
        NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage,
        NetlinkPayload,
    },
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        link::LinkMessage,
        neighbour::{
            NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
        },
        route::{RouteAddress, RouteAttribute, RouteMessage},
    },
    sys::AsyncSocket,
};
use tokio::{task::JoinSet, time::timeout};

use super::{
    Error,
    decode::{self, Event},
    resolve::{Route, Unresolved},
    view::{Link, Neighbour, NeighbourKey, View},
};

const GROUPS: [MulticastGroup; 8] = [
    MulticastGroup::Link,
    MulticastGroup::Neigh,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Rule,
    MulticastGroup::Ipv6Rule,
];

/// Bytes of notifications that may wait for us: some ten thousand of them.
const EVENT_BUFFER: usize = 8 << 20;

/// The kernel answers at once; a reply that the decoder does not understand never comes out of it.
const PATIENCE: Duration = Duration::from_secs(2);

type Message = NetlinkMessage<RouteNetlinkMessage>;
type Events = Box<dyn Stream<Item = Message> + Send + Unpin>;

/// What comes from the socket that hears of changes.
pub(super) enum Heard {
    /// Something changed.
    Changed(Event),
    /// Changes were missed, for this reason; the sockets are of no more use.
    Lost(&'static str),
}

/// The kernel, on the other end of netlink.
pub(super) struct Kernel {
    handle: Handle,
    events: Events,
    /// Drives the sockets; they end with it.
    _connections: JoinSet<()>,
}

impl Kernel {
    /// Opens the sockets in the calling thread's network namespace. Changes are heard from here on.
    pub(super) fn open() -> Result<Self, Error> {
        let (mut listening, _, events) =
            new_multicast_connection(&GROUPS).map_err(Error::Socket)?;
        let socket = listening.socket_mut().socket_mut();
        // Needs CAP_NET_ADMIN; without it the default buffer overflows earlier, which is noticed.
        if let Err(reason) = setsockopt(socket, sockopt::RcvBufForce, &EVENT_BUFFER) {
            log::debug!("the netlink buffer stays at its default size: {reason}");
        }
        let (asking, handle, _) = new_connection().map_err(Error::Socket)?;
        let mut connections = JoinSet::new();
        connections.spawn(listening);
        connections.spawn(asking);
        let events = Box::new(events.map(|(message, _)| message));
        Ok(Self { handle, events, _connections: connections })
    }

    /// Waits for the next thing of interest. May be cancelled without loss.
    pub(super) async fn hear(&mut self) -> Heard {
        loop {
            match self.events.next().await {
                None => return Heard::Lost("the netlink socket closed"),
                Some(message) => {
                    if let Some(heard) = interpret(message) {
                        return heard;
                    }
                }
            }
        }
    }

    /// What has been heard already and not been taken yet.
    pub(super) fn heard(&mut self) -> Option<Heard> {
        self.hear().now_or_never()
    }

    /// All links and neighbours, as they are now.
    pub(super) async fn view(&mut self) -> Result<View, Error> {
        Ok(View { links: self.links().await?, neighbours: self.neighbours().await? })
    }

    async fn links(&mut self) -> Result<HashMap<u32, Link>, Error> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        let messages = self.dump("links", request).await?;
        let link = |message| match message {
            RouteNetlinkMessage::NewLink(message) => decode::link(&message),
            _ => None,
        };
        Ok(messages.into_iter().filter_map(link).collect())
    }

    async fn neighbours(&mut self) -> Result<HashMap<NeighbourKey, Neighbour>, Error> {
        let request = RouteNetlinkMessage::GetNeighbour(NeighbourMessage::default());
        let messages = self.dump("neighbours", request).await?;
        let neighbour = |message| match message {
            RouteNetlinkMessage::NewNeighbour(message) => decode::neighbour(&message),
            _ => None,
        };
        Ok(messages.into_iter().filter_map(neighbour).collect())
    }

    async fn dump(
        &mut self,
        what: &'static str,
        request: RouteNetlinkMessage,
    ) -> Result<Vec<RouteNetlinkMessage>, Error> {
        let failed = |reason: String| Error::Dump { what, reason };
        let mut replies = pin!(self.request(request, NLM_F_DUMP).map_err(failed)?);
        let mut messages = Vec::new();
        loop {
            match timeout(PATIENCE, replies.next()).await {
                Err(_) => return Err(failed("no answer from the kernel".into())),
                Ok(None) => return Ok(messages),
                Ok(Some(reply)) => match reply.payload {
                    NetlinkPayload::InnerMessage(message) => messages.push(message),
                    NetlinkPayload::Error(error) => return Err(failed(error.to_string())),
                    _ => {}
                },
            }
        }
    }

    /// Asks for the route that a packet of this host to `address` takes.
    pub(super) async fn route(&mut self, address: IpAddr) -> Result<Route, Unresolved> {
        let failed = |reason: String| Unresolved::LookUp { address, reason };
        let request = RouteNetlinkMessage::GetRoute(route_request(address));
        let mut replies = pin!(self.request(request, 0).map_err(failed)?);
        let reply = timeout(PATIENCE, replies.next()).await;
        let reply = reply.ok().flatten().ok_or_else(|| failed("no answer".into()))?;
        match reply.payload {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(message)) => {
                decode::route(address, &message)
            }
            NetlinkPayload::Error(error) => Err(match -error.raw_code() {
                libc::ENETUNREACH | libc::EHOSTUNREACH => Unresolved::NoRoute(address),
                // What a blackhole route and a prohibit route answer.
                libc::EINVAL | libc::EACCES => Unresolved::Dropped(address),
                _ => failed(error.to_string()),
            }),
            other => Err(failed(format!("unexpected answer {other:?}"))),
        }
    }

    /// Has the kernel find out a neighbour's MAC address, or make sure of it, as if a packet were
    /// to be sent there; true when it does. The outcome is heard as a change.
    ///
    /// `NTF_USE` does so on every kernel and leaves nothing behind that outlives our interest, as
    /// an entry with `NTF_EXT_MANAGED` (Linux 5.16) would.
    pub(super) async fn solicit(&mut self, neighbour: NeighbourKey, create: bool) -> bool {
        // An entry that came in the meantime, maybe a permanent one, is not to be touched.
        let flags = NLM_F_ACK | if create { NLM_F_CREATE | NLM_F_EXCL } else { 0 };
        let request = RouteNetlinkMessage::NewNeighbour(neighbour_request(neighbour));
        let Ok(replies) = self.request(request, flags) else { return false };
        // An acknowledgement ends the replies without being one.
        match timeout(PATIENCE, pin!(replies).next()).await {
            Ok(None) => true,
            reply => {
                log::debug!("the kernel does not solicit {neighbour:?}: {reply:?}");
                false
            }
        }
    }

    fn request(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<impl Stream<Item = Message> + use<>, String> {
        let mut message = NetlinkMessage::from(message);
        message.header.flags = NLM_F_REQUEST | flags;
        self.handle.request(message).map_err(|error| error.to_string())
    }
}

fn interpret(message: Message) -> Option<Heard> {
    match message.payload {
        NetlinkPayload::InnerMessage(message) => decode::event(message).map(Heard::Changed),
        NetlinkPayload::Overrun(_) => Some(Heard::Lost("the netlink socket overflowed")),
        _ => None,
    }
}

fn route_request(address: IpAddr) -> RouteMessage {
    let mut message = RouteMessage::default();
    (message.header.address_family, message.header.destination_prefix_length) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, 32),
        IpAddr::V6(_) => (AddressFamily::Inet6, 128),
    };
    message.attributes = vec![RouteAttribute::Destination(RouteAddress::from(address))];
    message
}

fn neighbour_request(neighbour: NeighbourKey) -> NeighbourMessage {
    let (family, address) = match neighbour.address {
        IpAddr::V4(v4) => (AddressFamily::Inet, NeighbourAddress::Inet(v4)),
        IpAddr::V6(v6) => (AddressFamily::Inet6, NeighbourAddress::Inet6(v6)),
    };
    let mut message = NeighbourMessage::default();
    message.header.family = family;
    message.header.ifindex = neighbour.link;
    message.header.state = NeighbourState::None;
    message.header.flags = NeighbourFlags::Use;
    message.attributes = vec![NeighbourAttribute::Destination(address)];
    message
}
