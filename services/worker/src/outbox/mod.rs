//! What leaves a conversation after a commit, as a pure state machine: one send at a time to the Connector and one at a
//! time to our own actors, in order, with back-off, given up visibly. It owns no entry: those are in the record.

mod operation;

pub use self::operation::{Operation, SendWork, Target};
use crate::conversation::Now;
use crate::record::{Entry, Lane as Where, Record};

/// Keeps the keys of deliveries apart from those of activities.
const DELIVERY_SEED: u64 = 0x7465_6c6c_5f6f_6e63;
/// Longest wait between two tries of one entry.
const LONGEST_WAIT_MS: u64 = 30_000;

/// Longest wait of a stream's final text for the stream's pace: Teams takes one part a second, the final one included.
const STREAM_PACE_MS: u64 = 1_000;

/// What came of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendResult {
    /// Taken.
    Taken {
        /// The activity id, where the Connector gave one.
        id: Option<String>,
        /// The conversation that was made or found on the way.
        conversation: Option<String>,
    },
    /// Not taken, or nobody knows; try again.
    Again {
        /// Not earlier than this.
        after_ms: Option<u64>,
        /// Teams may have taken it.
        in_doubt: bool,
        /// For logs.
        reason: String,
    },
    /// The stream on the user's screen does not take its final text any more.
    StreamGone {
        /// It is too old, so the message that it became is updated; else the text is sent as a message of its own.
        is_expired: bool,
    },
    /// Nothing was sent: this process may not begin requests now. Not a try; the next may come as soon as it may.
    Withheld,
    /// Trying again cannot help.
    Final {
        /// For logs.
        reason: String,
    },
}

/// What the conversation does after a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Take the entry out of the record.
    Sent {
        /// The activity id.
        id: Option<String>,
        /// The conversation that was made on the way.
        conversation: Option<String>,
    },
    /// It stays and is tried again.
    Later {
        /// For logs.
        reason: String,
    },
    /// Take it out and tell the bot.
    GivenUp {
        /// For logs.
        reason: String,
        /// How often it was tried.
        tries: u32,
    },
    /// Take it out: nobody knows whether it arrived, and the bot said not to send it twice.
    InDoubt,
    /// It stays: nothing was sent.
    Untried,
    /// An answer to a try that nobody waits for.
    Unknown,
}

/// The two lanes of a conversation's outbox.
#[derive(Debug, Default)]
pub struct Outbox {
    connector: Lane,
    actors: Lane,
}

/// One send at a time.
#[derive(Debug, Default)]
struct Lane {
    /// The entry at the Connector or the other actor.
    sending: Option<Which>,
    /// The entry that was tried and waits.
    trying: Option<Trying>,
}

/// Which entry. Its sequence alone does not tell: a store that failed over lacks the last entries, and their sequences are
/// given out again, while what was sent of the lost ones is still under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Which {
    sequence: u64,
    queued_ms: u64,
}

impl From<&Entry> for Which {
    fn from(entry: &Entry) -> Self {
        Self {
            sequence: entry.sequence,
            queued_ms: entry.queued_ms,
        }
    }
}

#[derive(Debug)]
struct Trying {
    which: Which,
    began_at: u64,
    tries: u32,
    not_before: u64,
    fallback: Fallback,
}

/// How the final text of a stream goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// As the end of its stream.
    None,
    /// As an update of the message that the stream became.
    Update,
    /// As a message of its own.
    Message,
}

impl Outbox {
    /// What is to be sent now: at most one entry for each lane, of those below `committed_below`.
    pub fn next(&mut self, record: &Record, committed_below: u64, now: Now) -> Option<Result<SendWork, Unsendable>> {
        for where_to in [Where::Connector, Where::Actors] {
            let lane = self.lane_mut(where_to);
            if lane.sending.is_some() {
                continue;
            }
            let Some(entry) = record.outbox.iter().find(|entry| entry.lane() == where_to) else {
                continue;
            };
            if entry.sequence >= committed_below {
                continue;
            }
            // Not beyond the pace: the time is a clock's that can step.
            let wait = entry.stream_next_ms.saturating_sub(now.wall_ms).min(STREAM_PACE_MS);
            let trying = lane.trying_of(entry.into(), now.steady_ms, wait);
            if trying.not_before > now.steady_ms {
                continue;
            }
            let fallback = trying.fallback;
            trying.tries += 1;
            lane.sending = Some(entry.into());
            return Some(operation::of_entry(entry, record, fallback));
        }
        None
    }

    /// What a try means for its entry.
    pub fn finished(&mut self, entry: &Entry, result: SendResult, give_up_ms: u64, now_ms: u64) -> Verdict {
        let lane = self.lane_mut(entry.lane());
        let Some(sent) = lane.sending.take_if(|sent| sent.sequence == entry.sequence) else {
            return Verdict::Unknown;
        };
        if sent != entry.into() {
            // Of an entry that the store has lost. This one was not sent yet.
            lane.trying = None;
            return Verdict::Unknown;
        }
        let trying = lane.trying_of(sent, now_ms, 0);
        let tries = trying.tries;
        let verdict = match result {
            SendResult::Taken { id, conversation } => Verdict::Sent { id, conversation },
            SendResult::Withheld => {
                trying.tries = tries.saturating_sub(1);
                if trying.tries == 0 {
                    lane.trying = None;
                }
                return Verdict::Untried;
            }
            SendResult::Final { reason } => Verdict::GivenUp { reason, tries },
            SendResult::StreamGone { is_expired } => {
                trying.fallback = if is_expired && trying.fallback == Fallback::None {
                    Fallback::Update
                } else {
                    Fallback::Message
                };
                trying.not_before = now_ms;
                return Verdict::Later {
                    reason: "the stream does not take its final text".to_owned(),
                };
            }
            SendResult::Again { in_doubt: true, .. } if entry.skip_in_doubt => Verdict::InDoubt,
            SendResult::Again { after_ms, reason, .. } => {
                if now_ms.saturating_sub(trying.began_at) >= give_up_ms {
                    Verdict::GivenUp { reason, tries }
                } else {
                    let wait = after_ms.unwrap_or_else(|| back_off(tries, entry.sequence));
                    trying.not_before = now_ms + wait.max(1);
                    return Verdict::Later { reason };
                }
            }
        };
        lane.trying = None;
        verdict
    }

