//! `POST /communications/calls`: calling people and numbers, and joining meetings.

use serde_json::{Value, json};

use super::{
    Calls,
    agenda::Step,
    body::{Body, type_name},
    call::{Call, CallDirection, CallKey, CallKind, ConferenceKey, RingPurpose},
    conference::chat_info,
    media::MediaMode,
    party::Party,
    refusal::{No, Refusal},
    request::Done,
    wire,
};
use crate::world::people::BotNumber;

/// People in a call that a bot sets up.
const MOST_TARGETS: usize = 5;

/// Whom a create is for.
enum Purpose {
    Peer(Party),
    Group(Vec<Party>),
    Meeting(ConferenceKey, CallKind),
}

impl Calls {
    pub(super) fn create(
        &mut self,
        bot: BotNumber,
        body: &Body,
        scenario: Option<&str>,
        now: u64,
    ) -> Result<(CallKey, Done), Refusal> {
        let callback = body.callback()?;
        let callback = callback.ok_or_else(|| Refusal::argument("Missing callbackUri."))?;
        let mode = media_mode(body)?;
        if body.list("requestedModalities")?.is_empty() {
            return Err(Refusal::argument("Missing requestedModalities."));
        }
        if body
            .text("tenantId")?
            .is_some_and(|tenant| !tenant.eq_ignore_ascii_case(&self.parties.tenant))
        {
            return Err(No::CallTenantMismatch.into());
        }
        let caller = self.caller(bot, body)?;
        let purpose = self.purpose(&caller, body)?;
        self.count_create(bot)?;
        let chain = body.text("callChainId")?.or(scenario).map(str::to_owned);
        let chain = chain.unwrap_or_else(|| self.ids.uuid("chain"));
        let mut call = Call::new(self.ids.uuid("call"), bot, CallDirection::Outgoing, chain, now);
        call.style = self.style();
        call.callback = Some(callback);
        call.my_participant = self.ids.uuid("participant");
        call.by_instance = matches!(caller, Party::Instance(_));
        call.source = wire::participant_info(&self.parties, &caller, call.style, &call.my_participant);
        call.modalities = body.get("requestedModalities").cloned().unwrap_or_default();
        call.media.mode = Some(mode);
        call.leads_to(body.get("mediaConfig").cloned());
        call.subject = body.text("subject")?.map(str::to_owned);
        call.wants_delta = wants(body, "isDeltaRosterEnabled");
        call.wants_sharing = wants(body, "isContentSharingNotificationEnabled");
        let key = self.begin(call, now);
        self.set_out(key, caller, purpose, body, now);
        let mut done = Done::with(201, self.call_body(key));
        done.location = Some(format!("{}/communications/calls/{}", self.graph, self.book[&key].id));
        Ok((key, done))
    }

    /// Registers a call; its keep-alive runs from now on.
    pub(super) fn begin(&mut self, call: Call, now: u64) -> CallKey {
        self.begun += 1;
        let key = CallKey(self.begun);
        self.counters.began += 1;
        *self.active.entry(call.bot).or_default() += 1;
        self.by_id.insert(super::ids::normal(&call.id), key);
        self.book.insert(key, call);
        self.keep_alive(key, now);
        self.changed(key);
        key
    }

