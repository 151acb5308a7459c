//! Commands of workers: brought to the actor of their leg in the order in which they came, answered when it has done them. It
//! decides nothing.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tonic::Streaming;
use trunkline_proto::media as wire;
use trunkline_proto::media::command::What;

use super::actor::{Attached, Listener, Message, Verdict};
use super::host::Mailbox;
use super::service::{Outgoing, event_message, message};
use super::{AnswerOrder, Host, LegId, NotOpened, Order, Outcome, Reason, Wish};
use crate::codec::Codec;
use crate::leg::{Relay, Statistics};

/// Commands of a stream that are not answered yet; further ones wait on the wire.
const IN_FLIGHT: usize = 16_384;

/// Takes commands until their stream ends. Nobody is waited for: what one leg loads holds up neither another leg nor what comes
/// for the same one.
pub(super) async fn take_commands(
    host: Arc<Host>,
    mut incoming: Streaming<wire::ToHost>,
    listener: Listener,
    outgoing: Outgoing,
) {
    let closing = host.closing.clone();
    let in_flight = Arc::new(Semaphore::new(IN_FLIGHT));
    while let Some(Some(Ok(received))) = closing.run_until_cancelled(incoming.next()).await {
        let Some(wire::to_host::Message::Command(command)) = received.message else {
            continue;
        };
        if outgoing.is_closed() {
            return;
        }
        let Ok(permit) = in_flight.clone().acquire_owned().await else {
            return;
        };
        let (operation, leg) = (command.operation, command.leg.clone());
        let begun = begin(&host, command, &listener);
        let acknowledged = acknowledge(host.clone(), operation, leg, begun, outgoing.clone());
        tokio::spawn(async move {
            acknowledged.await;
            drop(permit);
        });
    }
}

type Ack = wire::acknowledgement::What;

/// A command that is on its way.
enum Begun {
    /// It is done: the leg that it is about, and what came of it.
    Done(String, Ack),
    /// The actor of its leg was told.
    Ordered(oneshot::Receiver<Verdict>),
    Attaching(oneshot::Receiver<Result<Attached, u64>>),
    /// The actor has too much to hear: an owner that attaches waits for it.
    Unheard(Mailbox, Box<Message>, oneshot::Receiver<Result<Attached, u64>>),
}

/// Brings a command to the actor of its leg.
fn begin(host: &Arc<Host>, command: wire::Command, listener: &Listener) -> Result<Begun, Ack> {
    let what = command
        .what
        .ok_or_else(|| refused(wire::refused::Reason::Invalid, "the command is empty"))?;
    if let What::Open(open) = what {
        let (leg, opened) = self::open(host, command.epoch, &open)?;
        return Ok(Begun::Done(leg, opened));
    }
    let actor = host.by_name(&LegId::of(&command.leg)).ok_or_else(gone)?;
    if let What::Attach(attach) = what {
        let (reply, answer) = oneshot::channel();
        let message = Message::Attach {
            epoch: command.epoch,
            last_event: attach.last_event,
            listener: listener.clone(),
            reply,
        };
        return match actor.try_send(message) {
            Ok(()) => Ok(Begun::Attaching(answer)),
            Err(mpsc::error::TrySendError::Full(message)) => Ok(Begun::Unheard(actor, Box::new(message), answer)),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(gone()),
        };
    }
    let order = order_of(what).ok_or_else(|| refused(wire::refused::Reason::Invalid, "the command is not known"))?;
    let (reply, answer) = oneshot::channel();
    let message = Message::Order {
        epoch: command.epoch,
        operation: command.operation,
        order,
        reply,
    };
    match actor.try_send(message) {
        Ok(()) => Ok(Begun::Ordered(answer)),
        Err(mpsc::error::TrySendError::Full(_)) => {
            Err(refused(wire::refused::Reason::Full, "the leg has too much to hear"))
        }
        Err(mpsc::error::TrySendError::Closed(_)) => Err(gone()),
    }
}

/// Waits for what comes of a command, and tells it.
async fn acknowledge(
    host: Arc<Host>,
    operation: u64,
    asked_leg: String,
    begun: Result<Begun, Ack>,
    outgoing: Outgoing,
) {
    let (leg, done) = match begun {
        Ok(Begun::Done(leg, what)) => (leg, Ok(what)),
        Ok(Begun::Ordered(answer)) => (asked_leg, answer.await.map(acknowledgement_of).map_err(|_| gone())),
        Ok(Begun::Attaching(answer)) => {
            let attached = attached(&host, &asked_leg, answer, &outgoing).await;
            (asked_leg, attached)
        }
        Ok(Begun::Unheard(actor, message, answer)) => {
            // An actor that has ended drops the message, and who waits for its answer hears that.
            let _ = actor.send(*message).await;
            let attached = attached(&host, &asked_leg, answer, &outgoing).await;
            (asked_leg, attached)
        }
        Err(refusal) => (asked_leg, Err(refusal)),
    };
    let acknowledgement = wire::to_worker::Message::Acknowledgement(wire::Acknowledgement {
        operation,
        leg,
        what: Some(done.unwrap_or_else(|refusal| refusal)),
    });
    // A stream that has ended needs none.
    let _ = outgoing.send(Ok(message(acknowledgement))).await;
}

