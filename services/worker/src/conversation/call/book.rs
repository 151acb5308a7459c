//! The book of calls: each call of a tenant counts from before it is answered or made until it is over, and stands in the log
//! of ended calls afterwards. What is asked of the book is repeated until it is answered; every request may be.

use serde::Serialize;
use trunkline_bot::logic::{CallAbout, CallEnd, CallEvent, EndedBy, OperationEnd, OperationOutcome};
use trunkline_store::StoreError;
use trunkline_store::contract::{CallLease, CallTaken, ENDED_BYTES, EndedCall, Month};
use trunkline_store::key::Key;
use trunkline_teams::calls::{RejectReason, ResultInfo};
use trunkline_teams::graph::OperationKind;

use super::super::event::{Action, Note, Now};
use super::super::{Conversation, milliseconds};
use crate::call::{CallRecord, Lease, MomentKind};
use crate::record::Lane;

/// First wait after a failure; each further one is twice as long.
const FIRST_WAIT_MS: u64 = 50;
const LONGEST_WAIT_MS: u64 = 10_000;
/// HTTP status of what a limit of ours refuses, and its code.
const FULL_STATUS: u16 = 429;
const FULL_CODE: &str = "TRUNKLINE_CALL_LIMIT";

/// What is asked of the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Booking {
    /// The call is to begin.
    Take(CallLease),
    /// It goes on.
    Renew {
        /// Entra tenant of the call.
        tenant: String,
        /// The call.
        call: Key,
        /// Life of the lease from now, in milliseconds.
        life_ms: u64,
    },
    /// It is over: written down, then given back.
    Close {
        /// What is written down.
        ended: EndedCall,
        /// How long, in milliseconds.
        retain_ms: u64,
    },
}

/// What the book answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booked {
    /// What became of [`Booking::Take`].
    Taken(CallTaken),
    /// [`Booking::Renew`] was done.
    Renewed,
    /// [`Booking::Close`] was done.
    Closed,
}

/// What is under way with the book.
#[derive(Debug, Default)]
pub(super) struct BookingState {
    pub(super) is_running: bool,
    pub(super) wants_renewal: bool,
    failures: u32,
    not_before: u64,
}

/// A call in the log of ended calls.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogEntry<'a> {
    bot: &'a str,
    /// Key of the call.
    call: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    scenario: &'a str,
    began_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    connected_ms: Option<u64>,
    ended_ms: u64,
    is_outgoing: bool,
    is_recording_invitation: bool,
    ended_by: EndedBy,
    /// An operator asked for the end.
    by_operator: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ResultInfo>,
    about: CallAbout,
}

impl Conversation {
    /// Asks the book what is to be asked, if nothing is under way.
    pub(super) fn next_booking(&mut self, now: Now, out: &mut Vec<Action>) {
        let Some(identity) = self.identity.clone() else { return };
        let Some(settings) = identity.bot.call_settings() else {
            return;
        };
        let life_ms = 2 * milliseconds(settings.keep_alive) + 60_000;
        let key = self.key;
        // An end that is not written may be told again, at another time.
        let is_written = self.memory.as_ref().is_some_and(|memory| memory.dirty_since.is_none());
        let (Some(part), Some(call)) = (
            &mut self.call,
            self.memory.as_ref().and_then(|it| it.record.call.as_ref()),
        ) else {
            return;
        };
        let booking = &mut part.booking;
        if booking.is_running || booking.not_before > now.steady_ms {
            return;
        }
        let wanted = match call.lease() {
            Lease::Wanted => Booking::Take(CallLease {
                tenant: call.tenant.clone(),
                bot: identity.triple.bot.clone(),
                call: key,
                limit: settings.simultaneous,
                life_ms,
                month: Month::of_ms(call.began_ms),
            }),
            Lease::Held if booking.wants_renewal => Booking::Renew {
                tenant: call.tenant.clone(),
                call: key,
                life_ms,
            },
            Lease::Closing if is_written => Booking::Close {
                ended: EndedCall {
                    ended_ms: call.ended.as_ref().map_or(call.began_ms, |ended| ended.at_ms),
                    call: key,
                    tenant: call.tenant.clone(),
                    entry: entry_of(call, &identity.triple.bot, &identity.triple.conversation),
                },
                retain_ms: milliseconds(settings.log_retention),
            },
            Lease::None | Lease::Held | Lease::Closing | Lease::Closed => return,
        };
        booking.is_running = true;
        out.push(Action::Book(Box::new(wanted)));
    }

    /// The book answered.
    pub(in super::super) fn booked(&mut self, result: Result<Booked, StoreError>, now: Now, out: &mut Vec<Action>) {
        let booking = &mut self.call_part().booking;
        booking.is_running = false;
        let booked = match result {
            Ok(booked) => {
                booking.failures = 0;
                booking.not_before = 0;
                booked
            }
            Err(error) => {
                let wait = (FIRST_WAIT_MS << booking.failures.min(8)).min(LONGEST_WAIT_MS);
                booking.failures += 1;
                booking.not_before = now.steady_ms + wait;
                let reason = error.to_string();
                out.push(Action::Note(Note::BookFailed { reason }));
                return;
            }
        };
        let monthly = self
            .identity
            .as_ref()
            .and_then(|identity| identity.bot.call_settings()?.monthly);
        match booked {
            Booked::Renewed => self.call_part().booking.wants_renewal = false,
            Booked::Closed => {
                let end = self.call_record().and_then(CallRecord::end);
                out.extend(end.map(|end| {
                    let code = end.result.as_ref().map(ResultInfo::code);
                    Action::Note(Note::CallEnded { by: end.by, code })
                }));
                self.set_lease(Lease::Closed, now);
            }
            Booked::Taken(CallTaken::Full { in_use }) => {
                self.is_full(
                    &format!("the tenant has {in_use} calls, which is its limit"),
                    Lease::None,
                    now,
                    out,
                );
            }
            Booked::Taken(CallTaken::Taken { this_month, .. }) => match monthly {
                Some(limit) if this_month > limit => {
                    let why = format!("the bot has {this_month} calls in this tenant this month, its limit is {limit}");
                    self.is_full(&why, Lease::Held, now, out);
                }
                _ => self.may_begin(now),
            },
        }
    }

