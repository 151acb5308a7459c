//! The sound of a leg as a stream of frames, both ways.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};
use trunkline_proto::media as wire;
use trunkline_proto::media::sound_to_host::Message as ToHost;

use super::actor::{FollowRefusal, Message};
use super::service::HELLO_TIME;
use super::{Host, LegId};
use crate::codecs::{FRAME_SAMPLES, Frames, HeardFrame, Mouth};

/// Frames under way to a worker, beside those that wait for it.
const FRAMES: usize = 4;
/// Bytes of a frame.
const BYTES: usize = 2 * FRAME_SAMPLES;

type Incoming = Streaming<wire::SoundToHost>;
type Outgoing = mpsc::Sender<Result<wire::SoundToWorker, Status>>;

/// Takes the leg that the first message names, and carries its sound until the leg or the stream ends.
pub(super) async fn begin(
    host: &Arc<Host>,
    mut incoming: Incoming,
) -> Result<ReceiverStream<Result<wire::SoundToWorker, Status>>, Status> {
    let first = tokio::time::timeout(HELLO_TIME, incoming.next()).await;
    let first = first.map_err(|_| Status::deadline_exceeded("no leg"))?.transpose()?;
    let Some(ToHost::Follow(follow)) = first.and_then(|first| first.message) else {
        return Err(Status::invalid_argument("a stream of sound begins with its leg"));
    };
    let gone = || Status::not_found("there is no such leg");
    let actor = host.by_name(&LegId::of(&follow.leg)).ok_or_else(gone)?;
    let (reply, answer) = oneshot::channel();
    let message = Message::Follow {
        epoch: follow.epoch,
        reply,
    };
    actor.send(message).await.map_err(|_| gone())?;
    let (frames, mouth) = answer.await.map_err(|_| gone())?.map_err(|refusal| match refusal {
        FollowRefusal::Fenced => Status::failed_precondition(refusal.to_string()),
        FollowRefusal::NoPeer => Status::not_found(refusal.to_string()),
        FollowRefusal::Busy | FollowRefusal::NoCodecs(_) => Status::resource_exhausted(refusal.to_string()),
    })?;
    let (outgoing, stream) = mpsc::channel(FRAMES);
    let closing = host.closing.clone();
    tokio::spawn(async move {
        // Whichever ends first ends the other: the leg, the worker's half, or the host.
        tokio::select! {
            () = hear(frames, outgoing) => {}
            () = say(mouth, incoming) => {}
            () = closing.cancelled() => {}
        }
    });
    Ok(ReceiverStream::new(stream))
}

async fn hear(mut frames: Frames, outgoing: Outgoing) {
    while let Some(frame) = frames.next().await {
        if outgoing.send(Ok(message_of(&frame))).await.is_err() {
            return;
        }
    }
}

/// Without a mouth what is said is not heard.
async fn say(mouth: Option<Mouth>, mut incoming: Incoming) {
    while let Some(Ok(message)) = incoming.next().await {
        let Some(ToHost::Say(pcm)) = message.message else {
            continue;
        };
        if let (Some(mouth), Some(samples)) = (&mouth, samples_of(&pcm))
            && !mouth.say(samples).await
        {
            return;
        }
    }
}

fn message_of(frame: &HeardFrame) -> wire::SoundToWorker {
    let pcm: Vec<u8> = frame.samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    wire::SoundToWorker {
        number: frame.number,
        level: u32::from(frame.level),
        concealed: frame.is_concealed,
        dropped_before: frame.dropped_before,
        pcm: Bytes::from(pcm),
    }
}

/// The samples of a frame; `None` for one that has not 20 ms.
fn samples_of(pcm: &[u8]) -> Option<Vec<i16>> {
    let pairs = pcm.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    (pcm.len() == BYTES).then(|| pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_20_ms_and_nothing_else_is_taken() {
        let frame = HeardFrame {
            number: 7,
            level: 30,
            is_concealed: false,
            dropped_before: 2,
            samples: (0..320).collect(),
        };
        let message = message_of(&frame);
        assert_eq!(samples_of(&message.pcm), Some(frame.samples));
        assert_eq!((samples_of(&message.pcm[1..]), samples_of(&[])), (None, None));
    }
}
