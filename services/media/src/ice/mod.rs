//! ICE-lite (RFC 8445 section 2.5): we are a server with a known address, so we answer checks and never send any.
//!
//! [`LiteAgent`] is the machine of one leg. A datagram goes in with its source and the time; what it means comes out. Anything
//! that is not an authentic check of the peer changes nothing and is never answered: no oracle, no reflection.
//!
//! Three decisions beyond the letter of the standard. A nomination is obeyed at once and always, also when a pair is already
//! selected: that is what survives a NAT that rebinds and a telephone that leaves Wi-Fi. Peers that nominate once and never again
//! (`rtc-ice`, pion) do not notice that a NAT gave them another address: whose checks come from elsewhere, and from the nominated
//! address no more, is followed there ([`Patience::moved`]). And because a lite agent cannot ask for consent (RFC 7675), authentic
//! checks of the peer count as consent.

mod credentials;
mod message;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use message::{Answer, BindingRequest, write_answer};

use crate::patience::Patience;

pub use credentials::{Credentials, HIGHEST_HOST, HIGHEST_SLOT};

/// So long the address that a nomination replaced may still be received from.
pub const OLD_ADDRESS: Duration = Duration::from_secs(5);
/// Checks of one leg that are looked at in a second; beyond them not even the hash is computed.
pub const CHECKS_A_SECOND: u32 = 50;

/// Why a datagram was not taken for a check of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No binding request, or a broken one.
    Malformed,
    /// For another leg, of another peer, or of credentials that a restart replaced.
    Username,
    /// Whoever sent it does not know the password.
    Integrity,
    /// More than [`CHECKS_A_SECOND`].
    TooMany,
}

/// What an authentic check changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// Nothing but that the peer is alive.
    Alive,
    /// The peer's first nomination: there is an address to send to.
    Nominated(SocketAddr),
    /// The peer's address changed in mid-call.
    Moved {
        /// Where it was.
        from: SocketAddr,
        /// Where it is.
        to: SocketAddr,
    },
}

/// What time alone changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lapse {
    /// No check for [`Patience::unstable`]. Reported once, until the next check.
    Unstable,
    /// No check for [`Patience::consent`]: nothing may be sent any more.
    ConsentExpired,
}

/// Credentials of both sides that stand for one generation of the session.
#[derive(Debug, Clone)]
struct Generation {
    ours: Credentials,
    peer_fragment: String,
}

impl Generation {
    fn is_named_by(&self, fragments: (&[u8], &[u8])) -> bool {
        fragments == (self.ours.fragment().as_bytes(), self.peer_fragment.as_bytes())
    }
}

/// The ICE machine of one leg.
#[derive(Debug)]
pub struct LiteAgent {
    /// Apart, as are all things of which a packet of audio needs nothing: their keys have more than a kilobyte, and what a packet
    /// touches of a leg should lie close together.
    current: Box<Generation>,
    /// After a restart, until the first check with the new credentials: both are good.
    next: Option<Box<Generation>>,
    patience: Patience,
    selected: Option<SocketAddr>,
    /// The last check from there.
    selected_check: Instant,
    old: Option<(SocketAddr, Instant)>,
    last_check: Instant,
    is_unstable: bool,
    budget: Budget,
}

impl LiteAgent {
    /// Begins to wait for checks. The peer's password is not needed: only who sends checks uses it.
    pub fn new(ours: Credentials, peer_fragment: String, patience: Patience, now: Instant) -> Self {
        Self {
            current: Box::new(Generation { ours, peer_fragment }),
            next: None,
            patience,
            selected: None,
            selected_check: now,
            old: None,
            last_check: now,
            is_unstable: false,
            budget: Budget::new(CHECKS_A_SECOND, now),
        }
    }

    /// ICE restart (RFC 8445 section 9): new credentials of both sides. DTLS and SRTP go on, so does the audio; the old
    /// credentials are good until the first check with the new ones.
    pub fn restart(&mut self, ours: Credentials, peer_fragment: String) {
        self.next = Some(Box::new(Generation { ours, peer_fragment }));
    }

