//! The gRPC service: streams of workers, and events in their words. It decides nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use trunkline_proto::media as wire;
use trunkline_proto::media::media_server::Media;

use super::commands::take_commands;
use super::sound;
use super::{Happening, Host, LegId, Numbered, RecordedFile, Seen};
use crate::leg::{LegEvent, PlayEnd};

/// Messages that may wait on their way to a worker.
const OUTGOING: usize = 1_024;
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

/// What goes to a worker.
pub(super) type Outgoing = mpsc::Sender<Result<wire::ToWorker, Status>>;

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
        let (outgoing, stream) = mpsc::channel(OUTGOING);
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

pub(super) fn message(message: wire::to_worker::Message) -> wire::ToWorker {
    wire::ToWorker { message: Some(message) }
}

pub(super) fn event_message(host: &Host, leg: &LegId, numbered: Numbered) -> wire::ToWorker {
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
