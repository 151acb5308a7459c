//! Routes for what happens in calls.

use trunkline_teams::calls;
use trunkline_teams::graph::OperationKind;

use super::signals::of_signal;
use super::{Incoming, Listen, Refused, Shape, sealed};
use crate::call::Then;
use crate::call::gather::GATHERED;
use crate::error::Error;
use crate::event::{
    BridgeEnded, CallRecording, Connected, Gathered, InDoubt, Invited, Joined, Left, Lobby, MediaEnds, MediaLost,
    Muted, OperationEnded, PromptEnded, Recorded, RecordedJoins, RecordedLeft, SharingEnded, SharingStarted, Speech,
    StatusUpdated, Tone, TonesSent, TransferFailed, Trouble,
};
use crate::logic::{CallEvent, Input, OperationEnd};
use crate::signal::Signal;

/// What the handlers of a call can listen to. Made by the functions of [`crate::calls`]; sealed.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not something that happens in a call",
    label = "not a route of calls",
    note = "the first argument of `.on` is a route of the module `calls`: `calls::connected()`, `calls::tone()`, `calls::signal::<T>()`, .."
)]
pub trait CallRoute: sealed::Sealed + Send + Sync + 'static {
    /// What the handler gets.
    type Event: 'static;
    #[doc(hidden)]
    fn listen(self) -> Listen<Self::Event, Then>;
}

impl<E: 'static> CallRoute for Listen<E, Then> {
    type Event = E;
    fn listen(self) -> Self {
        self
    }
}

/// A route for events of a call: `fits` looks, `make` makes the event of one that fits.
fn of_call<E: 'static>(
    shape: Shape,
    fits: fn(&CallEvent) -> bool,
    make: fn(CallEvent) -> Option<E>,
) -> Listen<E, Then> {
    Listen::new(
        shape,
        move |incoming| matches!(incoming, Incoming::Call(event) if fits(event)),
        move |input| match input {
            Input::Call(event) => make(*event).ok_or(Refused::Other),
            _ => Err(Refused::Other),
        },
    )
}

/// A route for the end of operations of a kind.
fn of_operation<E: 'static>(name: &'static str, kind: OperationKind, make: fn(OperationEnd) -> E) -> Listen<E, Then> {
    let is_it = move |event: &CallEvent| matches!(event, CallEvent::OperationEnded(end) if end.kind() == Some(kind));
    Listen::new(
        Shape::Operation(name),
        move |incoming| matches!(incoming, Incoming::Call(event) if is_it(event)),
        move |input| match input {
            Input::Call(event) if is_it(&event) => match *event {
                CallEvent::OperationEnded(end) => Ok(make(*end)),
                _ => Err(Refused::Other),
            },
            _ => Err(Refused::Other),
        },
    )
}

/// The call is established and sound goes through.
pub fn connected() -> Listen<Connected, Then> {
    of_call(
        Shape::Kind("connected"),
        |event| matches!(event, CallEvent::Connected),
        |_| Some(Connected::NOW),
    )
}

/// The other side pressed a key. The host asks Graph for keys because this route is there.
pub fn tone() -> Listen<Tone, Then> {
    of_call(
        Shape::Kind("tone"),
        |event| matches!(event, CallEvent::Tone(tone) if sign(tone).is_some()),
        |event| match event {
            CallEvent::Tone(tone) => sign(&tone).map(Tone),
            _ => None,
        },
    )
}

fn sign(tone: &calls::Tone) -> Option<char> {
    match tone {
        calls::Tone::Flash => Some('!'),
        tone => tone.key(),
    }
}

/// Keys were gathered, see [`crate::Call::gather`]. The host asks Graph for keys because this route is there.
pub fn gathered() -> Listen<Gathered, Then> {
    Listen::new(
        Shape::Gathered,
        |incoming| matches!(incoming, Incoming::Inside(Input::Signal { name, .. }) if name == GATHERED),
        |input| match input {
            Input::Signal { name, payload, .. } if name == GATHERED => Gathered::from_json(&payload)
                .map_err(|error| Refused::Unreadable(Error::lasting(format!("gathered keys cannot be read: {error}")))),
            _ => Err(Refused::Other),
        },
    )
}

