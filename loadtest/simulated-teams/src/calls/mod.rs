//! The calls API of Graph as a value: calls as state machines that are driven by requests, by people, and by time.
//!
//! A request of a bot goes in as method, path and body with the time at which it arrives, an action of a person likewise;
//! [`Calls::advance`] does what is due; out come [`Action`]s for the shell: post this body, fetch this prompt. What came
//! of them goes in again. Nothing in here sleeps or knows a socket, so a test runs a month of calls in a moment.
//!
//! What Microsoft documents, what was observed, and what is inferred is told in `docs/calls.md`.

mod agenda;
mod answer;
mod body;
mod call;
mod clip;
mod conference;
mod create;
mod fault;
mod hearing;
mod ids;
mod incoming;
mod lane;
mod line;
mod media;
mod notify;
mod operation;
mod participants;
mod party;
mod people;
mod prompt;
mod recorded;
mod refusal;
mod request;
mod ring;
mod routing;
mod scheduled;
mod settings;
mod sharing;
mod transfer;
mod verb;
mod view;
mod wire;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use ahash::AHashMap;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Map, Value, json};

use self::{
    agenda::{Agenda, Step},
    call::{Call, CallKey, ConferenceKey},
    clip::Clip,
    conference::Conference,
    fault::Gate,
    ids::Ids,
    lane::Outgoing,
    notify::Delivery,
    party::{CallingBot, Parties, Person},
    wire::Style,
};
pub(crate) use self::{
    body::is_loopback,
    clip::length_of,
    incoming::{Caller, Ring},
    media::FetchFailure,
    notify::Outcome,
    recorded::JoinDecision,
    refusal::Refusal,
    request::{GraphReply, GraphRequest, Root},
};
pub use self::{
    call::{CallDirection, CallEnd, CallKind, CallState},
    clip::Speech,
    conference::MeetingView,
    incoming::RecorderInvitation,
    line::{LineInvitation, LineState},
    media::{PromptState, PromptView},
    people::CallRefusal,
    settings::{Between, CallDelays, CallDisorder, CallFault, CallLimits, CallSettings, Callee, Casing},
    view::{CallCounters, CallEvent, CallView, Deed, ParticipantView},
};
use crate::{config::SimulatedTeamsConfig, world::id, world::people::BotNumber};

/// Something that the shell must do.
#[derive(Debug)]
pub(crate) enum Action {
    /// Post a notification and tell what came of it by [`Calls::delivered`].
    Post(Box<Post>),
    /// Fetch a prompt and tell its length by [`Calls::fetched`].
    Fetch {
        call: CallKey,
        run: u64,
        place: usize,
        uri: String,
    },
}

/// A notification to post.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) delivery: u64,
    pub(crate) bot: BotNumber,
    pub(crate) url: String,
    /// For the inspector.
    pub(crate) title: String,
    pub(crate) attempt: u32,
    /// How long an answer is waited for, in milliseconds.
    pub(crate) patience: u64,
    /// Whether the body of the answer decides about somebody who wants to join.
    pub(crate) is_joining: bool,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Value,
}

/// All calls of a simulated Teams.
#[derive(Debug)]
pub(crate) struct Calls {
    settings: CallSettings,
    /// The base of the API, without a slash at the end: `http://127.0.0.1:1/graph/v1.0`.
    graph: String,
    parties: Parties,
    phones: AHashMap<String, Callee>,
    book: AHashMap<CallKey, Call>,
    by_id: AHashMap<String, CallKey>,
    begun: u64,
    /// Calls that each bot created.
    created: AHashMap<BotNumber, u64>,
    /// Calls of each bot that are not over.
    active: AHashMap<BotNumber, usize>,
    /// Ended calls, the oldest first.
    ended: VecDeque<CallKey>,
    conferences: Vec<Conference>,
    clips: AHashMap<String, Clip>,
    /// Lengths of prompts by `resourceId`, in milliseconds.
    cached_prompts: AHashMap<(BotNumber, String), u64>,
    agenda: Agenda,
    ids: Ids,
    chance: StdRng,
    gate: Gate,
    counters: CallCounters,
    actions: VecDeque<Action>,
    deliveries: AHashMap<u64, Delivery>,
    deliveries_made: u64,
    /// A notification that waits for another one to share its body.
    company: Option<(u64, CallKey, Outgoing)>,
    companies: u64,
    changed: BTreeSet<CallKey>,
}

