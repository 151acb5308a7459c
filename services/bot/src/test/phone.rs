//! The call that a test has with a bot.

mod media;
mod seen;

use std::marker::PhantomData;
use std::time::Duration;

use serde_json::json;
use trunkline_teams::calls::{CallDirection, CallState, IncomingContext, InvitationParticipantInfo, Tone};
use trunkline_teams::graph::OperationKind;

use super::activity::{SERVICE, TENANT};
use super::chat::Crash;
use super::line::{Follows, Line, participant_id, somebody};
use super::turns::Host;
use crate::address::Address;
use crate::call_bot::CallBot;
use crate::logic::{CallAbout, CallEvent, Effect, EndedBy, Input, RecordedLeft};
use crate::signal::Signal;
use crate::state::State;

/// Time to decide about a call. Source: Graph, `call: answer`.
const DECIDE: Duration = Duration::from_secs(15);
/// Time to decide about an invitation to record.
const DECIDE_RECORDING: Duration = Duration::from_secs(5);
/// Prompts that one `listens` hears at most: a bot that plays for ever is left to `after`.
const PATIENCE: usize = 100;

/// A call with a bot, in memory. Its methods fail the test by a panic that says what is wrong.
///
/// A prompt lasts three seconds unless [`Phone::prompt_lasts`] says otherwise, and ends when time goes by
/// ([`Phone::listens`], [`Phone::after`]); everything else that the bot asks for is done at once unless the test says that it
/// is not. One phone has one call after the other, each with a state of its own.
pub struct Phone<S> {
    host: Host,
    wants_tones: bool,
    calls: u32,
    /// What the test has said of the next call.
    next: Line,
    remembers: PhantomData<S>,
}

