//! What the kernel says about interfaces and the XDP programs on them.

use std::{fmt, io};

use nix::net::if_::{Interface, if_nameindex, if_nametoindex};
use rtnetlink::{
    packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload},
    packet_route::{
        RouteNetlinkMessage,
        link::{LinkAttribute, LinkMessage, LinkXdp, XdpAttached},
    },
    sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE},
};
use serde::{Deserialize, Serialize};

use super::DataplaneError;
use crate::{config::Mode, state::there_are};

/// Where in the kernel XDP runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum XdpMode {
    /// In the driver, before the kernel allocates anything for the packet.
    Native,
    /// In the network stack: works with every driver, several times slower.
    Generic,
}

impl Mode {
    /// True when an interface that runs in this mode is as the operator asks.
    pub(super) fn allows(self, running: XdpMode) -> bool {
        match self {
            Self::Auto => true,
            Self::Native => running == XdpMode::Native,
            Self::Generic => running == XdpMode::Generic,
        }
    }
}

impl fmt::Display for XdpMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// The XDP program on an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Attached {
    pub(super) mode: XdpMode,
    pub(super) program: u32,
}

/// The index of an interface.
pub(super) fn index(name: &str) -> Result<u32, DataplaneError> {
    if_nametoindex(name).map_err(|_| {
        let all = if_nameindex().map(|all| all.iter().map(name_of).collect::<Vec<_>>());
        let there = there_are(all.unwrap_or_default().iter());
        DataplaneError::NoInterface { name: name.to_owned(), there }
    })
}

fn name_of(interface: &Interface) -> String {
    interface.name().to_string_lossy().into_owned()
}

/// The XDP program on the interface with this index, if there is one.
pub(super) fn attached(index: u32) -> io::Result<Option<Attached>> {
    Ok(link(index)?.attributes.into_iter().find_map(|attribute| match attribute {
        LinkAttribute::Xdp(xdp) => from_xdp(&xdp),
        _ => None,
    }))
}

fn from_xdp(xdp: &[LinkXdp]) -> Option<Attached> {
    let mode = xdp.iter().find_map(|attribute| match attribute {
        LinkXdp::Attached(XdpAttached::SocketBuffer) => Some(XdpMode::Generic),
        LinkXdp::Attached(XdpAttached::None) => None,
        LinkXdp::Attached(_) => Some(XdpMode::Native),
        _ => None,
    })?;
    let program = xdp.iter().find_map(|attribute| match attribute {
        LinkXdp::ProgId(id) | LinkXdp::DrvProgId(id) => Some(*id),
        _ => None,
    });
    Some(Attached { mode, program: program.unwrap_or(0) })
}

fn link(index: u32) -> io::Result<LinkMessage> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut request = LinkMessage::default();
    request.header.index = index;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    let payload = NetlinkPayload::from(RouteNetlinkMessage::GetLink(request));
    let mut message = NetlinkMessage::new(header, payload);
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer);
    match answer.map_err(io::Error::other)?.payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => Ok(link),
        NetlinkPayload::Error(error) => Err(error.to_io()),
        other => Err(io::Error::other(format!("an answer that was not asked for: {other:?}"))),
    }
}
