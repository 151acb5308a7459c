//! The HTTP side of one leg, as a value: who may post, patch and delete, and what has been answered.

use std::time::{Duration, Instant};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};

/// Offers that are refused until the token is spent.
const FAILURES: u32 = 5;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRefusal {
    /// No token, a wrong one, a spent one, an expired one: nobody is told which.
    Unauthorised,
    /// The leg has a peer already.
    Conflict,
    /// There is no session, or it has ended.
    NotFound,
    /// PATCH without If-Match.
    NoCondition,
    /// PATCH for another state of the session than the present one.
    OtherState,
}

/// What a PATCH asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patch {
    /// New credentials of the peer: ICE restart.
    Restart,
    /// Candidates, which a lite agent needs none of.
    Candidates,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Waiting { until: Instant, failures: u32 },
    Established { tag: u64 },
    Ended,
}

/// The session of one leg.
#[derive(Debug)]
pub struct Session {
    token: [u8; 32],
    state: State,
}

impl Session {
    /// A session whose peer has a token, which may be used for the first POST as long as it is valid.
    pub fn new(token: &str, valid: Duration, now: Instant) -> Self {
        Self {
            token: hash(token),
            state: State::Waiting {
                until: now + valid,
                failures: 0,
            },
        }
    }

    fn knows(&self, bearer: &str) -> Result<(), SessionRefusal> {
        verify_slices_are_equal(&self.token, &hash(bearer)).map_err(|_| SessionRefusal::Unauthorised)
    }

    /// Whether an offer may be looked at.
    pub fn may_post(&self, bearer: &str, now: Instant) -> Result<(), SessionRefusal> {
        self.knows(bearer)?;
        match self.state {
            State::Waiting { until, failures } if now < until && failures < FAILURES => Ok(()),
            State::Established { .. } => Err(SessionRefusal::Conflict),
            State::Waiting { .. } | State::Ended => Err(SessionRefusal::Unauthorised),
        }
    }

    /// An offer of the peer was refused: some of them spend the token.
    pub fn offer_refused(&mut self) {
        if let State::Waiting { failures, .. } = &mut self.state {
            *failures += 1;
        }
    }

    /// The offer was answered; the token is spent.
    pub fn established(&mut self) {
        self.state = State::Established { tag: 1 };
    }

    /// Whether the peer came in time.
    pub fn is_expired(&self, now: Instant) -> bool {
        matches!(self.state, State::Waiting { until, .. } if now >= until)
    }

    /// Whether there is a peer.
    pub fn has_peer(&self) -> bool {
        matches!(self.state, State::Established { .. })
    }

    /// The entity tag of the present state.
    pub fn tag(&self) -> String {
        let tag = if let State::Established { tag } = self.state {
            tag
        } else {
            0
        };
        format!("\"{tag}\"")
    }

    /// Whether a PATCH may be carried out, and what it is: a restart is for any state (`*`), candidates are for the present one
    /// (RFC 9725 section 4.3).
    pub fn may_patch(&self, bearer: &str, condition: Option<&str>) -> Result<Patch, SessionRefusal> {
        self.knows(bearer)?;
        if !self.has_peer() {
            return Err(SessionRefusal::NotFound);
        }
        match condition {
            None => Err(SessionRefusal::NoCondition),
            Some("*") => Ok(Patch::Restart),
            Some(tag) if tag == self.tag() => Ok(Patch::Candidates),
            Some(_) => Err(SessionRefusal::OtherState),
        }
    }

    /// There are new credentials: the state is another.
    pub fn restarted(&mut self) {
        if let State::Established { tag } = &mut self.state {
            *tag += 1;
        }
    }

    /// Whether a DELETE ends the session.
    pub fn delete(&mut self, bearer: &str) -> Result<(), SessionRefusal> {
        self.knows(bearer)?;
        if !self.has_peer() {
            return Err(SessionRefusal::NotFound);
        }
        self.state = State::Ended;
        Ok(())
    }
}

fn hash(token: &str) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: Duration = Duration::from_secs(30);

    fn session() -> (Session, Instant) {
        let now = Instant::now();
        (Session::new("token", VALID, now), now)
    }

    #[test]
    fn a_token_is_good_for_one_answer_in_its_time() {
        let (mut session, now) = session();
        assert_eq!(session.may_post("another", now), Err(SessionRefusal::Unauthorised));
        assert_eq!(
            session.may_post("token", now + VALID),
            Err(SessionRefusal::Unauthorised)
        );
        assert!(session.is_expired(now + VALID));
        assert_eq!(session.may_post("token", now), Ok(()));
        session.established();
        assert!(!session.is_expired(now + VALID));
        assert_eq!(session.may_post("token", now), Err(SessionRefusal::Conflict));
        assert_eq!(session.may_post("another", now), Err(SessionRefusal::Unauthorised));
    }

    #[test]
    fn refused_offers_do_not_spend_a_token_but_five_do() {
        let (mut session, now) = session();
        for _ in 0..5 {
            assert_eq!(session.may_post("token", now), Ok(()));
            session.offer_refused();
        }
        assert_eq!(session.may_post("token", now), Err(SessionRefusal::Unauthorised));
    }

    #[test]
    fn a_patch_says_which_state_it_is_for() {
        let (mut session, _) = session();
        assert_eq!(session.may_patch("token", Some("*")), Err(SessionRefusal::NotFound));
        session.established();
        let tag = session.tag();
        assert_eq!(
            session.may_patch("another", Some("*")),
            Err(SessionRefusal::Unauthorised)
        );
        assert_eq!(session.may_patch("token", None), Err(SessionRefusal::NoCondition));
        assert_eq!(session.may_patch("token", Some(&tag)), Ok(Patch::Candidates));
        assert_eq!(session.may_patch("token", Some("*")), Ok(Patch::Restart));
        session.restarted();
        assert_eq!(session.may_patch("token", Some(&tag)), Err(SessionRefusal::OtherState));
    }

    #[test]
    fn a_session_is_deleted_once() {
        let (mut session, _) = session();
        assert_eq!(session.delete("token"), Err(SessionRefusal::NotFound));
        session.established();
        assert_eq!(session.delete("another"), Err(SessionRefusal::Unauthorised));
        assert_eq!(session.delete("token"), Ok(()));
        assert_eq!(session.delete("token"), Err(SessionRefusal::NotFound));
    }
}
