//! Operations on those who take part in a call.

use trunkline_teams::calls::{AudioRoutingGroup, InvitationParticipantInfo, RoutingMode};
use trunkline_teams::graph::{self, ById, OfParticipant, Operation};

use super::op::{AudioRoute, HoldMusic, Invite, Mute, Op, Removal};
use super::problem::{CallProblem, count, id};
use super::{Call, CallKey, Callee, Prompt};

/// Most people of one invitation. Source: Graph, `participant: invite`.
const INVITEES: u64 = 5;

impl<A> Call<A> {
    /// Invites up to five people. A call of two becomes one of several. Ends with `invited`; somebody who does not answer is
    /// given up after about a minute.
    pub fn invite(&mut self, people: impl IntoIterator<Item = Callee>) -> Op<Invite> {
        let people: Vec<Callee> = people.into_iter().collect();
        let invite = count("the people of one invitation", people.len(), 1, INVITEES).and_then(|()| {
            let people = people.iter().map(Callee::invitation).collect::<Result<_, _>>()?;
            Ok(invitation(people))
        });
        self.operation("an invitation", invite)
    }

    /// Invites somebody who talks with the bot in another call already, and only that one. Once the person is in this call, Graph
    /// ends the other, which the bot hears of there. With [`super::Then::TransferTo`] this makes the transfer whose target was
    /// asked before: here the bot stays. Ends with `invited`.
    #[allow(clippy::needless_pass_by_value, reason = "a value is what authors have at hand")]
    pub fn invite_from(&mut self, somebody: Callee, other: &CallKey) -> Op<Invite> {
        let invite = somebody.invitation().map(|who| invitation(vec![who]));
        self.operation_in_place_of("an invitation", invite, other)
    }

    /// Puts a participant on hold, with music or a prompt; one at a time. Ends with `operation_ended`.
    pub fn start_hold_music(&mut self, participant: &str, instead_of_music: Option<&Prompt>) -> Op<HoldMusic> {
        let prompt = instead_of_music.map(Prompt::media).transpose();
        let hold = prompt.and_then(|prompt| {
            let body = graph::StartHoldMusic {
                custom_prompt: prompt.map(Into::into),
                client_context: None,
            };
            Ok(Operation::StartHoldMusic(Box::new(of(participant, body)?)))
        });
        self.operation("hold music", hold)
    }

    /// Takes a participant off hold. Ends with `operation_ended`.
    pub fn stop_hold_music(&mut self, participant: &str) -> Op<HoldMusic> {
        let hold = of(participant, graph::StopHoldMusic::default()).map(Operation::StopHoldMusic);
        self.operation("hold music", hold)
    }

    /// Turns a participant's microphone off, which only that participant can turn on again; calls of several only. Ends with
    /// `operation_ended`.
    pub fn mute_participant(&mut self, participant: &str) -> Op<Mute> {
        let mute = of(participant, graph::Mute::default()).map(Operation::MuteParticipant);
        self.operation("muting", mute)
    }

    /// Removes a participant, who is not told. The tenant's administrator must have allowed it to the app. Ends with
    /// `operation_ended`.
    pub fn remove(&mut self, participant: &str) -> Op<Removal> {
        let remove = of(participant, ()).map(Operation::RemoveParticipant);
        self.operation("removing somebody", remove)
    }

    /// Lets what the sources say be heard by the receivers, and by nobody else: a coach who whispers, a translation. All are ids of
    /// participants, the bot's own among them if it plays there; calls of several only. The name is the bot's to choose, and the
    /// route goes by it until it ends. Ends with `operation_ended`.
    pub fn route_audio<S: Into<String>, R: Into<String>>(
        &mut self,
        name: &str,
        sources: impl IntoIterator<Item = S>,
        receivers: impl IntoIterator<Item = R>,
    ) -> Op<AudioRoute> {
        let route = route(name, sources, receivers).map(Operation::CreateAudioRoutingGroup);
        self.operation("a way of sound", route)
    }

    /// Gives a way of sound other sources and receivers. Ends with `operation_ended`.
    pub fn change_audio_route<S: Into<String>, R: Into<String>>(
        &mut self,
        name: &str,
        sources: impl IntoIterator<Item = S>,
        receivers: impl IntoIterator<Item = R>,
    ) -> Op<AudioRoute> {
        let route = route(name, sources, receivers).map(Operation::UpdateAudioRoutingGroup);
        self.operation("a way of sound", route)
    }

    /// Ends a way of sound: its people hear everybody again. Ends with `operation_ended`.
    pub fn end_audio_route(&mut self, name: &str) -> Op<AudioRoute> {
        let ends = id("the way of sound", name).map(|id| Operation::DeleteAudioRoutingGroup(ById { id }));
        self.operation("a way of sound", ends)
    }
}

fn invitation(participants: Vec<InvitationParticipantInfo>) -> Operation {
    Operation::Invite(Box::new(graph::Invite {
        participants,
        client_context: None,
    }))
}

fn route<S: Into<String>, R: Into<String>>(
    name: &str,
    sources: impl IntoIterator<Item = S>,
    receivers: impl IntoIterator<Item = R>,
) -> Result<Box<AudioRoutingGroup>, CallProblem> {
    let sources: Vec<String> = sources.into_iter().map(Into::into).collect();
    let receivers: Vec<String> = receivers.into_iter().map(Into::into).collect();
    count("the sources of a way of sound", sources.len(), 1, u64::MAX)?;
    count("the receivers of a way of sound", receivers.len(), 1, u64::MAX)?;
    let mode = if receivers.len() == 1 {
        RoutingMode::OneToOne
    } else {
        RoutingMode::Multicast
    };
    Ok(Box::new(AudioRoutingGroup {
        id: Some(id("the way of sound", name)?),
        routing_mode: Some(mode),
        sources,
        receivers,
        ..AudioRoutingGroup::default()
    }))
}

fn of<B>(participant: &str, body: B) -> Result<OfParticipant<B>, CallProblem> {
    Ok(OfParticipant {
        participant: id("the participant", participant)?,
        body,
    })
}
