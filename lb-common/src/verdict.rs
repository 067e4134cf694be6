//! Every way a packet can end.

/// What the kernel is told to do with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// On to the kernel's network stack, untouched.
    Pass,
    /// Gone.
    Drop,
    /// Out of the interface it came in by.
    Transmit,
    /// Out of another interface.
    Redirect,
}

macro_rules! verdicts {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal => $action:ident,)+) => {
        /// Why a packet ended as it did. Each has one name, one action and one counter.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum Verdict {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Verdict {
            /// All of them, in the order of their counters.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name that the command line, metrics and docs use.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// One sentence for people.
            pub const fn reason(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii()),+ }
            }

            /// What the kernel does with the packet.
            #[inline(always)]
            pub const fn action(self) -> Action {
                match self { $(Self::$variant => Action::$action),+ }
            }
        }
    };
}

verdicts! {
    /// Sent to a backend, out of the interface it came in by.
    Transmitted = "transmitted" => Transmit,
    /// Sent to a backend, out of another interface.
    Redirected = "redirected" => Redirect,
    /// An echo request to a VIP, answered.
    EchoReplied = "echo_replied" => Transmit,
    /// Not addressed to a VIP.
    NotOurs = "not_ours" => Pass,
    /// Addressed to a VIP, but no service has its port and protocol.
    NoService = "no_service" => Pass,
    /// Addressed to a VIP, but shorter than its headers say, or headers that contradict each other.
    Malformed = "malformed" => Drop,
    /// A fragment of a larger packet to a VIP.
    Fragment = "fragment" => Drop,
    /// No backend of the service can serve.
    NoBackend = "no_backend" => Drop,
    /// Every backend that could take the flow has as many as it may have.
    BackendsFull = "backends_full" => Drop,
    /// A TCP segment of a flow whose backend is gone, answered by a reset.
    Reset = "reset" => Transmit,
    /// The MAC address of the way to the backend is not known yet.
    NextHopUnresolved = "next_hop_unresolved" => Drop,
    /// Larger than the way to the backend takes once it is encapsulated.
    TooBig = "too_big" => Drop,
    /// The driver left no room in front of the packet for an outer header.
    NoHeadroom = "no_headroom" => Drop,
}

/// How many verdicts there are.
pub const COUNT: usize = Verdict::ALL.len();
