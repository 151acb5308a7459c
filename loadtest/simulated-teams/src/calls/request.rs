//! One request at the calls API: which operation it is, whether it may be, and what it is answered.

use serde_json::Value;

use super::{
    Calls,
    body::Body,
    call::{Call, CallKey, CallState},
    fault::Strike,
    operation::{Operation, OperationKind, Status},
    refusal::{No, Refusal},
    verb::{Target, Verb, read_path, read_user_path},
    view::{CallEvent, Deed},
    wire,
};
use crate::{config::FaultTime, world::people::BotNumber};

/// A request below `/communications/calls`, or below `/users`; segments are decoded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GraphRequest<'a> {
    pub(crate) root: Root,
    pub(crate) method: &'a str,
    pub(crate) segments: &'a [String],
    pub(crate) body: &'a [u8],
    /// `Scenario-Id`.
    pub(crate) scenario: Option<&'a str>,
    /// The tenant that the token is for.
    pub(crate) tenant: &'a str,
}

/// What a path is below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    Calls,
    Users,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GraphReply {
    /// For the inspector and for counters: `playPrompt`.
    pub(crate) operation: &'static str,
    pub(crate) status: u16,
    pub(crate) body: Option<Value>,
    /// In the place of a body.
    pub(crate) refusal: Option<Refusal>,
    pub(crate) location: Option<String>,
    pub(crate) retry_after: Option<String>,
    /// The answer is held back until the bot has answered more than this many notifications of the call.
    pub(crate) hold: Option<(CallKey, u64)>,
    /// The scenario of the call.
    pub(crate) scenario: Option<String>,
}

/// A request that was done.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) status: u16,
    pub(super) body: Option<Value>,
    pub(super) location: Option<String>,
}

impl Done {
    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            body: None,
            location: None,
        }
    }

    pub(super) fn with(status: u16, body: Value) -> Self {
        Self {
            status,
            body: Some(body),
            location: None,
        }
    }
}

impl Calls {
    /// Serves one request of `bot` that arrives at `now`.
    pub(crate) fn serve(&mut self, bot: BotNumber, request: GraphRequest<'_>, now: u64) -> GraphReply {
        let (operation, call, result) = match self.admitted(bot, request, now) {
            Ok((target, strike)) => {
                let (call, result) = self.perform_under(bot, &target, strike, request, now);
                (target.verb.name(), call, result)
            }
            Err((operation, refusal, retry_after)) => (operation, None, Err((refusal, retry_after))),
        };
        let hold = if result.is_ok() {
            self.hold(operation, call)
        } else {
            None
        };
        let mut reply = GraphReply {
            operation,
            status: 0,
            body: None,
            refusal: None,
            location: None,
            retry_after: None,
            hold,
            scenario: call.and_then(|key| self.book.get(&key)).map(|call| call.chain.clone()),
        };
        match result {
            Ok(done) => {
                reply.status = done.status;
                reply.body = done.body;
                reply.location = done.location;
            }
            Err((refusal, retry_after)) => {
                reply.status = refusal.status;
                reply.refusal = Some(refusal);
                reply.retry_after = retry_after;
            }
        }
        self.counters.requested(operation, reply.status);
        if let Some(call) = call.and_then(|key| self.book.get_mut(&key)) {
            call.note(CallEvent {
                at: now,
                deed: Deed::Request {
                    operation: operation.to_owned(),
                    status: reply.status,
                },
            });
        }
        reply
    }

