//! The gRPC service: streams of workers, commands to actors, events back. It decides nothing.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use trunkline_proto::media as wire;
use trunkline_proto::media::command::What;
use trunkline_proto::media::media_server::Media;

use super::actor::{Listener, Message, Verdict};
use super::sound;
use super::{
    AnswerOrder, Happening, Host, LegId, NotOpened, Numbered, Order, Outcome, Reason, RecordedFile, Seen, Wish,
};
use crate::codec::Codec;
use crate::leg::{LegEvent, PlayEnd, Relay, Statistics};

/// Commands of a stream that are carried out at a time; further ones wait on the wire.
const COMMANDS: usize = 1_024;
/// Events that may wait for a worker; one that does not take them is cut off its legs and attaches again.
const EVENTS: usize = 4_096;
/// A stream that says nothing is ended.
pub(super) const HELLO_TIME: Duration = Duration::from_secs(5);

/// Serves the legs of a host to workers. Who may connect is decided by the channel that it is put on.
pub struct MediaService {
    host: Arc<Host>,
}

impl MediaService {
    /// The service of a host.
    pub fn new(host: Arc<Host>) -> Self {
        Self { host }
    }
}

type Outgoing = mpsc::Sender<Result<wire::ToWorker, Status>>;

#[tonic::async_trait]
impl Media for MediaService {
    type LegsStream = Pin<Box<dyn Stream<Item = Result<wire::ToWorker, Status>> + Send>>;