    /// Takes a datagram that looked like STUN. An authentic check is answered at the end of `answer`.
    pub fn check(
        &mut self,
        from: SocketAddr,
        datagram: &[u8],
        now: Instant,
        answer: &mut Vec<u8>,
    ) -> Result<Checked, Refused> {
        let request = BindingRequest::read(datagram).ok_or(Refused::Malformed)?;
        let fragments = request.fragments().ok_or(Refused::Username)?;
        let is_next = self.next.as_ref().is_some_and(|next| next.is_named_by(fragments));
        if !is_next && !self.current.is_named_by(fragments) {
            return Err(Refused::Username);
        }
        if !self.budget.spend(now) {
            return Err(Refused::TooMany);
        }
        let generation = self.next.as_ref().filter(|_| is_next).unwrap_or(&self.current);
        let key = generation.ours.key();
        if !request.is_authentic(key) {
            return Err(Refused::Integrity);
        }

        let kind = answer_to(&request);
        write_answer(answer, kind, &request, from, key);
        if is_next && let Some(next) = self.next.take() {
            self.current = next;
        }
        self.last_check = now;
        self.is_unstable = false;
        if self.selected == Some(from) {
            self.selected_check = now;
        }
        if kind == Answer::Success && (request.nominates() || self.has_moved(now)) {
            Ok(self.nominate(from, now))
        } else {
            Ok(Checked::Alive)
        }
    }

    /// Whether the peer has left the nominated address: no check has come from there lately.
    fn has_moved(&self, now: Instant) -> bool {
        self.selected.is_some() && now.saturating_duration_since(self.selected_check) >= self.patience.moved
    }

    fn nominate(&mut self, address: SocketAddr, now: Instant) -> Checked {
        self.selected_check = now;
        match self.selected.replace(address) {
            None => Checked::Nominated(address),
            Some(same) if same == address => Checked::Alive,
            Some(before) => {
                self.old = Some((before, now + OLD_ADDRESS));
                Checked::Moved {
                    from: before,
                    to: address,
                }
            }
        }
    }

    /// Where the peer is to be sent to: what it nominated last, or where it went since.
    pub fn selected(&self) -> Option<SocketAddr> {
        self.selected
    }

    /// Whether media may come from an address: the nominated one, or for [`OLD_ADDRESS`] the one before it.
    pub fn accepts_from(&self, address: SocketAddr, now: Instant) -> bool {
        self.selected == Some(address) || self.old.is_some_and(|(old, until)| old == address && now < until)
    }

    /// Whether the peer is silent for [`Patience::unstable`] and that was told.
    pub fn is_unstable(&self) -> bool {
        self.is_unstable
    }

    /// Our credentials that a peer uses: after a restart the new ones.
    pub fn credentials(&self) -> &Credentials {
        &self.next.as_ref().unwrap_or(&self.current).ours
    }

    /// What passed by time; `None` if nothing did.
    pub fn lapse(&mut self, now: Instant) -> Option<Lapse> {
        let silence = now.saturating_duration_since(self.last_check);
        if silence >= self.patience.consent {
            return Some(Lapse::ConsentExpired);
        }
        if silence >= self.patience.unstable && !self.is_unstable && self.selected.is_some() {
            self.is_unstable = true;
            return Some(Lapse::Unstable);
        }
        None
    }

    /// When [`Self::lapse`] is to be asked next.
    pub fn next_lapse(&self) -> Instant {
        let is_reported = self.is_unstable || self.selected.is_none();
        self.last_check
            + if is_reported {
                self.patience.consent
            } else {
                self.patience.unstable
            }
    }
}

fn answer_to(request: &BindingRequest<'_>) -> Answer {
    if !request.unknown().is_empty() {
        Answer::UnknownAttribute
    } else if request.peer_is_controlled() {
        Answer::RoleConflict
    } else {
        Answer::Success
    }
}

/// An address as it is compared: an IPv4 address in IPv6 clothes is the IPv4 address.
pub fn plain_address(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(plain) => SocketAddr::new(IpAddr::V4(plain), address.port()),
            None => address,
        },
        IpAddr::V4(_) => address,
    }
}

/// Our user fragment in a datagram that may be a check, so that a thread finds the leg it is for. Not authenticated.
pub fn addressed_fragment(datagram: &[u8]) -> Option<&[u8]> {
    Some(BindingRequest::read(datagram)?.fragments()?.0)
}

/// So many in each second, then no more until the next.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u32,
    left: u32,
    since: Instant,
}

impl Budget {
    pub(crate) fn new(limit: u32, now: Instant) -> Self {
        Self {
            limit,
            left: limit,
            since: now,
        }
    }

    /// Takes one; `false` if none is left.
    pub(crate) fn spend(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= Duration::from_secs(1) {
            self.since = now;
            self.left = self.limit;
        }
        let is_left = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_left
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
