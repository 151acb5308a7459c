//! Whether this node is a member: its beats, the validity of its lease, and what the store's answers say about both.
//!
//! Validity counts from the moment before a beat was sent, on a clock that goes on while the machine sleeps. After a lapse an
//! answered beat alone does not restore it: a map that is read afterwards must still name this node. Else a process that was
//! paused would send what its successor sends. If the gap between two beats at the store was longer than the lease, a leader
//! may be writing that map just now: then only one that is read [`DOUBT`] later counts.

use trunkline_store::contract::{Incarnation, Pulse};

use super::times::{BEAT, BEATS_AT_ONCE, DOUBT, ELECTION_SPREAD, LEADER_LEASE, LEASE, NEWS_BEAT, VALIDITY};

/// What an answered beat means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Beaten {
    /// Nothing new.
    Member,
    /// The first answer under this incarnation.
    Joined,
    /// The lease had lapsed: a map must confirm the membership.
    Lapsed,
    /// It is another store.
    OtherStore(u64),
}

#[derive(Debug)]
pub(super) struct Member {
    me: Incarnation,
    /// The store that this node began with.
    cluster: u64,
    joined: bool,
    valid_until: u64,
    /// From when on a map may be read to restore validity.
    unconfirmed: Option<u64>,
    /// The newest answer and when it came.
    pulse: Option<(u64, Pulse)>,
    answer_ms: Option<u64>,
    sent: Option<u64>,
    next: u64,
    unanswered: usize,
}

impl Member {
    pub(super) fn new(me: Incarnation, cluster: u64, now: u64) -> Self {
        Self {
            me,
            cluster,
            joined: false,
            valid_until: 0,
            unconfirmed: None,
            pulse: None,
            answer_ms: None,
            sent: None,
            next: now,
            unanswered: 0,
        }
    }

    pub(super) fn me(&self) -> Incarnation {
        self.me
    }

    /// Becomes a new incarnation: the old one is dead and never comes back.
    pub(super) fn rejoin(&mut self, me: Incarnation, now: u64) {
        *self = Self {
            answer_ms: self.answer_ms,
            ..Self::new(me, self.cluster, now)
        };
    }

    /// Until when something may begin, 0 for not at all.
    pub(super) fn valid_until(&self) -> u64 {
        match self.unconfirmed {
            None => self.valid_until,
            Some(_) => 0,
        }
    }

    pub(super) fn is_valid(&self, now: u64) -> bool {
        now < self.valid_until()
    }

    pub(super) fn has_joined(&self) -> bool {
        self.joined
    }

    /// The newest answer to a beat.
    pub(super) fn pulse(&self) -> Option<&Pulse> {
        self.pulse.as_ref().map(|(_, pulse)| pulse)
    }

    /// When the leader's lease ends by what the store said last: now, if nobody leads. Of nodes that see it end at one
    /// moment one asks first.
    pub(super) fn leader_ends(&self, now: u64) -> u64 {
        let Some((came, pulse)) = &self.pulse else {
            return u64::MAX;
        };
        let left = pulse.leader_until_ms.saturating_sub(pulse.now_ms);
        if pulse.leader.is_none() || left == 0 || left > LEADER_LEASE {
            // Nobody, or a lease from before the store's clock stepped back.
            return now;
        }
        came + left + self.me.0 % ELECTION_SPREAD
    }

    /// How long the store took for the last answered beat.
    pub(super) fn answer_ms(&self) -> Option<u64> {
        self.answer_ms
    }

    /// When the next beat is due.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// There is news: the next beat comes sooner.
    pub(super) fn hurry(&mut self) {
        let soonest = self.sent.map_or(0, |sent| sent + NEWS_BEAT);
        self.next = self.next.min(soonest);
    }

    /// Whether a beat is sent now.
    pub(super) fn beats(&mut self, now: u64) -> bool {
        if now < self.next {
            return false;
        }
        self.next = now + BEAT;
        if self.unanswered >= BEATS_AT_ONCE {
            return false;
        }
        self.sent = Some(now);
        self.unanswered += 1;
        true
    }

    /// The store did not answer a beat.
    pub(super) fn unanswered(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    /// The store answered the beat that was sent at `sent`.
    pub(super) fn answered(&mut self, now: u64, sent: u64, pulse: Pulse) -> Beaten {
        self.unanswered = self.unanswered.saturating_sub(1);
        if pulse.cluster != self.cluster {
            return Beaten::OtherStore(pulse.cluster);
        }
        let had_lapsed = self.joined && now >= self.valid_until;
        let doubt = if self.joined && Self::may_be_dead(&pulse) {
            Some(now + DOUBT)
        } else if had_lapsed {
            Some(now)
        } else {
            None
        };
        let is_first = !self.joined;
        self.joined = true;
        self.answer_ms = Some(now.saturating_sub(sent));
        self.valid_until = self.valid_until.max(sent + VALIDITY);
        self.pulse = Some((now, pulse));
        if is_first {
            return Beaten::Joined;
        }
        match doubt {
            Some(from) if self.unconfirmed.is_none_or(|already| already < from) => {
                let is_news = self.unconfirmed.is_none() || from > now;
                self.unconfirmed = Some(self.unconfirmed.map_or(from, |already| already.max(from)));
                if is_news { Beaten::Lapsed } else { Beaten::Member }
            }
            _ => Beaten::Member,
        }
    }

    /// A map that was asked for at `asked` still names this node, or never did.
    pub(super) fn confirm(&mut self, asked: u64) -> bool {
        let confirms = self.unconfirmed.is_some_and(|since| asked >= since);
        if confirms {
            self.unconfirmed = None;
        }
        confirms
    }

    /// From when on a map is to be read so that validity returns.
    pub(super) fn unconfirmed(&self) -> Option<u64> {
        self.unconfirmed
    }

    /// By the store's own clock and memory, as the leader judges it.
    fn may_be_dead(pulse: &Pulse) -> bool {
        match pulse.previous_beat_ms {
            None => true,
            Some(previous) => age(previous, pulse.up_since_ms, pulse.now_ms) > LEASE,
        }
    }
}

/// Age of a beat on the store's clock. An outage of the store and a step of its clock make everybody fresh.
pub(super) fn age(beat: u64, up_since: u64, now: u64) -> u64 {
    let beat = if beat > now { up_since } else { beat.max(up_since) };
    now.saturating_sub(beat)
}