    /// Operations of calls leave another way: they are never asked for here.
    fn lane_mut(&mut self, lane: Where) -> &mut Lane {
        match lane {
            Where::Actors => &mut self.actors,
            Where::Connector | Where::Graph => &mut self.connector,
        }
    }

    /// An entry was taken out of the record while it was tried.
    pub fn forget(&mut self, sequence: u64) {
        for lane in [&mut self.connector, &mut self.actors] {
            if lane.sending.take_if(|sent| sent.sequence == sequence).is_some() {
                lane.trying = None;
            }
        }
    }

    /// How often an entry was tried by this process.
    pub fn tries_of(&self, sequence: u64) -> u32 {
        let lanes = [&self.connector, &self.actors];
        let mut trying = lanes.iter().filter_map(|lane| lane.trying.as_ref());
        trying
            .find(|trying| trying.which.sequence == sequence)
            .map_or(0, |trying| trying.tries)
    }

    /// Whether a send is at the Connector or another actor now.
    pub fn is_sending(&self) -> bool {
        self.connector.sending.is_some() || self.actors.sending.is_some()
    }

    /// When something that waits can be tried again.
    pub fn deadline(&self) -> Option<u64> {
        [&self.connector, &self.actors]
            .into_iter()
            .filter(|lane| lane.sending.is_none())
            .filter_map(|lane| lane.trying.as_ref().map(|trying| trying.not_before))
            .min()
    }
}

impl Lane {
    /// The try of an entry, begun now when it is another one than before: then after a wait.
    fn trying_of(&mut self, which: Which, now_ms: u64, wait_ms: u64) -> &mut Trying {
        let is_same = self.trying.as_ref().is_some_and(|trying| trying.which == which);
        if !is_same {
            self.trying = None;
        }
        self.trying.get_or_insert(Trying {
            which,
            began_at: now_ms,
            tries: 0,
            not_before: now_ms + wait_ms,
            fallback: Fallback::None,
        })
    }
}

/// An entry that can never be sent, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsendable {
    /// Which entry.
    pub sequence: u64,
    /// For logs.
    pub reason: String,
}

/// Doubles from half a second, with up to a quarter taken off so that conversations that failed together do not come back
/// together. The spread comes from the entry, so that a simulation repeats itself.
fn back_off(tries: u32, sequence: u64) -> u64 {
    let wait = 500_u64
        .saturating_mul(1 << tries.saturating_sub(1).min(10))
        .min(LONGEST_WAIT_MS);
    let spread =
        (sequence.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ u64::from(tries).wrapping_mul(0xD1B5_4A32_D192_ED03)) >> 40;
    wait - wait * (spread % 256) / 1_024
}

/// The key by which the receiving actor recognises a repeated delivery of an entry: of this one, and not of one that the store has
/// lost and that had its sequence.
pub(crate) fn delivery_key(sender: &[u8; 16], sequence: u64, queued_ms: u64) -> u64 {
    let mut input = [0; 32];
    input[..16].copy_from_slice(sender);
    input[16..24].copy_from_slice(&sequence.to_be_bytes());
    input[24..].copy_from_slice(&queued_ms.to_be_bytes());
    xxhash_rust::xxh3::xxh3_64_with_seed(&input, DELIVERY_SEED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trunkline_store::key::Triple;

    fn at(ms: u64) -> Now {
        Now {
            steady_ms: ms,
            wall_ms: 1_000_000 + ms,
            may_begin: true,
        }
    }

    fn record_with_final_text(stream_next_ms: u64) -> Record {
        let mut record = Record::new(&Triple::conversation("b", "t", "c"));
        record.outbox.push(Entry {
            sequence: 1,
            stream_id: "s".to_owned(),
            stream_next_ms,
            ..Entry::default()
        });
        record
    }

    #[test]
    fn a_delivery_is_known_again_and_one_that_was_given_its_sequence_later_is_another() {
        let key = delivery_key(&[7; 16], 3, 1_000);
        assert_eq!(key, delivery_key(&[7; 16], 3, 1_000));
        for other in [
            delivery_key(&[7; 16], 3, 1_001),
            delivery_key(&[7; 16], 4, 1_000),
            delivery_key(&[8; 16], 3, 1_000),
        ] {
            assert_ne!(key, other);
        }
    }

    #[test]
    fn the_final_text_of_a_stream_waits_for_the_pace_of_its_parts() {
        let mut outbox = Outbox::default();
        let record = record_with_final_text(1_000_400);
        assert!(outbox.next(&record, u64::MAX, at(0)).is_none());
        assert_eq!(outbox.deadline(), Some(400));
        assert!(outbox.next(&record, u64::MAX, at(399)).is_none());
        assert!(outbox.next(&record, u64::MAX, at(400)).is_some());
    }

    #[test]
    fn a_clock_that_stepped_back_holds_the_final_text_for_a_second_at_most() {
        let mut outbox = Outbox::default();
        let record = record_with_final_text(u64::MAX);
        assert!(outbox.next(&record, u64::MAX, at(0)).is_none());
        assert!(outbox.next(&record, u64::MAX, at(1_000)).is_some());
    }
}