/// Prompts were played, or will not be.
pub fn prompt_ended() -> Listen<PromptEnded, Then> {
    of_operation("prompt_ended", OperationKind::PlayPrompt, PromptEnded::new)
}

/// A recording is over.
pub fn recorded() -> Listen<Recorded, Then> {
    of_operation("recorded", OperationKind::RecordResponse, Recorded::new)
}

/// People who were invited came, or will not.
pub fn invited() -> Listen<Invited, Then> {
    of_operation("invited", OperationKind::Invite, Invited::new)
}

/// The bot's keys were pressed.
pub fn tones_sent() -> Listen<TonesSent, Then> {
    of_operation("tones_sent", OperationKind::SendDtmfTones, TonesSent::new)
}

/// Graph has taken the bot's word on whether it records.
pub fn status_updated() -> Listen<StatusUpdated, Then> {
    of_operation(
        "status_updated",
        OperationKind::UpdateRecordingStatus,
        StatusUpdated::new,
    )
}

/// Any operation ended that no route above took.
pub fn operation_ended() -> Listen<OperationEnded, Then> {
    of_call(
        Shape::Operations,
        |event| matches!(event, CallEvent::OperationEnded(_)),
        |event| match event {
            CallEvent::OperationEnded(end) => Some(OperationEnded::new(*end)),
            _ => None,
        },
    )
}

/// People came.
pub fn joined() -> Listen<Joined, Then> {
    of_call(
        Shape::Kind("joined"),
        |event| matches!(event, CallEvent::Joined(_)),
        |event| match event {
            CallEvent::Joined(people) => Some(Joined::new(people)),
            _ => None,
        },
    )
}

/// People went.
pub fn left() -> Listen<Left, Then> {
    of_call(
        Shape::Kind("left"),
        |event| matches!(event, CallEvent::Left(_)),
        |event| match event {
            CallEvent::Left(people) => Some(Left::new(people)),
            _ => None,
        },
    )
}

/// Microphones went off or on.
pub fn muted() -> Listen<Muted, Then> {
    of_call(
        Shape::Kind("muted"),
        |event| matches!(event, CallEvent::Muted(_)),
        |event| match event {
            CallEvent::Muted(people) => Some(Muted::new(people)),
            _ => None,
        },
    )
}

/// The bot waits in the lobby, or was let in.
pub fn lobby() -> Listen<Lobby, Then> {
    of_call(
        Shape::Kind("lobby"),
        |event| matches!(event, CallEvent::Lobby(_)),
        |event| match event {
            CallEvent::Lobby(waits) => Some(Lobby::new(waits)),
            _ => None,
        },
    )
}

/// A transfer failed and the call goes on.
pub fn transfer_failed() -> Listen<TransferFailed, Then> {
    of_call(
        Shape::Kind("transfer_failed"),
        |event| matches!(event, CallEvent::TransferFailed(_)),
        |event| match event {
            CallEvent::TransferFailed(result) => Some(TransferFailed::new(result)),
            _ => None,
        },
    )
}

/// Somebody began to share content. Graph tells it only to calls whose options asked for it
/// (`CallOptions::is_content_sharing_notification_enabled`, with [`crate::Media::options`] or [`crate::Outgoing::options`]).
pub fn sharing_started() -> Listen<SharingStarted, Then> {
    of_call(
        Shape::Kind("sharing_started"),
        |event| matches!(event, CallEvent::SharingStarted(_)),
        |event| match event {
            CallEvent::SharingStarted(session) => Some(SharingStarted::new(session)),
            _ => None,
        },
    )
}

/// Content is shared no more; told as its beginning is.
pub fn sharing_ended() -> Listen<SharingEnded, Then> {
    of_call(
        Shape::Kind("sharing_ended"),
        |event| matches!(event, CallEvent::SharingEnded(_)),
        |event| match event {
            CallEvent::SharingEnded(session) => Some(SharingEnded::new(session)),
            _ => None,
        },
    )
}