impl Calls {
    /// No call yet. `graph` is where bots reach the API.
    pub(crate) fn new(config: &SimulatedTeamsConfig, graph: String, seed: u64) -> Self {
        let settings = config.calls.clone();
        let people = config.people.iter().enumerate().map(|(number, person)| {
            let own = settings.callees.iter().find(|(callee, _)| callee.0 == number);
            Person {
                name: person.name.clone(),
                object_id: id::object_id(&config.tenant, &person.name),
                locale: person.locale.clone(),
                callee: own.map_or(settings.callee, |(_, callee)| *callee),
            }
        });
        let bots = config.bots.iter().map(|bot| CallingBot {
            name: bot.name.clone(),
            app_id: bot.app_id.clone(),
            instance: id::object_id(&config.tenant, &format!("application instance {}", bot.app_id)),
        });
        Self {
            parties: Parties {
                tenant: config.tenant.clone(),
                people: people.collect(),
                bots: bots.collect(),
            },
            phones: settings.phones.iter().cloned().collect(),
            gate: Gate::new(settings.faults.clone()),
            settings,
            graph,
            book: AHashMap::new(),
            by_id: AHashMap::new(),
            begun: 0,
            created: AHashMap::new(),
            active: AHashMap::new(),
            ended: VecDeque::new(),
            conferences: Vec::new(),
            clips: AHashMap::new(),
            cached_prompts: AHashMap::new(),
            agenda: Agenda::default(),
            ids: Ids::new(seed),
            chance: StdRng::seed_from_u64(seed),
            counters: CallCounters::default(),
            actions: VecDeque::new(),
            deliveries: AHashMap::new(),
            deliveries_made: 0,
            company: None,
            companies: 0,
            changed: BTreeSet::new(),
        }
    }

    /// Does what is due at `now` (milliseconds since 1970).
    pub(crate) fn advance(&mut self, now: u64) {
        while let Some((_, key, step)) = self.agenda.take(now) {
            self.step(key, step, now);
        }
    }