impl<S: State> Phone<S> {
    /// A phone that nobody has taken off the hook.
    ///
    /// # Panics
    /// The bot cannot be started.
    pub fn with<A: Send + Sync + 'static>(bot: CallBot<S, A>) -> Self {
        let logic = bot.build().unwrap_or_else(|error| panic!("{error}"));
        let mut phone = Self {
            host: Host::new(logic, here("none", TENANT, SERVICE)),
            wants_tones: false,
            calls: 0,
            next: Line::new(TENANT),
            remembers: PhantomData,
        };
        phone.looks_at_bot();
        phone
    }

    /// Ada calls the bot.
    pub fn rings(&mut self) -> &mut Self {
        self.rings_from("Ada")
    }

    /// Somebody calls the bot.
    pub fn rings_from(&mut self, name: &str) -> &mut Self {
        self.comes_in(&format!("{name} calls"), incoming(name), DECIDE)
    }

    /// A call of any kind comes in.
    pub fn rings_with(&mut self, about: CallAbout) -> &mut Self {
        self.comes_in("(a call comes in)", about, DECIDE)
    }

    /// A recording policy of this name asks the bot to record somebody.
    pub fn asks_to_record(&mut self, name: &str, policy: &str) -> &mut Self {
        let about = CallAbout {
            application_metadata: Some(json!({ "botData": { "policyIdentifier": policy } })),
            ..recorded(name)
        };
        self.comes_in(&format!("({policy} asks to record {name})"), about, DECIDE_RECORDING)
    }

    /// Ada calls the bot, whose handler does not decide in time.
    pub fn rings_in_vain(&mut self) -> &mut Self {
        self.begins("Ada calls", |line| line.call.about = incoming("Ada"));
        self.host.screen.line("(the handler is late)");
        self.host.decides_late();
        self
    }

    /// The bot calls somebody: the call's first event is this signal. It rings until [`Phone::answers`] or another end.
    pub fn starts<T: Signal>(&mut self, hello: T) -> &mut Self {
        self.begins("(a call begins)", |line| {
            line.call.state = CallState::Establishing;
            line.call.about.direction = Some(CallDirection::Outgoing);
            line.call.about.targets = vec![InvitationParticipantInfo {
                identity: somebody("Ada").identity,
                ..InvitationParticipantInfo::default()
            }];
        });
        self.host.hears_signal(&hello);
        self
    }

    /// The same with the call that a turn asked for: the last of a chat's or another call's effects.
    pub fn starts_as(&mut self, effects: &[Effect]) -> &mut Self {
        let started = effects.iter().rev().find_map(|effect| match effect {
            Effect::StartCall {
                key,
                tenant,
                call,
                name,
                signal_key,
                payload,
                ..
            } => Some((key, tenant, call, name, signal_key, payload)),
            _ => None,
        });
        let Some((key, tenant, call, name, signal_key, payload)) = started else {
            panic!("no call was begun: {effects:?}")
        };
        self.begins("(a call begins)", |line| {
            line.call.key.clone_from(key);
            line.is_begun_with(call);
            line.call.state = CallState::Establishing;
            line.call.about = CallAbout {
                direction: Some(CallDirection::Outgoing),
                targets: call.targets.clone(),
                chat_info: call.chat_info.clone(),
                meeting_info: call.meeting_info.clone(),
                subject: call.subject.clone(),
                ..CallAbout::default()
            };
        });
        self.host.here = here(key, tenant, SERVICE);
        self.host.screen.line(&format!("(signal {name})"));
        self.host.turn(Input::Signal {
            name: name.clone(),
            key: signal_key.clone(),
            payload: payload.clone(),
        });
        self
    }

    /// Whoever is called takes the call; the meeting lets the bot in.
    pub fn answers(&mut self) -> &mut Self {
        self.happens("(answered)", Line::connects)
    }

    /// Whoever is called does not want to.
    pub fn declines(&mut self) -> &mut Self {
        self.happens("(declined)", |line| line.ends(EndedBy::Person, Some((603, 0))))
    }

    /// Nobody takes the call.
    pub fn does_not_answer(&mut self) -> &mut Self {
        self.happens("(nobody answers)", |line| {
            line.ends(EndedBy::Service, Some((480, 10_037)))
        })
    }

    /// Nobody knows whether Graph made the call.
    pub fn is_in_doubt(&mut self) -> &mut Self {
        self.happens("(nobody knows whether it rings)", |line| {
            line.call.id = None;
            vec![CallEvent::InDoubt]
        })
    }

    /// Somebody presses keys, one after the other.
    pub fn keys(&mut self, keys: &str) -> &mut Self {
        assert!(
            self.wants_tones,
            "the bot listens to no keys: add .on(calls::tone(), ..) or .on(calls::gathered(), ..)"
        );
        self.looks();
        for key in keys.chars() {
            let tone = Tone::from_key(key).unwrap_or_else(|| panic!("{key:?} is no key of a telephone"));
            self.host.screen.line(&format!("(key {key})"));
            let now = self.host.now;
            match self.line().stops_recording(key, now) {
                Some(follows) => self.host.follows(follows),
                None => self.host.hears(Input::Call(Box::new(CallEvent::Tone(tone)))),
            }
        }
        self
    }

    /// Somebody listens until nothing plays any more.
    pub fn listens(&mut self) -> &mut Self {
        self.looks();
        for _ in 0..PATIENCE {
            let line = self.host.line.as_ref().filter(|line| line.is_playing());
            let ends = line.and_then(Line::due);
            match ends {
                Some(ends) => self.host.passes(ends),
                None => return self,
            }
        }
        panic!("the bot has played {PATIENCE} times and does not stop: use after(..) instead of listens()")
    }

    /// Somebody speaks while the bot records, or says nothing; the clip is the location that the bot gets.
    pub fn speaks(&mut self, clip: Option<&str>) -> &mut Self {
        self.looks();
        let now = self.host.now;
        let follows = self.line().speaks(clip, now).unwrap_or_else(|why| panic!("{why}"));
        self.host.follows(follows);
        self
    }

    /// Time goes by; prompts and recordings end and timers go off, in order.
    pub fn after(&mut self, time: Duration) -> &mut Self {
        self.looks();
        self.host.passes(self.host.now + time);
        self
    }

    /// Somebody comes into the call, which is one of several from then on.
    pub fn joins(&mut self, name: &str) -> &mut Self {
        self.happens(&format!("{name} joins"), |line| vec![line.joins(name)])
    }

    /// Somebody goes.
    pub fn leaves(&mut self, name: &str) -> &mut Self {
        self.of_roster(name, "leaves", |line| line.leaves_roster(name))
    }

    /// Somebody's microphone goes off.
    pub fn mutes(&mut self, name: &str) -> &mut Self {
        self.of_roster(name, "is muted", |line| line.mutes(name, true))
    }

    /// Somebody's microphone goes on.
    pub fn unmutes(&mut self, name: &str) -> &mut Self {
        self.of_roster(name, "is not muted any more", |line| line.mutes(name, false))
    }

    /// The bot has to wait in the lobby.
    pub fn waits_in_lobby(&mut self) -> &mut Self {
        self.happens("(the bot waits in the lobby)", |_| vec![CallEvent::Lobby(true)])
    }

    /// The bot is let in.
    pub fn is_let_in(&mut self) -> &mut Self {
        self.happens("(the bot is let in)", |_| vec![CallEvent::Lobby(false)])
    }

    /// Somebody begins to share content, under this id.
    pub fn shares(&mut self, session: &str) -> &mut Self {
        self.happens(&format!("(content {session} is shared)"), |_| {
            vec![CallEvent::SharingStarted(session.to_owned())]
        })
    }

    /// Content is shared no more.
    pub fn stops_sharing(&mut self, session: &str) -> &mut Self {
        self.happens(&format!("(content {session} is not shared any more)"), |_| {
            vec![CallEvent::SharingEnded(session.to_owned())]
        })
    }

    /// Another person of the recording policy joins, and is recorded by this call.
    pub fn recorded_joins(&mut self, name: &str) -> &mut Self {
        let about = recorded(name);
        self.happens(&format!("({name} joins and is recorded)"), |line| {
            vec![CallEvent::RecordedJoins(Box::new(about)), line.joins(name)]
        })
    }

    /// A recorded person leaves.
    pub fn recorded_leaves(&mut self, name: &str) -> &mut Self {
        let left = RecordedLeft {
            participant: participant_id(name),
            result: None,
        };
        self.happens(&format!("({name} leaves, who was recorded)"), |line| {
            let mut events = vec![CallEvent::RecordedLeft(left)];
            events.extend(line.leaves_roster(name));
            events
        })
    }

    /// Whoever was invited first comes.
    pub fn comes(&mut self, name: &str) -> &mut Self {
        self.happens(&format!("{name} comes"), |line| {
            let Some(ended) = line.invitation_ends(true) else {
                panic!("nobody was invited")
            };
            vec![ended, line.joins(name)]
        })
    }

    /// Whoever was invited first does not come.
    pub fn does_not_come(&mut self) -> &mut Self {
        self.happens("(the invitation is not followed)", |line| {
            vec![
                line.invitation_ends(false)
                    .unwrap_or_else(|| panic!("nobody was invited")),
            ]
        })
    }

    /// The transfer that the bot asked for fails.
    pub fn transfer_fails(&mut self) -> &mut Self {
        self.is_transferring();
        self.happens("(the transfer fails)", |line| vec![line.transfer_failed()])
    }

    /// The transfer that the bot asked for succeeds, which ends the bot's part.
    pub fn transfer_succeeds(&mut self) -> &mut Self {
        self.is_transferring();
        self.happens("(transferred)", |line| line.ends(EndedBy::Bot, Some((0, 7015))))
    }

    /// Whoever is there hangs up.
    pub fn hangs_up(&mut self) -> &mut Self {
        self.happens("(hangs up)", |line| line.ends(EndedBy::Person, Some((200, 4521))))
    }

    /// The call ends with these codes of Graph.
    pub fn ends(&mut self, by: EndedBy, code: i64, subcode: i64) -> &mut Self {
        self.happens(&format!("(ends with {code}/{subcode})"), |line| {
            line.ends(by, Some((code, subcode)))
        })
    }

    /// Graph does not take the next operation of this name ([`OperationKind::name`]), in this call or else in the next.
    pub fn refuses(&mut self, operation: &str, status: u16, code: &str) -> &mut Self {
        assert!(
            OperationKind::by_name(operation).is_some(),
            "{operation:?} is no operation"
        );
        self.line_or_next().refuses(operation, status, code);
        self
    }

    /// How long a prompt lasts, by the last part of its address; in this call, or else in the next.
    pub fn prompt_lasts(&mut self, file: &str, length: Duration) -> &mut Self {
        self.line_or_next().lengths.insert(file.to_owned(), length);
        self
    }

    /// A signal from a conversation, from another call, or from outside.
    pub fn hears<T: Signal>(&mut self, signal: T) -> &mut Self {
        self.looks();
        self.host.hears_signal(&signal);
        self
    }

    /// The process dies in the next turn, and another goes on.
    pub fn crashes(&mut self, when: Crash) -> &mut Self {
        self.host.crash = Some(when);
        self
    }

    /// Graph sends its last notification once more: it is recognised and nothing runs.
    pub fn repeats(&mut self) -> &mut Self {
        self.host.repeat();
        self
    }

    /// A newer version of the bot takes over in the middle of the call; the state is as the older one stored it.
    pub fn newer<S2: State, A: Send + Sync + 'static>(self, bot: CallBot<S2, A>) -> Phone<S2> {
        let mut phone = Phone {
            host: self.host,
            wants_tones: false,
            calls: self.calls,
            next: self.next,
            remembers: PhantomData,
        };
        phone
            .host
            .replace_bot(bot.build().unwrap_or_else(|error| panic!("{error}")));
        phone.looks_at_bot();
        phone
    }

    fn looks_at_bot(&mut self) {
        let calls = self.host.logic.describe().calls;
        self.wants_tones = calls.is_some_and(|calls| calls.wants_tones);
    }

    fn comes_in(&mut self, line: &str, about: CallAbout, decide: Duration) -> &mut Self {
        self.begins(line, |line| {
            line.call.about = about;
            line.call.decide_within = Some(decide);
        });
        self.host.hears(Input::Call(Box::new(CallEvent::Incoming)));
        self
    }

    /// A call of its own: what the one before remembered is gone.
    fn begins(&mut self, shown: &str, prepare: impl FnOnce(&mut Line)) {
        let is_busy = self.host.line.as_ref().is_some_and(|line| !line.is_over());
        assert!(!is_busy, "the call before has not ended: hangs_up()");
        self.looks();
        self.calls += 1;
        let key = format!("call-{}", self.calls);
        let mut line = std::mem::replace(&mut self.next, Line::new(TENANT));
        line.call.key.clone_from(&key);
        line.call.id = Some(key.clone());
        prepare(&mut line);
        self.host.here = here(&key, TENANT, SERVICE);
        self.host.line = Some(line);
        self.host.state = None;
        self.host.timers.clear();
        self.host.screen.line(shown);
    }

    fn happens(&mut self, shown: &str, what: impl FnOnce(&mut Line) -> Vec<CallEvent>) -> &mut Self {
        self.looks();
        let line = self.line();
        let follows = Follows {
            lines: vec![shown.to_owned()],
            events: what(line),
        };
        self.host.follows(follows);
        self
    }

    fn of_roster(&mut self, name: &str, does: &str, what: impl FnOnce(&mut Line) -> Option<CallEvent>) -> &mut Self {
        self.happens(&format!("{name} {does}"), |line| {
            vec![what(line).unwrap_or_else(|| panic!("{name} is not in this call"))]
        })
    }

    fn is_transferring(&mut self) {
        let state = self.line().call.state.clone();
        assert!(
            state == CallState::Transferring,
            "the bot has not asked for a transfer, the call is {state}"
        );
    }

    /// Forgets what was asked for before: the test looks at what follows.
    fn looks(&mut self) {
        self.host.asked.clear();
    }

    pub(super) fn line_or_next(&mut self) -> &mut Line {
        match &mut self.host.line {
            Some(line) if !line.is_over() => line,
            _ => &mut self.next,
        }
    }

    fn line(&mut self) -> &mut Line {
        match &mut self.host.line {
            Some(line) if !line.is_over() => line,
            Some(_) => panic!("the call is over"),
            None => panic!("there is no call: rings(), or starts(..)"),
        }
    }
}

fn here(key: &str, tenant: &str, service: &str) -> Address {
    Address::Call {
        tenant: tenant.to_owned(),
        service_url: service.to_owned(),
        call: key.to_owned(),
    }
}

fn incoming(name: &str) -> CallAbout {
    CallAbout {
        direction: Some(CallDirection::Incoming),
        source: Some(somebody(name)),
        ..CallAbout::default()
    }
}

/// Somebody is to be recorded.
fn recorded(name: &str) -> CallAbout {
    let observed = Some(participant_id(name));
    CallAbout {
        incoming_context: Some(IncomingContext {
            source_participant_id: observed.clone(),
            observed_participant_id: observed,
            ..IncomingContext::default()
        }),
        ..incoming(name)
    }
}