    /// Who the bot says it is, which must be true.
    fn caller(&self, bot: BotNumber, body: &Body) -> Result<Party, Refusal> {
        let Some(identity) = body.get("source").and_then(|source| source.get("identity")) else {
            return Ok(Party::Bot(bot));
        };
        let id = |kind: &str| {
            identity
                .get(kind)
                .and_then(|identity| identity.get("id"))
                .and_then(Value::as_str)
        };
        let own = &self.parties.bots[bot.0];
        match (id("application"), id("applicationInstance"), identity.get("guest")) {
            (_, Some(instance), _) if instance.eq_ignore_ascii_case(&own.instance) => Ok(Party::Instance(bot)),
            (Some(app), None, _) if app.eq_ignore_ascii_case(&own.app_id) => Ok(Party::Bot(bot)),
            (None, None, Some(guest)) if guest.is_object() => {
                let text = |name: &str| guest.get(name).and_then(Value::as_str).map(str::to_owned);
                let id = text("id").ok_or_else(|| Refusal::argument("A guest needs an id."))?;
                let name = text("displayName").ok_or_else(|| Refusal::argument("A guest needs a displayName."))?;
                Ok(Party::Guest { id, name })
            }
            (None, None, _) => Ok(Party::Bot(bot)),
            _ => Err(No::ForeignSource.into()),
        }
    }

    fn purpose(&self, caller: &Party, body: &Body) -> Result<Purpose, Refusal> {
        let targets = body.list("targets")?;
        match (body.get("meetingInfo"), targets) {
            (Some(meeting), []) => self.meeting_to_join(meeting, body),
            (Some(_), _) => Err(Refusal::argument("A call has either targets or meetingInfo.")),
            (None, []) => Err(Refusal::argument("Missing targets or meetingInfo.")),
            (None, targets) => self.people_to_call(caller, targets, body),
        }
    }

    fn people_to_call(&self, caller: &Party, targets: &[Value], body: &Body) -> Result<Purpose, Refusal> {
        if targets.len() > MOST_TARGETS {
            return Err(Refusal::argument(format!("More than {MOST_TARGETS} targets.")));
        }
        if matches!(caller, Party::Guest { .. }) {
            return Err(Refusal::argument("A guest can only join meetings."));
        }
        let parties = targets.iter().map(|target| self.parties.read(target));
        let parties: Option<Vec<Party>> = parties.collect();
        let mut parties = parties.ok_or_else(|| Refusal::argument("A target has no identity."))?;
        if parties.iter().any(|party| matches!(party, Party::Phone(_))) {
            if !matches!(caller, Party::Instance(_)) {
                return Err(Refusal::argument(
                    "A call to a phone needs an application instance as its source.",
                ));
            }
            if body.get("tenantId").is_none() {
                return Err(Refusal::argument("Missing tenantId."));
            }
        }
        if parties
            .iter()
            .any(|party| matches!(party, Party::Phone(number) if !is_e164(number)))
        {
            return Err(Refusal::argument("The phone number is not in E.164 format."));
        }
        match parties.len() {
            1 => Ok(Purpose::Peer(parties.remove(0))),
            _ => Ok(Purpose::Group(parties)),
        }
    }

    fn meeting_to_join(&self, meeting: &Value, body: &Body) -> Result<Purpose, Refusal> {
        let text = |name: &str| meeting.get(name).and_then(Value::as_str);
        let found = |is_it: &dyn Fn(&super::conference::Conference) -> bool| {
            let place = self.conferences.iter().position(is_it);
            place.map(ConferenceKey)
        };
        match type_name(meeting) {
            Some("organizerMeetingInfo") => {
                let thread = body
                    .get("chatInfo")
                    .and_then(|chat| chat.get("threadId"))
                    .and_then(Value::as_str);
                let thread = thread.ok_or_else(|| Refusal::argument("Missing chatInfo."))?;
                let organizer = meeting.pointer("/organizer/user/id").and_then(Value::as_str);
                let organizer = organizer.ok_or_else(|| Refusal::argument("Missing organizer."))?;
                let key = found(&|conference| {
                    let of = conference
                        .organizer
                        .map(|person| &self.parties.people[person.0].object_id);
                    conference.thread == thread && of.is_some_and(|id| id.eq_ignore_ascii_case(organizer))
                });
                let key = key.ok_or(No::BadCoordinates)?;
                Ok(Purpose::Meeting(key, CallKind::Meeting))
            }
            Some("joinMeetingIdMeetingInfo") => {
                let id = text("joinMeetingId").ok_or_else(|| Refusal::argument("Missing joinMeetingId."))?;
                let key = found(&|conference| {
                    conference.is_meeting
                        && conference.join_id == id
                        && conference.passcode.as_deref() == text("passcode")
                });
                let key = key.ok_or(No::BadMeetingId)?;
                Ok(Purpose::Meeting(key, CallKind::Meeting))
            }
            Some("tokenMeetingInfo") => {
                let token = text("token").ok_or_else(|| Refusal::argument("Missing token."))?;
                let key = found(&|conference| conference.token == token).ok_or(No::BadToken)?;
                Ok(Purpose::Meeting(key, CallKind::Meeting))
            }
            _ => Err(Refusal::argument("meetingInfo has no type that can be joined.")),
        }
    }

