//! How long a host waits for the peer of a leg.

use std::time::Duration;

/// The times that end a leg whose peer does not do its part; tests shorten them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// From the opening of a leg to the offer of its peer, for which its token is valid. Default: 30 s.
    pub offer: Duration,
    /// From the nomination of an address to the end of the handshake. Default: 10 s.
    pub handshake: Duration,
    /// Without a check from the nominated address for so long, a check from another one says that the peer is there, also
    /// when it nominates nothing. Default: 6.5 s, longer than a peer may wait between two checks (6 s, RFC 7675 section 5.1).
    pub moved: Duration,
    /// Without a check for so long a leg is reported as unstable. Default: 7 s.
    pub unstable: Duration,
    /// Without a check for so long the peer no longer consents to be sent to (RFC 7675 section 5.1). Default: 30 s.
    pub consent: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            offer: Duration::from_secs(30),
            handshake: Duration::from_secs(10),
            moved: Duration::from_millis(6_500),
            unstable: Duration::from_secs(7),
            consent: Duration::from_secs(30),
        }
    }
}