/// Tells an owner that was attached what it missed.
async fn attached(
    host: &Host,
    leg: &str,
    answer: oneshot::Receiver<Result<Attached, u64>>,
    outgoing: &Outgoing,
) -> Result<Ack, Ack> {
    let attached = answer.await.map_err(|_| gone())?.map_err(Ack::Fenced)?;
    for missed in attached.missed {
        let event = event_message(host, &LegId::of(leg), missed);
        outgoing.send(Ok(event)).await.map_err(|_| gone())?;
    }
    Ok(Ack::Attached(wire::Attached {
        events_lost: attached.events_lost,
        has_peer: attached.has_peer,
        last_operation: attached.last_operation,
    }))
}

fn gone() -> Ack {
    refused(wire::refused::Reason::Gone, "there is no such leg")
}

fn open(host: &Arc<Host>, epoch: u64, open: &wire::Open) -> Result<(String, Ack), Ack> {
    let named = |name: &String| {
        Codec::PREFERRED
            .into_iter()
            .find(|codec| codec.name().eq_ignore_ascii_case(name))
    };
    let codecs: Option<Vec<_>> = open.codecs.iter().map(named).collect();
    let codecs = codecs.ok_or_else(|| refused(wire::refused::Reason::Invalid, "codecs are opus, PCMU, PCMA"))?;
    let codecs = if codecs.is_empty() {
        Codec::PREFERRED.to_vec()
    } else {
        codecs
    };
    let wish = Wish {
        epoch,
        codecs,
        tenant: open.tenant.clone(),
        is_compliance: open.compliance,
        tells_speech: open.speech,
        is_live: open.live,
        hears_only: open.hears_only,
        is_continuous: open.continuous,
        near: (!open.near.is_empty()).then(|| LegId::of(&open.near)),
    };
    let opened = host.open(wish).map_err(not_opened)?;
    let what = wire::Opened {
        path: format!("/legs/{}", opened.leg),
        token: opened.token,
        expires_ms: u32::try_from(host.token_valid().as_millis()).unwrap_or(u32::MAX),
    };
    Ok((opened.leg.to_string(), Ack::Opened(what)))
}

fn not_opened(refusal: NotOpened) -> Ack {
    let reason = match refusal {
        NotOpened::Full => wire::refused::Reason::Full,
        NotOpened::Draining => wire::refused::Reason::Draining,
        NotOpened::NoCodecs(_) => wire::refused::Reason::NoCodecs,
    };
    refused(reason, &refusal.to_string())
}

fn order_of(what: What) -> Option<Order> {
    Some(match what {
        What::Play(play) => Order::Play {
            prompts: play.prompts,
            repeat: play.repeat,
            stops_at_tone: play.stops_at_tone,
        },
        What::StopPlaying(stop) => Order::StopPlaying(Some(stop.of).filter(|of| *of != 0)),
        What::SendTones(tones) => Order::SendTones(tones.keys),
        What::Relay(relay) => Order::Relay(if relay.echo { Relay::Echo } else { Relay::Nothing }),
        What::Bridge(bridge) => Order::Bridge(LegId::of(&bridge.other)),
        What::Record(record) => Order::Record {
            name: record.name,
            received: record.received,
            sent: record.sent,
            mixed: record.mixed,
            confirmed_by: record.confirmed_by,
        },
        What::RecordAnswer(answer) => Order::RecordAnswer(answer_order(answer)),
        What::Listen(listen) => Order::Listen {
            speech: listen.speech,
            in_band: listen.in_band,
        },
        What::StopRecording(stop) => Order::StopRecording(Some(stop.of).filter(|of| *of != 0)),
        What::Statistics(_) => Order::Statistics,
        What::Close(_) => Order::Close,
        What::Open(_) | What::Attach(_) => return None,
    })
}

fn answer_order(answer: wire::RecordAnswer) -> AnswerOrder {
    let time = |milliseconds: u32| Duration::from_millis(u64::from(milliseconds));
    AnswerOrder {
        prompts: answer.prompts,
        beep: answer.beep,
        barge_in: answer.barge_in,
        first_silence: time(answer.first_silence_ms),
        silence: time(answer.silence_ms),
        longest: time(answer.longest_ms),
        stop_keys: answer.stop_keys,
    }
}

fn acknowledgement_of(verdict: Verdict) -> Ack {
    match verdict {
        Verdict::Fenced(epoch) => Ack::Fenced(epoch),
        Verdict::Outcome(Outcome::Accepted) => Ack::Accepted(wire::Accepted {}),
        Verdict::Outcome(Outcome::Statistics(statistics)) => Ack::Figures(figures_of(&statistics)),
        Verdict::Outcome(Outcome::Refused(reason, detail)) => {
            let reason = match reason {
                Reason::Gone => wire::refused::Reason::Gone,
                Reason::Busy => wire::refused::Reason::Full,
                Reason::NoCodecs => wire::refused::Reason::NoCodecs,
                Reason::Invalid => wire::refused::Reason::Invalid,
            };
            refused(reason, &detail)
        }
    }
}

fn refused(reason: wire::refused::Reason, detail: &str) -> Ack {
    Ack::Refused(wire::Refused {
        reason: reason.into(),
        detail: detail.to_owned(),
    })
}

fn figures_of(statistics: &Statistics) -> wire::Figures {
    let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
    wire::Figures {
        received_packets: statistics.received_packets,
        lost_packets: statistics.lost_packets,
        late_packets: statistics.late_packets,
        sent_packets: statistics.sent_packets,
        jitter_us: micros(statistics.jitter),
        round_trip_us: statistics.round_trip.map(micros),
        peer_lost: statistics.peer_lost,
        opinion_score: statistics.opinion_score,
        address_changes: statistics.address_changes,
    }
}