    /// When [`Calls::advance`] must be called next.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.agenda.next()
    }

    /// At most `most` things for the shell to do.
    pub(crate) fn take_actions(&mut self, most: usize) -> Vec<Action> {
        let count = most.min(self.actions.len());
        self.actions.drain(..count).collect()
    }

    /// Whether the shell has something to do.
    pub(crate) fn has_actions(&self) -> bool {
        !self.actions.is_empty()
    }

    /// What came of a posting.
    pub(crate) fn delivered(&mut self, delivery: u64, outcome: &Outcome, now: u64) {
        self.settle(delivery, outcome, now);
    }

    /// The length of a prompt that was fetched, or why there is none.
    pub(crate) fn fetched(
        &mut self,
        call: CallKey,
        run: u64,
        place: usize,
        fetched: Result<Duration, FetchFailure>,
        now: u64,
    ) {
        self.take_fetched(call, run, place, fetched, now);
    }

    /// A recording that is kept, by the last part of its address.
    pub(crate) fn clip(&self, id: &str) -> Option<&Clip> {
        self.clips.get(id)
    }

    /// Ids of calls that look different since the last call.
    pub(crate) fn take_changed(&mut self) -> Vec<String> {
        let changed = std::mem::take(&mut self.changed);
        let ids = changed.iter().filter_map(|key| self.book.get(key));
        ids.map(|call| call.id.clone()).collect()
    }

    /// What was counted.
    pub(crate) fn counters(&self) -> &CallCounters {
        &self.counters
    }

    fn step(&mut self, key: CallKey, step: Step, now: u64) {
        match step {
            Step::AnswerLimit => self.answer_limit(key, now),
            Step::Establishing => self.establishing(key, now),
            Step::Established => self.established(key, now),
            Step::Media => self.media_flows(key, now),
            Step::Callee { ringing, outcome } => self.callee(key, ringing, outcome, now),
            Step::Transferring => self.transferring(key, now),
            Step::Transferred => self.transferred(key, now),
            Step::Operation { operation } => self.operation_due(key, operation, now),
            Step::MediaTimer { timer } => self.media_timer(key, timer, now),
            Step::Deleted => self.deleted(key, now),
            Step::KeepAliveLimit => self.keep_alive_limit(key, now),
            Step::LobbyLimit => self.lobby_limit(key, now),
            Step::Resend => {
                if let Some(call) = self.book.get_mut(&key) {
                    call.lane.is_busy = false;
                }
                self.pump(key, now);
            }
            Step::Stray(outgoing) => self.post(vec![(key, *outgoing)]),
            Step::Alone { waiting } => self.send_alone(waiting),
            Step::ForgetRecordings => self.clips.retain(|_, clip| clip.call != key),
        }
    }

    /// Ends a call: `terminating` inside, `deleted` a moment later, nothing else in between.
    fn finish(&mut self, key: CallKey, end: CallEnd, now: u64) {
        let delay = self.draw(self.settings.delays.termination);
        let Some(call) = self.book.get_mut(&key) else { return };
        if call.state.is_over() {
            return;
        }
        call.state = CallState::Terminating;
        call.end = Some(end);
        call.ringing.clear();
        let (conference, bot) = (call.conference, call.bot);
        if let Some(active) = self.active.get_mut(&bot) {
            *active = active.saturating_sub(1);
        }
        self.stop_media(key);
        self.agenda.add(now + delay, key, Step::Deleted);
        if let Some(conference) = conference {
            self.leave(conference, |member| member.call == Some(key), now);
        }
        self.changed(key);
    }

    /// Tells the end.
    fn deleted(&mut self, key: CallKey, now: u64) {
        let clips_until = now + self.settings.span(media::CLIP_LIFE);
        let Some(call) = self.book.get_mut(&key) else { return };
        if call.state == CallState::Terminated {
            return;
        }
        call.state = CallState::Terminated;
        call.ended = Some(now);
        let mut members = Map::new();
        match &call.end {
            Some(CallEnd {
                code: Some(code),
                subcode,
                message,
            }) => {
                let subcode = subcode.unwrap_or(0);
                let result = json!({
                    "@odata.type": "#microsoft.graph.resultInfo", "code": code, "subcode": subcode,
                    "message": format!("{message} DiagCode: {code}#{subcode}.@"),
                });
                members.insert("resultInfo".to_owned(), result);
            }
            Some(silent) if !silent.message.is_empty() => {
                members.insert("terminationReason".to_owned(), silent.message.as_str().into());
            }
            _ => {}
        }
        self.counters.ended += 1;
        self.agenda.add(clips_until, key, Step::ForgetRecordings);
        self.tell_state(key, CallState::Terminated, members, now);
        self.changed(key);
    }

    /// Forgets the oldest ended calls beyond those that are kept, once nothing of them is on its way.
    fn forget_when_done(&mut self, key: CallKey) {
        let Some(call) = self.book.get_mut(&key) else { return };
        let is_done = call.is_closed && call.lane.waiting.is_empty() && !call.lane.is_busy;
        if !is_done || call.is_settled {
            return;
        }
        call.is_settled = true;
        self.ended.push_back(key);
        while self.ended.len() > self.settings.kept {
            let oldest = self.ended.pop_front();
            if let Some(call) = oldest.and_then(|key| self.book.remove(&key)) {
                self.by_id.remove(&ids::normal(&call.id));
            }
        }
    }

    fn find(&self, id: &str) -> Option<CallKey> {
        self.by_id.get(&ids::normal(id)).copied()
    }

    fn state(&self, key: CallKey) -> Option<CallState> {
        self.book.get(&key).map(|call| call.state)
    }

    /// Remembers that a call looks different now.
    fn changed(&mut self, key: CallKey) {
        self.changed.insert(key);
    }

    /// Whether chance wants this, of which `share` happen.
    fn strikes(&mut self, share: f64) -> bool {
        share > 0.0 && self.chance.random::<f64>() < share
    }

    /// A duration between two bounds, as this simulation runs it.
    fn draw(&mut self, between: Between) -> u64 {
        let (least, most) = (self.settings.span(between.0), self.settings.span(between.1));
        if least < most {
            self.chance.random_range(least..=most)
        } else {
            least
        }
    }

    fn style(&mut self) -> Style {
        match self.settings.casing {
            Casing::Log => Style::Log,
            Casing::Mixed if self.chance.random::<bool>() => Style::Log,
            Casing::Page | Casing::Mixed => Style::Page,
        }
    }

    fn conference(&self, key: ConferenceKey) -> &Conference {
        &self.conferences[key.0]
    }
}
