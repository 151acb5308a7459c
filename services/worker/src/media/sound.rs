//! The sound of a call's leg, for a bot that hears and speaks itself: a stream a leg, on connections of their own, so that sound never
//! delays commands.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _, ready};
use futures_util::stream::{BoxStream, StreamExt as _};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use trunkline_bot::logic::{Said, SoundFrame};
use trunkline_proto::media::media_client::MediaClient;
use trunkline_proto::media::sound_to_host::Message;
use trunkline_proto::media::{FollowLeg, SoundToHost, SoundToWorker};
use trunkline_store::key::Triple;

use crate::conversation::{LegPlace, Work};
use crate::shell::context::WorkerParts;
use crate::shell::tell::{Told, tell_here};

/// Frames on their way to the host, beside the second that waits there.
const FRAMES: usize = 4;
/// How long a call has to take a signal.
const TELL: Duration = Duration::from_secs(10);

/// What is heard on a leg, and the way to speak there.
pub(crate) struct LegSound {
    pub(crate) heard: BoxStream<'static, SoundFrame>,
    pub(crate) said: Arc<dyn Said>,
}

/// Asks a host for the sound of a leg; ready when the leg has a peer.
pub(super) async fn follow(
    channel: Channel,
    leg: &LegPlace,
    epoch: u64,
    call: Triple,
    worker: &Arc<WorkerParts>,
) -> Result<LegSound, String> {
    let (say, stream) = mpsc::channel(FRAMES);
    let follow = FollowLeg {
        leg: leg.name.clone(),
        epoch,
    };
    let first = SoundToHost {
        message: Some(Message::Follow(follow)),
    };
    // It is the first, and there is room.
    let _ = say.try_send(first);
    let sound = MediaClient::new(channel).sound(ReceiverStream::new(stream)).await;
    let heard = sound.map_err(|status| status.message().to_owned())?.into_inner();
    // A stream that breaks has ended: the leg is attached again, and so is its sound.
    let heard = heard
        .take_while(|frame| ready(frame.is_ok()))
        .filter_map(|frame| ready(frame.ok()));
    Ok(LegSound {
        heard: heard.map(|frame| frame_of(&frame)).boxed(),
        said: Arc::new(Speaking {
            say,
            call,
            worker: Arc::downgrade(worker),
        }),
    })
}

fn frame_of(frame: &SoundToWorker) -> SoundFrame {
    let samples = frame
        .pcm
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]));
    SoundFrame {
        number: frame.number,
        level: u8::try_from(frame.level).unwrap_or(u8::MAX),
        is_concealed: frame.concealed,
        dropped_before: frame.dropped_before,
        samples: samples.collect(),
    }
}

struct Speaking {
    say: mpsc::Sender<SoundToHost>,
    call: Triple,
    worker: Weak<WorkerParts>,
}

impl Said for Speaking {
    fn say(&self, samples: Vec<i16>) -> BoxFuture<'_, bool> {
        async move {
            let pcm: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            let message = Some(Message::Say(pcm.into()));
            self.say.send(SoundToHost { message }).await.is_ok()
        }
        .boxed()
    }

    fn signal(&self, name: String, key: String, payload: Bytes) -> BoxFuture<'_, Result<(), String>> {
        async move {
            let worker = self.worker.upgrade().ok_or("the worker ends")?;
            let told = Told {
                triple: self.call.clone(),
                repeat_key: rand::random(),
                remaining: TELL,
                traceparent: String::new(),
                work: Work::Signal { name, key, payload },
            };
            let heard = tell_here(&worker, told).await;
            heard.map(drop).map_err(|error| error.to_string())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_of_the_host_is_one_of_the_bot() {
        let frame = frame_of(&SoundToWorker {
            number: 3,
            level: 30,
            concealed: true,
            dropped_before: 2,
            pcm: Bytes::from_static(&[1, 0, 0xFF, 0xFF]),
        });
        let expected = SoundFrame {
            number: 3,
            level: 30,
            is_concealed: true,
            dropped_before: 2,
            samples: vec![1, -1],
        };
        assert_eq!(frame, expected);
    }
}
