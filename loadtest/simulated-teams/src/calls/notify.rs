//! Notifications: composed, put into the lane of their call, and, where disorder is wanted, led astray.

use serde_json::{Map, Value, json};

use super::{
    Action, Calls, Post,
    agenda::Step,
    call::{CallEnd, CallKey, CallState},
    lane::{NoteKind, Outgoing},
    recorded::JoinDecision,
    view::{CallEvent, Deed},
    wire,
};

/// How long a notification waits for another one to share its body.
const COMPANY: u64 = 200;
/// Redirections of one incoming call; real Graph ends a chain as well, at an unknown length.
const MOST_HOPS: u32 = 5;

/// A notification to be.
#[derive(Debug)]
pub(super) struct Note {
    change: &'static str,
    below: String,
    data: Option<Value>,
    label: String,
    has_slash: bool,
    kind: NoteKind,
}

impl Note {
    /// Something changed.
    pub(super) fn updated(label: String, data: Value) -> Self {
        Self {
            change: "updated",
            below: String::new(),
            data: Some(data),
            label,
            has_slash: true,
            kind: NoteKind::Later,
        }
    }

    /// Something ended; operations end so, too.
    pub(super) fn deleted(label: String, data: Value) -> Self {
        Self {
            change: "deleted",
            ..Self::updated(label, data)
        }
    }

    /// Something began.
    pub(super) fn created(label: String, data: Option<Value>) -> Self {
        Self {
            change: "created",
            data,
            ..Self::updated(label, Value::Null)
        }
    }

    /// About a part of the call.
    pub(super) fn below(mut self, path: impl Into<String>) -> Self {
        self.below = path.into();
        self
    }

    /// Whose answer decides about somebody who wants to join.
    pub(super) fn joining(mut self) -> Self {
        self.kind = NoteKind::Joining;
        self
    }

    /// With a path that begins without a slash, as that of hold music does.
    pub(super) fn without_slash(mut self) -> Self {
        self.has_slash = false;
        self
    }
}

/// What came of one posting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The bot answered; where a 302 or 307 leads.
    Answered { status: u16, location: Option<String> },
    /// The bot accepted that a recorded person wants to join, and says what becomes of that.
    Decided { status: u16, decision: JoinDecision },
    /// Nothing came in time.
    Silent,
    /// The bot cannot be reached.
    Broken(String),
}

/// Notifications that are on their way in one body.
#[derive(Debug)]
pub(super) struct Delivery {
    parts: Vec<(CallKey, Outgoing)>,
}

impl Calls {
    /// Tells the bot that the call is in this state, with further members.
    pub(super) fn tell_state(&mut self, key: CallKey, state: CallState, members: Map<String, Value>, now: u64) {
        let Some(call) = self.book.get(&key) else { return };
        let mut data = Map::new();
        data.insert("@odata.type".to_owned(), "#microsoft.graph.call".into());
        data.insert("state".to_owned(), call.style.word(state.word()).into());
        data.extend(members);
        data.insert("id".to_owned(), call.id.as_str().into());
        let label = state.word().to_owned();
        let note = if state == CallState::Terminated {
            Note::deleted(label, Value::Object(data))
        } else {
            Note::updated(label, Value::Object(data))
        };
        self.tell(key, note, now);
    }

