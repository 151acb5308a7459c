//! Handing a call on: blind, or into another call that the bot has with the target.

use serde_json::{Map, json};

use super::{
    Calls,
    agenda::Step,
    body::Body,
    call::{CallEnd, CallKey, CallState, RingOutcome, RingPurpose, Transfer},
    party::Party,
    refusal::{No, Refusal},
    request::Done,
};

impl Calls {
    pub(super) fn transfer(&mut self, key: CallKey, body: &Body, now: u64) -> Result<Done, Refusal> {
        let target = body
            .get("transferTarget")
            .ok_or_else(|| Refusal::argument("Missing transferTarget."))?;
        let party = self.parties.read(target);
        let party = party.ok_or_else(|| Refusal::argument("The transferTarget has no identity."))?;
        let transferee = body.get("transferee");
        let replaces = target.get("replacesCallId").and_then(serde_json::Value::as_str);
        let call = self.established_call(key)?;
        if call.transfer.is_some() {
            return Err(No::WrongState.into());
        }
        if matches!(party, Party::Phone(_)) && !call.by_instance {
            return Err(No::NotAllowed.into());
        }
        match (call.conference, transferee) {
            (None, Some(_)) => return Err(Refusal::argument("A transferee is for group calls only.")),
            (Some(_), None) => return Err(Refusal::argument("Missing transferee.")),
            (Some(conference), Some(transferee)) => {
                let who = self.parties.read(transferee);
                let members = &self.conference(conference).members;
                if !members.iter().any(|member| Some(&member.party) == who.as_ref()) {
                    return Err(No::ParticipantAbsent.into());
                }
            }
            (None, None) => {}
        }
        let bot = call.bot;
        let replaces = match replaces {
            // A page's sample of a blind transfer carries a placeholder: what names no call of the bot is none.
            Some(id) => self
                .find(id)
                .filter(|other| *other != key && self.book[other].bot == bot),
            None => None,
        };
        let delay = self.draw(self.settings.delays.operation);
        if let Some(call) = self.book.get_mut(&key) {
            call.transfer = Some(Transfer {
                target: party,
                replaces,
            });
            self.agenda.add(now + delay, key, Step::Transferring);
        }
        Ok(Done::empty(202))
    }

    pub(super) fn transferring(&mut self, key: CallKey, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        if call.state != CallState::Established {
            return;
        }
        let Some(transfer) = &call.transfer else { return };
        let (target, replaces) = (transfer.target.clone(), transfer.replaces);
        call.state = CallState::Transferring;
        self.tell_state(key, CallState::Transferring, Map::new(), now);
        match replaces {
            Some(other) if self.state(other) == Some(CallState::Established) => {
                self.transfer_decided(key, RingOutcome::Answered, now);
            }
            Some(_) => self.transfer_decided(key, RingOutcome::Unreachable, now),
            None => self.ring_after(key, target, RingPurpose::Transfer, now),
        }
        self.changed(key);
    }

    /// The target has picked up, or will not.
    pub(super) fn transfer_decided(&mut self, key: CallKey, outcome: RingOutcome, now: u64) {
        let delay = self.draw(self.settings.delays.operation);
        let Some(call) = self.book.get_mut(&key) else { return };
        if call.state != CallState::Transferring {
            return;
        }
        if outcome == RingOutcome::Answered {
            call.state = CallState::TransferAccepted;
            self.stop_media(key);
            self.tell_state(key, CallState::TransferAccepted, Map::new(), now);
            self.tell_media(key, false, now);
            self.agenda.add(now + delay, key, Step::Transferred);
            return;
        }
        let transfer = call.transfer.take();
        let is_consultative = transfer.is_some_and(|transfer| transfer.replaces.is_some());
        call.state = CallState::Established;
        let subcode = if is_consultative { 7700 } else { 7000 };
        let mut members = Map::new();
        // The samples of a failed transfer spell it `subCode`.
        let result = json!({
            "@odata.type": "#microsoft.graph.resultInfo", "code": 500, "subCode": subcode,
            "message": format!("The transfer failed. DiagCode: 500#{subcode}.@"),
        });
        members.insert("resultInfo".to_owned(), result);
        members.insert("replacesContext".to_owned(), "a failed transfer".into());
        self.tell_state(key, CallState::Established, members, now);
    }

    /// The caller talks to the target; the bot is out.
    pub(super) fn transferred(&mut self, key: CallKey, now: u64) {
        let Some(call) = self.book.get_mut(&key) else { return };
        if call.state != CallState::TransferAccepted {
            return;
        }
        let Some(transfer) = call.transfer.take() else { return };
        call.transferred_to = Some(self.parties.name(&transfer.target));
        let end = match transfer.replaces {
            Some(other) => {
                if let Some(other) = self.book.get_mut(&other) {
                    other.transferred_to = Some(self.parties.name(&transfer.target));
                }
                self.finish(other, CallEnd::silent("AppTransferred"), now);
                CallEnd::silent("AppTransferred")
            }
            None => CallEnd::new(0, 7015, "GracefulTransferCompleted"),
        };
        self.finish(key, end, now);
    }
}