    async fn legs(&self, request: Request<Streaming<wire::ToHost>>) -> Result<Response<Self::LegsStream>, Status> {
        let mut incoming = request.into_inner();
        let first = tokio::time::timeout(HELLO_TIME, incoming.next()).await;
        let hello = first.map_err(|_| Status::deadline_exceeded("no hello"))?.transpose()?;
        let Some(wire::to_host::Message::Hello(hello)) = hello.and_then(|first| first.message) else {
            return Err(Status::invalid_argument("a stream begins with hello"));
        };
        if hello.protocol != trunkline_proto::media::PROTOCOL {
            return Err(Status::failed_precondition(
                "this host speaks version 1 of the contract",
            ));
        }
        tracing::info!(worker = hello.worker, "a worker is connected");
        let (outgoing, stream) = mpsc::channel(COMMANDS);
        let welcome = wire::Welcome {
            protocol: trunkline_proto::media::PROTOCOL,
            incarnation: self.host.incarnation(),
        };
        let _ = outgoing.try_send(Ok(message(wire::to_worker::Message::Welcome(welcome))));
        let (listener, events) = mpsc::channel(EVENTS);
        tokio::spawn(send_events(self.host.clone(), events, outgoing.clone()));
        tokio::spawn(take_commands(self.host.clone(), incoming, listener, outgoing));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    type SoundStream = Pin<Box<dyn Stream<Item = Result<wire::SoundToWorker, Status>> + Send>>;

    async fn sound(
        &self,
        request: Request<Streaming<wire::SoundToHost>>,
    ) -> Result<Response<Self::SoundStream>, Status> {
        let sound = sound::begin(&self.host, request.into_inner()).await?;
        Ok(Response::new(Box::pin(sound)))
    }
}

async fn send_events(host: Arc<Host>, mut events: mpsc::Receiver<(LegId, Numbered)>, outgoing: Outgoing) {
    while let Some((leg, numbered)) = events.recv().await {
        if outgoing.send(Ok(event_message(&host, &leg, numbered))).await.is_err() {
            return;
        }
    }
}

/// Commands of one leg are carried out in order, those of different legs beside each other: one that loads a prompt must not
/// hold up another leg. So each leg has a task as long as there are commands for it.
async fn take_commands(host: Arc<Host>, mut incoming: Streaming<wire::ToHost>, listener: Listener, outgoing: Outgoing) {
    let mut busy: HashMap<String, mpsc::Sender<wire::Command>> = HashMap::new();
    let closing = host.closing.clone();
    while let Some(Some(Ok(received))) = closing.run_until_cancelled(incoming.next()).await {
        let Some(wire::to_host::Message::Command(command)) = received.message else {
            continue;
        };
        busy.retain(|_, commands| !commands.is_closed());
        let command = match busy.get(&command.leg) {
            None => command,
            Some(commands) => match commands.send(command).await {
                Ok(()) => continue,
                // The task was done just now.
                Err(mpsc::error::SendError(command)) => command,
            },
        };
        if outgoing.is_closed() {
            return;
        }
        let (commands, waiting) = mpsc::channel(COMMANDS);
        busy.insert(command.leg.clone(), commands);
        let (host, listener, outgoing) = (host.clone(), listener.clone(), outgoing.clone());
        tokio::spawn(carry_out_in_order(host, command, waiting, listener, outgoing));
    }
}

/// Carries out a command, and what comes meanwhile; ends when nothing waits.
async fn carry_out_in_order(
    host: Arc<Host>,
    first: wire::Command,
    mut waiting: mpsc::Receiver<wire::Command>,
    listener: Listener,
    outgoing: Outgoing,
) {
    let mut next = Some(first);
    while let Some(command) = next {
        let (operation, leg) = (command.operation, command.leg.clone());
        let carried_out = carry_out(&host, command, &listener, &outgoing).await;
        let (leg, what) = carried_out.unwrap_or_else(|what| (leg, what));
        let acknowledgement = wire::to_worker::Message::Acknowledgement(wire::Acknowledgement {
            operation,
            leg,
            what: Some(what),
        });
        if outgoing.send(Ok(message(acknowledgement))).await.is_err() {
            return;
        }
        if waiting.is_empty() {
            // What came just now is carried out, then this is over.
            waiting.close();
        }
        next = waiting.recv().await;
    }
}

type Ack = wire::acknowledgement::What;

/// The leg that a command is about, and what came of it.
async fn carry_out(
    host: &Arc<Host>,
    command: wire::Command,
    listener: &Listener,
    outgoing: &Outgoing,
) -> Result<(String, Ack), Ack> {
    let what = command
        .what
        .ok_or_else(|| refused(wire::refused::Reason::Invalid, "the command is empty"))?;
    if let What::Open(open) = what {
        return self::open(host, command.epoch, &open);
    }
    let leg = LegId::of(&command.leg);
    let gone = || refused(wire::refused::Reason::Gone, "there is no such leg");
    let actor = host.by_name(&leg).ok_or_else(gone)?;
    if let What::Attach(attach) = what {
        let (reply, answer) = oneshot::channel();
        let message = Message::Attach {
            epoch: command.epoch,
            last_event: attach.last_event,
            listener: listener.clone(),
            reply,
        };
        actor.send(message).await.map_err(|_| gone())?;
        let attached = answer.await.map_err(|_| gone())?.map_err(Ack::Fenced)?;
        for missed in attached.missed {
            outgoing
                .send(Ok(event_message(host, &leg, missed)))
                .await
                .map_err(|_| gone())?;
        }
        let attached = wire::Attached {
            events_lost: attached.events_lost,
            has_peer: attached.has_peer,
            last_operation: attached.last_operation,
        };
        return Ok((command.leg, Ack::Attached(attached)));
    }
    let order = order_of(what).ok_or_else(|| refused(wire::refused::Reason::Invalid, "the command is not known"))?;
    let (reply, answer) = oneshot::channel();
    let message = Message::Order {
        epoch: command.epoch,
        operation: command.operation,
        order,
        reply,
    };
    actor.send(message).await.map_err(|_| gone())?;
    let verdict = answer.await.map_err(|_| gone())?;
    Ok((command.leg, acknowledgement_of(verdict)))
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
        near: (!open.near.is_empty()).then(|| LegId::of(&open.near)),
    };
    let opened = host.open(wish).map_err(not_opened)?;
    let what = wire::Opened {
        path: format!("/legs/{}", opened.leg),
        token: opened.token,
        expires_ms: u32::try_from(Host::token_valid().as_millis()).unwrap_or(u32::MAX),
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

fn message(message: wire::to_worker::Message) -> wire::ToWorker {
    wire::ToWorker { message: Some(message) }
}

fn event_message(host: &Host, leg: &LegId, numbered: Numbered) -> wire::ToWorker {
    message(wire::to_worker::Message::Event(wire::Event {
        leg: leg.to_string(),
        number: numbered.number,
        what: Some(event_of(host, numbered.event)),
    }))
}

fn event_of(host: &Host, event: Happening) -> wire::event::What {
    use wire::event::What as Told;
    match event {
        Happening::Leg(event) => leg_event_of(&event),
        Happening::Offered => Told::Offered(wire::Offered {}),
        Happening::HostEnds(within) => Told::HostEnds(u32::try_from(within.as_millis()).unwrap_or(u32::MAX)),
        Happening::Seen(Seen::FirstReceived) => first_packet(true),
        Happening::Seen(Seen::FirstSent) => first_packet(false),
        Happening::Seen(Seen::Alarm(alarm, is_raised)) => Told::Alarm(wire::Alarm {
            kind: alarm.name().to_owned(),
            over: !is_raised,
        }),
        Happening::RecordingEnded {
            operation,
            direction,
            result,
        } => {
            let ended = match result {
                Ok(RecordedFile { file, parts, sha256 }) => wire::RecordingEnded {
                    file,
                    parts,
                    sha256,
                    ..wire::RecordingEnded::default()
                },
                Err(error) => wire::RecordingEnded {
                    error,
                    ..wire::RecordingEnded::default()
                },
            };
            Told::RecordingEnded(wire::RecordingEnded {
                operation,
                direction: direction.to_owned(),
                ..ended
            })
        }
        Happening::Answered {
            operation,
            reason,
            clip,
        } => {
            let (location, token, sha256) = clip.map_or_else(Default::default, |(clip, sha256)| {
                (host.location(&clip.path), clip.token, sha256)
            });
            Told::Answered(wire::Answered {
                operation,
                reason: reason.name().to_owned(),
                location,
                token,
                sha256,
            })
        }
    }
}

fn leg_event_of(event: &LegEvent) -> wire::event::What {
    use wire::event::What as Told;
    match *event {
        LegEvent::Nominated { address } => Told::Nominated(address.to_string()),
        LegEvent::Connected => Told::Connected(wire::Connected {}),
        LegEvent::Moved { to, .. } => Told::Moved(to.to_string()),
        LegEvent::Unstable => Told::Unstable(wire::Unstable {}),
        LegEvent::Stable => Told::Stable(wire::Stable {}),
        LegEvent::ToneStarted { key, .. } => Told::ToneStarted(key.character().to_string()),
        LegEvent::Tone {
            key,
            duration,
            sequence,
            end_seen,
        } => Told::Tone(wire::Tone {
            key: key.character().to_string(),
            duration_ms: u32::try_from(duration.as_millis()).unwrap_or(u32::MAX),
            sequence,
            end_seen,
        }),
        LegEvent::Started { operation } => Told::Started(operation),
        LegEvent::Finished {
            operation,
            reason,
            packets,
        } => Told::Finished(wire::Finished {
            operation,
            reason: reason_of(reason).to_owned(),
            packets,
        }),
        LegEvent::RecordingGap {
            operation,
            direction,
            packets,
        } => Told::RecordingGap(wire::RecordingGap {
            operation,
            direction: direction.name().to_owned(),
            packets,
        }),
        LegEvent::RecordingFailed { operation, direction } => Told::RecordingEnded(wire::RecordingEnded {
            operation,
            direction: direction.name().to_owned(),
            error: "the recorder gave it up".to_owned(),
            ..wire::RecordingEnded::default()
        }),
        // The actor tells it, with its file.
        LegEvent::Answered { operation, reason } => Told::Answered(wire::Answered {
            operation,
            reason: reason.name().to_owned(),
            ..wire::Answered::default()
        }),
        LegEvent::Speech { speaks } => Told::Speech(wire::Speech { speaks }),
        LegEvent::BridgeEnded => Told::BridgeEnded(wire::BridgeEnded {}),
        LegEvent::Ended(reason) => Told::Ended(reason.name().to_owned()),
    }
}

const fn first_packet(received: bool) -> wire::event::What {
    wire::event::What::FirstPacket(wire::FirstPacket { received })
}

const fn reason_of(reason: PlayEnd) -> &'static str {
    match reason {
        PlayEnd::Played => "played",
        PlayEnd::Stopped => "stopped",
        PlayEnd::Tone => "tone",
        PlayEnd::LegEnded => "leg_ended",
    }
}