    /// Puts a notification into the lane of its call. After `deleted` of the call nothing is told.
    pub(super) fn tell(&mut self, key: CallKey, note: Note, now: u64) {
        let is_compact = self.strikes(self.settings.disorder.compact);
        let is_repeated = self.strikes(self.settings.disorder.repeated);
        let is_late = self.strikes(self.settings.disorder.late);
        let is_nameless = self.strikes(self.settings.disorder.nameless);
        let late_by = self.settings.span(self.settings.disorder.late_by);
        let Some(call) = self.book.get_mut(&key) else { return };
        if call.is_closed {
            return;
        }
        let is_end = note.change == "deleted" && note.below.is_empty();
        call.is_closed = is_end;
        let outgoing = Outgoing {
            kind: note.kind,
            label: format!("{} {}", note.change, note.label),
            url: call.callback.clone().unwrap_or_else(|| self.settings.webhook.clone()),
            body: compose(&call.id, call.style, call.callback.as_deref(), note, is_compact),
            original: None,
            attempts: 0,
            hops: 0,
            is_in_lane: !is_late,
            is_repeat: false,
            has_scenario: call.lane.has_sent || !is_nameless,
        };
        if is_late {
            self.agenda.add(now + late_by, key, Step::Stray(Box::new(outgoing)));
            return;
        }
        let repeat = is_repeated.then(|| Outgoing {
            is_repeat: true,
            ..outgoing.clone()
        });
        call.lane.waiting.push_back(outgoing);
        call.lane.waiting.extend(repeat);
        self.pump(key, now);
    }

    /// Rings the bot.
    pub(super) fn tell_incoming(&mut self, key: CallKey, is_legacy: bool, now: u64) {
        let has_scenario = !self.strikes(self.settings.disorder.nameless);
        let is_compact = self.strikes(self.settings.disorder.compact);
        let Some(call) = self.book.get_mut(&key) else { return };
        let tenant = &self.parties.tenant;
        let (kind, body) = if is_legacy {
            (NoteKind::Legacy, wire::legacy_incoming(call, tenant))
        } else {
            let data = Value::Object(wire::incoming(call, tenant));
            let note = Note::created("incoming".to_owned(), Some(data));
            (
                NoteKind::Incoming,
                compose(&call.id, call.style, None, note, is_compact),
            )
        };
        call.lane.waiting.push_front(Outgoing {
            kind,
            body,
            label: "created incoming".to_owned(),
            url: self.settings.webhook.clone(),
            original: None,
            attempts: 0,
            hops: 0,
            is_in_lane: true,
            is_repeat: false,
            has_scenario,
        });
        self.pump(key, now);
    }

    /// Sends the next notification of a call, when none is on its way.
    pub(super) fn pump(&mut self, key: CallKey, now: u64) {
        let may_share = self.strikes(self.settings.disorder.batched);
        let Some(call) = self.book.get_mut(&key) else { return };
        if call.lane.is_busy {
            return;
        }
        let Some(outgoing) = call.lane.waiting.pop_front() else {
            return;
        };
        call.lane.is_busy = true;
        let can_share = outgoing.kind == NoteKind::Later && outgoing.attempts == 0;
        if can_share && let Some((_, partner, first)) = self.company.take_if(|(_, _, first)| first.url == outgoing.url)
        {
            self.post(vec![(partner, first), (key, outgoing)]);
            return;
        }
        if !(can_share && may_share && self.company.is_none()) {
            self.post(vec![(key, outgoing)]);
            return;
        }
        let next = call.lane.waiting.front();
        if next.is_some_and(|next| next.url == outgoing.url && next.kind == NoteKind::Later) {
            let second = call.lane.waiting.pop_front().map(|next| (key, next));
            let parts = std::iter::once((key, outgoing)).chain(second).collect();
            self.post(parts);
            return;
        }
        self.companies += 1;
        self.company = Some((self.companies, key, outgoing));
        let waiting = self.companies;
        self.agenda.add(now + COMPANY, key, Step::Alone { waiting });
    }

    /// Nobody came to share the body.
    pub(super) fn send_alone(&mut self, waiting: u64) {
        if let Some((_, key, outgoing)) = self.company.take_if(|(number, _, _)| *number == waiting) {
            self.post(vec![(key, outgoing)]);
        }
    }