/// Another person of the recording policy joins and is recorded by this call, which has room for several.
pub fn recorded_joins() -> Listen<RecordedJoins, Then> {
    of_call(
        Shape::Kind("recorded_joins"),
        |event| matches!(event, CallEvent::RecordedJoins(_)),
        |event| match event {
            CallEvent::RecordedJoins(about) => Some(RecordedJoins::new(*about)),
            _ => None,
        },
    )
}

/// A recorded person left.
pub fn recorded_left() -> Listen<RecordedLeft, Then> {
    of_call(
        Shape::Kind("recorded_left"),
        |event| matches!(event, CallEvent::RecordedLeft(_)),
        |event| match event {
            CallEvent::RecordedLeft(left) => Some(RecordedLeft::new(left)),
            _ => None,
        },
    )
}

/// The media host that carried the sound is gone, see [`MediaLost`]. What the handler returns is done: `Then::Transfer` hands the
/// other one on, `Then::HangUp` ends the call, as it does without this route.
pub fn media_lost() -> Listen<MediaLost, Then> {
    of_call(
        Shape::Kind("media_lost"),
        |event| matches!(event, CallEvent::MediaLost(_)),
        |event| match event {
            CallEvent::MediaLost(reason) => Some(MediaLost::new(reason)),
            _ => None,
        },
    )
}

/// The media host that carries the sound is about to end, see [`MediaEnds`].
pub fn media_ends() -> Listen<MediaEnds, Then> {
    of_call(
        Shape::Kind("media_ends"),
        |event| matches!(event, CallEvent::MediaEnds(_)),
        |event| match event {
            CallEvent::MediaEnds(within_ms) => Some(MediaEnds::new(within_ms)),
            _ => None,
        },
    )
}

/// Somebody began to speak or fell silent, see [`Speech`]. A media host listens for it because this route is there.
pub fn speech() -> Listen<Speech, Then> {
    of_call(
        Shape::Kind("speech"),
        |event| matches!(event, CallEvent::Speech(_)),
        |event| match event {
            CallEvent::Speech(speaks) => Some(Speech::new(speaks)),
            _ => None,
        },
    )
}

/// Something is wrong with the sound, or not any more, see [`Trouble`].
pub fn trouble() -> Listen<Trouble, Then> {
    of_call(
        Shape::Kind("trouble"),
        |event| matches!(event, CallEvent::Trouble(_)),
        |event| match event {
            CallEvent::Trouble(told) => Some(Trouble::new(told)),
            _ => None,
        },
    )
}

/// The other call of a bridge is heard no more, see [`BridgeEnded`].
pub fn bridge_ended() -> Listen<BridgeEnded, Then> {
    of_call(
        Shape::Kind("bridge_ended"),
        |event| matches!(event, CallEvent::BridgeEnded),
        |_| Some(BridgeEnded::NOW),
    )
}

/// Something happened to the recording of the call, see [`crate::Call::record_call`].
pub fn call_recording() -> Listen<CallRecording, Then> {
    of_call(
        Shape::Kind("call_recording"),
        |event| matches!(event, CallEvent::Recording(_)),
        |event| match event {
            CallEvent::Recording(told) => Some(CallRecording::new(*told)),
            _ => None,
        },
    )
}

/// Nobody knows whether the call that the bot began was made.
pub fn in_doubt() -> Listen<InDoubt, Then> {
    of_call(
        Shape::Kind("in_doubt"),
        |event| matches!(event, CallEvent::InDoubt),
        |_| Some(InDoubt::NOW),
    )
}

/// A signal from a conversation, from another call, from the outside, or a timer; also the first event of a call that
/// [`crate::Turn::start_call`] began.
pub fn signal<T: Signal>() -> Listen<T, Then> {
    of_signal()
}

/// Every event of the call that no route above took, as it crosses the boundary; incoming calls and the end apart.
pub fn any() -> Listen<CallEvent, Then> {
    of_call(Shape::Any, |_| true, Some)
}
