//! What is said: a packet each 20 ms, of sound or of a key.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rtc::rtp::{Header, Packet};
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use crate::codec::{Codec, Encoder};
use crate::connection::KEYS;
use crate::keys::Press;
use crate::spectrum::{level, sine};
use crate::{CallerError, FRAME_MS, FRAME_SAMPLES};

/// Slots without a key after one: 80 ms.
const PAUSE: u32 = 4;
/// The level of nothing (RFC 6464), and the bit of a packet that somebody speaks in.
const SILENT: u8 = 127;
const IS_VOICE: u8 = 0x80;

/// What somebody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sound {
    /// Nothing: packets of silence, as a microphone in a quiet room sends them.
    #[default]
    Silence,
    /// Nothing, and no packets either, as of somebody who is muted or out of reach. Keys are sent all the same.
    Nothing,
    /// A sine wave of this many Hz; multiples of [`crate::spectrum::STEP`] are recognised best.
    Tone(u16),
}

/// 20 ms of a sound.
pub(crate) struct Spoken {
    pub(crate) payload: Vec<u8>,
    /// How loud it is: decibels below overload, 0 to 127, as RFC 6464 counts them.
    pub(crate) level: u8,
}

/// Makes packets of sounds.
pub(crate) struct Mouth {
    encoder: Encoder,
    frame: u32,
}

impl Mouth {
    pub(crate) fn new(codec: Codec) -> Result<Self, CallerError> {
        let encoder = Encoder::new(codec)?;
        Ok(Self { encoder, frame: 0 })
    }

    /// The next 20 ms.
    pub(crate) fn frame(&mut self, sound: Sound) -> Result<Spoken, CallerError> {
        let samples = match sound {
            Sound::Silence | Sound::Nothing => [0; FRAME_SAMPLES],
            Sound::Tone(hz) => sine(hz, self.frame),
        };
        self.frame = self.frame.wrapping_add(1);
        Ok(Spoken {
            payload: self.encoder.encode(&samples)?,
            level: level(&samples),
        })
    }
}

/// What a voice is told.
pub(crate) struct Orders {
    pub(crate) sound: watch::Receiver<Sound>,
    pub(crate) keys: mpsc::Receiver<Press>,
}

/// Speaks until nobody gives orders any more.
pub(crate) struct Voice {
    pub(crate) track: Arc<TrackLocalStaticRTP>,
    pub(crate) source: u32,
    pub(crate) codec: Codec,
    /// The number of the header extension that carries levels, if the host takes them.
    pub(crate) levels: Option<u8>,
}

impl Voice {
    /// Speaks in packets of 20 ms. Late ones are not caught up with: whoever listens hears a pause, not a burst.
    pub(crate) async fn speak(self, mut orders: Orders) -> Result<(), CallerError> {
        let mut mouth = Mouth::new(self.codec)?;
        let mut slots = interval(Duration::from_millis(u64::from(FRAME_MS)));
        slots.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut header = Header {
            version: 2,
            // Numbers that nobody can guess (RFC 3550, section 5.1).
            sequence_number: rand::random(),
            timestamp: rand::random(),
            ssrc: self.source,
            ..Header::default()
        };
        let (mut waiting, mut pressed, mut pause) = (VecDeque::new(), None::<(Press, u32)>, 0_u32);
        loop {
            slots.tick().await;
            header.sequence_number = header.sequence_number.wrapping_add(1);
            header.timestamp = header.timestamp.wrapping_add(self.codec.frame_ticks());
            while let Ok(press) = orders.keys.try_recv() {
                waiting.push_back(press);
            }
            pause = pause.saturating_sub(1);
            if pressed.is_none() && pause == 0 {
                pressed = waiting.pop_front().map(|press| (press, header.timestamp));
            }
            let key = pressed
                .as_mut()
                .and_then(|(press, began)| Some((press.next()?, *began)));
            let packet = if let Some((key, began)) = key {
                let header = Header {
                    marker: key.is_first,
                    payload_type: KEYS,
                    timestamp: began,
                    ..header.clone()
                };
                Packet {
                    header,
                    payload: key.payload.to_vec().into(),
                }
            } else {
                if pressed.take().is_some() {
                    pause = PAUSE;
                }
                let sound = *orders.sound.borrow_and_update();
                if sound == Sound::Nothing {
                    // Packets that are not sent are no lost ones: their numbers are not used up.
                    header.sequence_number = header.sequence_number.wrapping_sub(1);
                    continue;
                }
                self.packet(&header, mouth.frame(sound)?)?
            };
            self.track.write_rtp(packet).await?;
        }
    }

    fn packet(&self, header: &Header, spoken: Spoken) -> Result<Packet, CallerError> {
        let mut header = Header {
            payload_type: self.codec.payload_type(),
            ..header.clone()
        };
        if let Some(number) = self.levels {
            let voice = if spoken.level < SILENT { IS_VOICE } else { 0 };
            header.set_extension(number, vec![voice | spoken.level].into())?;
        }
        Ok(Packet {
            header,
            payload: spoken.payload.into(),
        })
    }
}