    /// Counts against the documented limits.
    fn count_create(&mut self, bot: BotNumber) -> Result<(), Refusal> {
        let limits = self.settings.limits;
        let created = self.created.entry(bot).or_default();
        if limits.monthly.is_some_and(|most| *created >= most) {
            return Err(No::Monthly.into());
        }
        let active = self.active.get(&bot).copied().unwrap_or(0);
        if limits.concurrent.is_some_and(|most| active >= most) {
            return Err(No::Concurrent.into());
        }
        *created += 1;
        Ok(())
    }

    /// Rings whom the bot calls, or lets it in.
    fn set_out(&mut self, key: CallKey, caller: Party, purpose: Purpose, body: &Body, now: u64) {
        let establishing = now + self.draw(self.settings.delays.establishing);
        let established = establishing + self.draw(self.settings.delays.established);
        let is_swapped = self.strikes(self.settings.disorder.swapped);
        self.agenda.add(establishing, key, Step::Establishing);
        let Some(call) = self.book.get_mut(&key) else { return };
        call.is_swapped = is_swapped;
        let (style, my_id) = (call.style, call.my_participant.clone());
        match purpose {
            Purpose::Peer(party) => {
                let id = self.ids.uuid("participant");
                call.other = Some(party.clone());
                call.targets = json!([wire::target_info(&self.parties, &party, style, &id)]);
                self.ring_after(key, party, RingPurpose::Outgoing, establishing);
            }
            Purpose::Group(parties) => {
                call.kind = CallKind::Group;
                call.targets = parties
                    .iter()
                    .map(|party| wire::target_info(&self.parties, party, style, ""))
                    .collect();
                let conference = self.open_conference(None, false);
                self.enter(conference, caller, Some(key), Some(my_id));
                if let Some(call) = self.book.get_mut(&key) {
                    call.conference = Some(conference);
                }
                for party in parties {
                    self.ring_after(key, party, RingPurpose::Outgoing, establishing);
                }
            }
            Purpose::Meeting(conference, kind) => {
                call.kind = kind;
                call.conference = Some(conference);
                call.chat_info = Some(chat_info(&self.conferences[conference.0].thread));
                call.meeting_info = body.get("meetingInfo").cloned();
                self.enter(conference, caller, Some(key), Some(my_id));
                self.agenda.add(established, key, Step::Established);
            }
        }
    }
}

/// The kind of media that a body configures, which every call needs.
pub(super) fn media_mode(body: &Body) -> Result<MediaMode, Refusal> {
    match body.type_of("mediaConfig") {
        Some("serviceHostedMediaConfig") => Ok(MediaMode::Service),
        Some("appHostedMediaConfig") => Ok(MediaMode::App),
        _ => Err(Refusal::argument("Missing mediaConfig information.")),
    }
}

/// Whether `callOptions` ask for changes of the roster instead of the whole.
pub(super) fn wants(body: &Body, option: &str) -> bool {
    let options = body.get("callOptions");
    let flag = options.and_then(|options| options.get(option));
    flag.and_then(Value::as_bool).unwrap_or(false)
}

pub(super) fn is_e164(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or("");
    (3..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
}