    /// Hands one body to the shell.
    pub(super) fn post(&mut self, mut parts: Vec<(CallKey, Outgoing)>) {
        let message = self.ids.uuid("message");
        let Some(call) = parts.first().and_then(|(key, _)| self.book.get_mut(key)) else {
            return;
        };
        call.lane.has_sent = true;
        let (bot, chain) = (call.bot, call.chain.clone());
        let mut original = None;
        for (_, outgoing) in &mut parts {
            outgoing.attempts += 1;
            let first = outgoing.original.get_or_insert_with(|| message.clone());
            original.get_or_insert_with(|| first.clone());
        }
        let (_, first) = &parts[0];
        let is_first = matches!(first.kind, NoteKind::Incoming | NoteKind::Legacy);
        let mut headers = vec![
            ("X-Microsoft-Skype-Chain-ID", chain.clone()),
            ("X-Microsoft-Skype-Message-ID", message),
            ("X-Microsoft-Skype-Original-Message-ID", original.unwrap_or_default()),
            ("MS-Teams-Region", "amer".to_owned()),
            ("MS-Teams-Ring", "general".to_owned()),
            ("MS-Teams-Partition", "amer01".to_owned()),
        ];
        if first.has_scenario {
            headers.push(("Scenario-Id", chain));
        }
        if is_first {
            headers.push(("X-Microsoft-Skype-Caller-Region", "amer".to_owned()));
            headers.push(("X-Microsoft-Skype-Callee-Region", "amer".to_owned()));
        }
        let limits = self.settings.limits;
        let patience = if is_first { limits.acknowledge } else { limits.notify };
        let labels: Vec<&str> = parts.iter().map(|(_, outgoing)| outgoing.label.as_str()).collect();
        let post = Post {
            delivery: self.deliveries_made,
            bot,
            url: first.url.clone(),
            title: labels.join(" + "),
            attempt: first.attempts,
            patience: u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
            is_joining: first.kind == NoteKind::Joining,
            body: envelope(&parts),
            headers,
        };
        self.deliveries_made += 1;
        self.deliveries.insert(post.delivery, Delivery { parts });
        self.actions.push_back(Action::Post(Box::new(post)));
    }

    /// Takes what came of a posting.
    pub(super) fn settle(&mut self, delivery: u64, outcome: &Outcome, now: u64) {
        let Some(delivery) = self.deliveries.remove(&delivery) else {
            return;
        };
        let mut parts = delivery.parts;
        while let Some((key, _)) = parts.first() {
            let key = *key;
            let (own, others): (Vec<_>, Vec<_>) = parts.into_iter().partition(|(call, _)| *call == key);
            parts = others;
            let own = own.into_iter().map(|(_, outgoing)| outgoing).collect();
            self.settle_call(key, own, outcome, now);
        }
    }

    /// What came of one call's notifications in one body.
    fn settle_call(&mut self, key: CallKey, mut sent: Vec<Outgoing>, outcome: &Outcome, now: u64) {
        let status = match outcome {
            Outcome::Answered { status, .. } | Outcome::Decided { status, .. } => Some(*status),
            Outcome::Silent | Outcome::Broken(_) => None,
        };
        let Some(call) = self.book.get_mut(&key) else { return };
        for outgoing in &sent {
            self.counters.delivered(&outgoing.label, status);
            call.lane.settled += 1;
            call.note(CallEvent {
                at: now,
                deed: Deed::Notification {
                    what: outgoing.label.clone(),
                    status,
                    attempt: outgoing.attempts,
                    repeat: outgoing.is_repeat,
                },
            });
        }
        self.changed(key);
        let is_accepted = status.is_some_and(|status| (200..300).contains(&status));
        match sent.first().map(|first| (first.kind, first.is_in_lane)) {
            Some((NoteKind::Incoming | NoteKind::Legacy, _)) => {
                // They share their body with none.
                self.settle_incoming(key, sent.remove(0), outcome, now);
            }
            Some((NoteKind::Joining, is_in_lane)) => {
                // Nobody waits for a second answer: the person is at the door.
                let decision = match outcome {
                    Outcome::Decided { decision, .. } => *decision,
                    _ => JoinDecision::None,
                };
                self.joining_decided(key, decision, now);
                self.free_lane(key, is_in_lane, now);
            }
            Some((NoteKind::Later, is_in_lane)) if is_accepted => self.free_lane(key, is_in_lane, now),
            Some((NoteKind::Later, is_in_lane)) => self.retry(key, sent, is_in_lane, now),
            None => {}
        }
    }

