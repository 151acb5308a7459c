//! What goes wrong with a call on purpose.

use std::time::Duration;

/// What a caller does wrong, or its network does to it. The default is nothing.
///
/// A bad network begins with the caller's first packet of sound: before that the library's own handshake is at work, which a
/// single lost datagram can end (`services/media/docs/media.md`, "What was found in the libraries").
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Faults {
    /// The share of datagrams, 0 to 1, that are lost, in each direction.
    pub lost: f64,
    /// The share that comes twice.
    pub doubled: f64,
    /// The share that the next one overtakes.
    pub overtaken: f64,
    /// A NAT on the way gives the caller another port after each such time. What was sent to the one before is lost.
    pub rebinds: Option<Duration>,
    /// After this time nothing goes and nothing comes any more, as when a cable is pulled.
    pub vanishes: Option<Duration>,
    /// The caller goes no further than this.
    pub stops: Option<Stop>,
    /// The caller has a token that is not the one of its invitation.
    pub wrong_token: bool,
    /// The offer is posted so many times more, all at once, as by a client that does not wait for its answer.
    pub repeats: u32,
    /// Where the chances begin: the same seed has the same losses.
    pub seed: u64,
}

/// Where a caller stops, while its checks go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It has an address, and no handshake begins.
    BeforeHandshake,
    /// It has keys, and sends no sound, no key and no report.
    BeforeSound,
}

impl Faults {
    /// Whether datagrams are concerned.
    pub(crate) fn are_of_the_network(&self) -> bool {
        let shares = [self.lost, self.doubled, self.overtaken];
        shares.iter().any(|share| *share > 0.0)
            || self.rebinds.is_some()
            || self.vanishes.is_some()
            || self.stops.is_some()
    }
}