    /// The path, the tenant, the rate and the faults: in this order.
    #[allow(clippy::type_complexity, reason = "a refusal, with what the answer needs beside it")]
    fn admitted<'a>(
        &mut self,
        bot: BotNumber,
        request: GraphRequest<'a>,
        now: u64,
    ) -> Result<(Target<'a>, Option<Strike>), (&'static str, Refusal, Option<String>)> {
        let target = match request.root {
            Root::Calls => read_path(request.method, request.segments),
            Root::Users => read_user_path(request.method, request.segments),
        };
        let target = target.map_err(|refusal| ("unknown", refusal, None))?;
        let operation = target.verb.name();
        if !request.tenant.eq_ignore_ascii_case(&self.parties.tenant) {
            return Err((operation, No::TenantMismatch.into(), None));
        }
        if let Some(strike) = self.gate.throttle(bot, self.settings.limits.rate, now) {
            return Err((operation, strike.refusal, strike.retry_after));
        }
        let chance = &mut self.chance;
        let strike = self.gate.strike(operation, || rand::RngExt::random::<f64>(chance));
        match strike {
            Some(strike) if strike.when == FaultTime::BeforeStore => {
                Err((operation, strike.refusal, strike.retry_after))
            }
            strike => Ok((target, strike)),
        }
    }

    /// Does it, and answers with the fault when one strikes afterwards.
    #[allow(clippy::type_complexity, reason = "a refusal, with what the answer needs beside it")]
    fn perform_under(
        &mut self,
        bot: BotNumber,
        target: &Target<'_>,
        strike: Option<Strike>,
        request: GraphRequest<'_>,
        now: u64,
    ) -> (Option<CallKey>, Result<Done, (Refusal, Option<String>)>) {
        let (call, result) = self.perform(bot, target, request, now);
        let result = match (result, strike) {
            (Ok(_), Some(strike)) => Err((strike.refusal, strike.retry_after)),
            (Ok(done), None) => Ok(done),
            (Err(refusal), _) => Err((refusal, None)),
        };
        (call, result)
    }

    fn perform(
        &mut self,
        bot: BotNumber,
        target: &Target<'_>,
        request: GraphRequest<'_>,
        now: u64,
    ) -> (Option<CallKey>, Result<Done, Refusal>) {
        let body = match Body::read(request.body) {
            Ok(body) => body,
            Err(refusal) => return (None, Err(refusal)),
        };
        if target.verb == Verb::Create {
            return match self.create(bot, &body, request.scenario, now) {
                Ok((key, done)) => (Some(key), Ok(done)),
                Err(refusal) => (None, Err(refusal)),
            };
        }
        match target.verb {
            Verb::LogDeviceQuality => return (None, log_quality(&body)),
            Verb::CreateOrGetMeeting => return (None, self.create_or_get_meeting(target.call, &body, now)),
            _ => {}
        }
        let key = self.find(target.call).filter(|key| {
            let call = &self.book[key];
            let is_readable = target.verb == Verb::Get || !call.state.is_over();
            call.bot == bot && call.state != CallState::Terminated && is_readable
        });
        let Some(key) = key else {
            let known = self.find(target.call).filter(|key| self.book[key].bot == bot);
            return (known, Err(No::NotFound.into()));
        };
        let result = self.on_call(key, target, &body, now);
        self.changed(key);
        (Some(key), result)
    }

    fn on_call(&mut self, key: CallKey, target: &Target<'_>, body: &Body, now: u64) -> Result<Done, Refusal> {
        let item = target.item;
        match target.verb {
            // The last two belong to no call and were done before.
            Verb::Create | Verb::Get | Verb::LogDeviceQuality | Verb::CreateOrGetMeeting => {
                Ok(Done::with(200, self.call_body(key)))
            }
            Verb::Delete => Ok(self.hang_up_by_bot(key, now)),
            Verb::Answer => self.answer(key, body, now),
            Verb::Reject => self.reject(key, body, now),
            Verb::Redirect => self.redirect(key, body, now),
            Verb::Transfer => self.transfer(key, body, now),
            Verb::KeepAlive => Ok(self.keep_alive(key, now)),
            Verb::Mute => self.mute_self(key, body, true, now),
            Verb::Unmute => self.mute_self(key, body, false, now),
            Verb::ChangeScreenSharingRole => self.change_role(key, body, now),
            Verb::PlayPrompt => self.play_prompt(key, body, now),
            Verb::RecordResponse => self.record_response(key, body, now),
            Verb::SubscribeToTone => self.subscribe_to_tone(key, body),
            Verb::SendDtmfTones => self.send_dtmf_tones(key, body, now),
            Verb::CancelMediaProcessing => self.cancel_media_processing(key, body, now),
            Verb::UpdateRecordingStatus => self.update_recording_status(key, body, now),
            Verb::AddLargeGalleryView => self.add_gallery(key, body, now),
            Verb::ListParticipants => Ok(self.list_participants(key)),
            Verb::GetParticipant => self.get_participant(key, item),
            Verb::Invite => self.invite(key, body, now),
            Verb::RemoveParticipant => self.remove_participant(key, item, now),
            Verb::MuteParticipant => self.mute_participant(key, item, body, now),
            Verb::StartHoldMusic => self.start_hold_music(key, item, body, now),
            Verb::StopHoldMusic => self.stop_hold_music(key, item, body, now),
            Verb::CreateRoute => self.create_route(key, body),
            Verb::ListRoutes => self.list_routes(key),
            Verb::GetRoute => self.get_route(key, item),
            Verb::UpdateRoute => self.update_route(key, item, body),
            Verb::DeleteRoute => self.delete_route(key, item),
            Verb::ListOperations => Ok(self.list_operations(key)),
            Verb::GetOperation => self.get_operation(key, item),
            Verb::ListSharings => self.list_sharings(key),
            Verb::GetSharing => self.get_sharing(key, item),
        }
    }

    /// The call as it is shown.
    pub(super) fn call_body(&self, key: CallKey) -> Value {
        let mut body = wire::call(&self.book[&key], &self.parties.tenant);
        body["@odata.context"] = format!("{}/$metadata#communications/calls/$entity", self.graph).into();
        body
    }

    /// A call that is established, or why the operation is not possible.
    pub(super) fn established_call(&self, key: CallKey) -> Result<&Call, Refusal> {
        let call = &self.book[&key];
        if call.state == CallState::Established {
            Ok(call)
        } else {
            Err(No::NotEstablished.into())
        }
    }

    /// Adds an operation and answers with it and its address.
    pub(super) fn operation(&mut self, key: CallKey, success: u16, operation: Operation) -> (usize, Done) {
        let graph = self.graph.clone();
        let Some(call) = self.book.get_mut(&key) else {
            return (0, Done::empty(success));
        };
        let done = Done {
            status: success,
            body: Some(operation.body(call.style)),
            location: Some(format!(
                "{graph}/communications/calls/{}/operations/{}",
                call.id, operation.id
            )),
        };
        call.operations.push(operation);
        (call.operations.len() - 1, done)
    }

    /// An operation that is answered as completed and therefore is not told to have ended.
    pub(super) fn completed_at_once(
        &mut self,
        key: CallKey,
        kind: OperationKind,
        body: &Body,
    ) -> Result<Done, Refusal> {
        let operation = Operation::new(self.ids.uuid("operation"), kind, Status::Completed, body.context()?);
        Ok(self.operation(key, 200, operation).1)
    }

    /// Whether the bot has answered more than `count` notifications of a call, or will not any more.
    pub(crate) fn has_told_more(&self, key: CallKey, count: u64) -> bool {
        self.book
            .get(&key)
            .is_none_or(|call| call.is_settled || call.lane.settled > count)
    }

    /// Whether the answer waits for the notification that overtakes it, if disorder wants one to.
    fn hold(&mut self, operation: &str, call: Option<CallKey>) -> Option<(CallKey, u64)> {
        let is_followed = matches!(
            operation,
            "create"
                | "answer"
                | "sendDtmfTones"
                | "addLargeGalleryView"
                | "startHoldMusic"
                | "stopHoldMusic"
                | "transfer"
        );
        let key = call.filter(|_| is_followed)?;
        let settled = self.book.get(&key)?.lane.settled;
        self.strikes(self.settings.disorder.early).then_some((key, settled))
    }
}

/// What is reported is looked at and kept nowhere.
fn log_quality(body: &Body) -> Result<Done, Refusal> {
    match body.get("quality") {
        Some(Value::Object(_)) => Ok(Done::empty(200)),
        _ => Err(Refusal::argument("Missing quality.")),
    }
}