    fn set_lease(&mut self, lease: Lease, now: Now) {
        if let Some(call) = self.call_record_mut() {
            call.lease = lease as i32;
            self.must_write(now);
        }
    }

    /// The call counts: now its bot is told of it, or Graph asked.
    fn may_begin(&mut self, now: Now) {
        let Some(call) = self.call_record() else { return };
        if call.lease() != Lease::Wanted {
            // It ended meanwhile: the lease is given back with the end.
            return;
        }
        let rings = call.waits_for_decision();
        self.set_lease(Lease::Held, now);
        if rings {
            self.tell_incoming(now);
        }
    }

    /// The bot decides about a call, if it takes any.
    fn tell_incoming(&mut self, now: Now) {
        let Some(bot) = self.identity.as_ref().map(|identity| identity.bot.clone()) else {
            return;
        };
        if !bot.answers_calls() {
            let why = "the bot takes no incoming calls: rejected";
            self.reject(RejectReason::Forbidden, why, now);
        } else if bot.handles_call_event(&CallEvent::Incoming) {
            if let Some(call) = self.call_record_mut() {
                call.queue(&CallEvent::Incoming, "", now.wall_ms);
            }
        } else {
            self.decide_late("the bot has no handler for incoming calls", now);
        }
    }

    /// The tenant or the bot has as many calls as it may.
    fn is_full(&mut self, why: &str, lease: Lease, now: Now, out: &mut Vec<Action>) {
        let Some(call) = self.call_record() else { return };
        if call.lease() != Lease::Wanted {
            return;
        }
        out.push(Action::Note(Note::CallOverLimit));
        self.set_lease(lease, now);
        if let Some(call) = self.call_record_mut() {
            call.note(MomentKind::Host, why, now.wall_ms);
        }
        if self.call_record().is_some_and(CallRecord::waits_for_decision) {
            self.reject(RejectReason::Busy, "rejected as busy: a limit of calls", now);
            return;
        }
        self.not_made(FULL_STATUS, FULL_CODE, why, now);
    }

    /// A call of our own was not made: its bot hears why, and that it is over.
    pub(super) fn not_made(&mut self, status: u16, code: &str, message: &str, now: Now) {
        let key = self
            .identity
            .as_ref()
            .map(|identity| identity.triple.conversation.clone());
        let (Some(memory), Some(key)) = (self.memory.as_mut(), key) else {
            return;
        };
        memory.record.outbox.retain(|entry| entry.lane() != Lane::Graph);
        let Some(call) = memory.record.call.as_mut() else {
            return;
        };
        call.created(&key);
        call.is_ending = true;
        let refused = OperationEnd {
            key,
            operation: OperationKind::Create.name().to_owned(),
            outcome: OperationOutcome::Refused {
                status,
                code: code.to_owned(),
                message: message.to_owned(),
            },
        };
        let mut events = vec![CallEvent::OperationEnded(Box::new(refused))];
        let result = ResultInfo {
            code: Some(i64::from(status)),
            message: Some(format!("{code}: {message}")),
            ..ResultInfo::default()
        };
        events.extend(call.over(Some(result), now.wall_ms));
        self.happened(events, "", now);
        self.must_write(now);
    }

    /// When the book is asked again, on the steady clock.
    pub(in super::super) fn booking_deadline(&self) -> Option<u64> {
        let booking = &self.call.as_ref()?.booking;
        let waits = booking.not_before > 0 && !booking.is_running;
        waits.then_some(booking.not_before)
    }
}

/// What is kept of an ended call: who, when, how, why. The same bytes each time it is asked for. Without the names of people
/// where it would be too long.
fn entry_of(call: &CallRecord, bot: &str, key: &str) -> bytes::Bytes {
    let CallEnd { by, result } = call.end().unwrap_or(CallEnd {
        by: EndedBy::Unknown,
        result: None,
    });
    let mut about = call.about();
    // Lets in whoever has it.
    if let Some(meeting) = about.meeting_info.as_mut() {
        meeting.token = None;
        meeting.passcode = None;
    }
    let mut entry = LogEntry {
        bot,
        call: key,
        id: call.id.as_deref(),
        scenario: &call.scenario,
        began_ms: call.began_ms,
        connected_ms: (call.connected_ms > 0).then_some(call.connected_ms),
        ended_ms: call.ended.as_ref().map_or(call.began_ms, |ended| ended.at_ms),
        is_outgoing: call.is_outgoing,
        is_recording_invitation: call.is_recording_invitation,
        ended_by: by,
        by_operator: call.by_operator,
        result,
        about,
    };
    let written = serde_json::to_vec(&entry).unwrap_or_default();
    if written.len() <= ENDED_BYTES {
        return written.into();
    }
    entry.about = CallAbout {
        direction: entry.about.direction,
        call_chain_id: entry.about.call_chain_id,
        my_participant_id: entry.about.my_participant_id,
        ..CallAbout::default()
    };
    serde_json::to_vec(&entry).unwrap_or_default().into()
}