    fn free_lane(&mut self, key: CallKey, is_in_lane: bool, now: u64) {
        if is_in_lane {
            if let Some(call) = self.book.get_mut(&key) {
                call.lane.is_busy = false;
            }
            self.pump(key, now);
        }
        self.forget_when_done(key);
    }

    /// Later notifications are sent again after a pause, in their order; their lane waits for it.
    fn retry(&mut self, key: CallKey, sent: Vec<Outgoing>, is_in_lane: bool, now: u64) {
        let attempts = sent.first().map_or(1, |first| first.attempts);
        let pause = self.settings.retries.get(attempts as usize - 1);
        let Some(pause) = pause.map(|pause| self.settings.span(*pause)) else {
            self.counters.lost += sent.len() as u64;
            self.free_lane(key, is_in_lane, now);
            return;
        };
        if !is_in_lane {
            for outgoing in sent {
                self.agenda.add(now + pause, key, Step::Stray(Box::new(outgoing)));
            }
            return;
        }
        if let Some(call) = self.book.get_mut(&key) {
            for outgoing in sent.into_iter().rev() {
                call.lane.waiting.push_front(outgoing);
            }
            self.agenda.add(now + pause, key, Step::Resend);
        }
    }

    /// The answer to the first notification says whether the bot is there.
    fn settle_incoming(&mut self, key: CallKey, mut outgoing: Outgoing, outcome: &Outcome, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        call.lane.is_busy = false;
        match outcome {
            Outcome::Answered { status: 204, .. } if outgoing.kind == NoteKind::Legacy => {
                self.tell_incoming(key, false, now);
            }
            Outcome::Answered {
                status: 302 | 307,
                location: Some(location),
            } if outgoing.hops < MOST_HOPS => {
                outgoing.url.clone_from(location);
                outgoing.hops += 1;
                call.lane.waiting.push_front(outgoing);
                self.pump(key, now);
            }
            Outcome::Answered { status: 302 | 307, .. } => {
                self.finish(key, CallEnd::new(500, 8521, "Too many hops."), now);
            }
            Outcome::Answered { status, .. } if (200..300).contains(status) => self.pump(key, now),
            _ => {
                self.pump(key, now);
                if self.state(key) == Some(CallState::Incoming) {
                    self.finish(key, unreachable(), now);
                }
            }
        }
    }
}

/// The end of a call whose bot did not acknowledge or answer in time (observed).
pub(super) fn unreachable() -> CallEnd {
    CallEnd::new(408, 8544, "Callee could not be reached.")
}

/// One `commsNotification`.
fn compose(id: &str, style: wire::Style, callback: Option<&str>, note: Note, is_compact: bool) -> Value {
    let spelled = if is_compact { wire::compact(id) } else { id.to_owned() };
    let slash = if note.has_slash { "/" } else { "" };
    let resource = format!("{slash}communications/calls/{spelled}{}", note.below);
    let mut body = json!({
        "@odata.type": "#microsoft.graph.commsNotification",
        "changeType": style.word(note.change),
        "resourceUrl": resource,
    });
    if style == wire::Style::Log {
        body["resource"] = format!("/app/calls/{spelled}{}", note.below).into();
    }
    if let Some(callback) = callback {
        body["callbackUri"] = callback.into();
    }
    if let Some(data) = note.data {
        body["resourceData"] = data;
    }
    body
}

/// The body that carries these notifications.
fn envelope(parts: &[(CallKey, Outgoing)]) -> Value {
    if let [(_, only)] = parts
        && only.kind == NoteKind::Legacy
    {
        return only.body.clone();
    }
    let notifications: Vec<&Value> = parts.iter().map(|(_, outgoing)| &outgoing.body).collect();
    json!({ "@odata.type": "#microsoft.graph.commsNotifications", "value": notifications })
}
