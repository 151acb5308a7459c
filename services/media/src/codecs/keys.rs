//! Finds the keys that a peer presses in its sound: for peers that do not send them as events.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::decoding::{Decoded, Decoding};
use super::ear::Ear;
use super::thread::{CodecThread, Input, Job};
use super::{NoCodecs, Seat};
use crate::audio::opus::CodecError;
use crate::codec::Codec;
use crate::record::Recorded;
use crate::tone::KeySound;
use crate::tone::in_band::{KeyDetector, RATE};

/// A key that is down is let go when for so long nothing came: as one of RFC 4733 whose end is lost.
const SILENCE: Duration = Duration::from_millis(120);

/// Where a codec thread tells of keys, and when the packet came that tells of them.
pub type KeyListener = Box<dyn Fn(KeySound, Instant) + Send>;

/// An ear that finds keys in what a leg of that codec hears.
pub(super) fn hear(
    thread: &CodecThread,
    seat: Arc<Seat>,
    codec: Codec,
    listener: KeyListener,
) -> Result<Ear, NoCodecs> {
    let keys = Keys::new(codec, listener).map_err(|_| NoCodecs::Broken)?;
    thread.begin(Box::new(keys), seat).map(Ear::of)
}

struct Keys {
    decoding: Decoding,
    detector: KeyDetector,
    /// When the last packet came.
    last: Option<Instant>,
    listener: KeyListener,
}

impl Keys {
    fn new(codec: Codec, listener: KeyListener) -> Result<Self, CodecError> {
        Ok(Self {
            decoding: Decoding::new(codec, RATE)?,
            detector: KeyDetector::default(),
            last: None,
            listener,
        })
    }

    fn packet(&mut self, packet: &Recorded) {
        self.last = Some(packet.at);
        let (detector, tell) = (&mut self.detector, |sound| (self.listener)(sound, packet.at));
        self.decoding.add(packet, |decoded| heard(detector, tell, decoded));
    }

    fn passes(&mut self, now: Instant) {
        let (detector, tell) = (&mut self.detector, |sound| (self.listener)(sound, now));
        self.decoding.tick(now, |decoded| heard(detector, tell, decoded));
        let is_silent = self
            .last
            .is_some_and(|last| now.saturating_duration_since(last) >= SILENCE);
        if is_silent && let Some(sound) = self.detector.breaks_off() {
            tell(sound);
        }
    }
}

fn heard(detector: &mut KeyDetector, tell: impl Fn(KeySound), decoded: Decoded<'_>) {
    match decoded {
        Decoded::Samples(samples, is_made_up) => detector.samples(samples, is_made_up, tell),
        Decoded::LeftOut(_) => {
            if let Some(sound) = detector.breaks_off() {
                tell(sound);
            }
        }
    }
}

impl Job for Keys {
    fn take(&mut self, input: Input) {
        if let Input::Heard(packet) = input {
            self.packet(&packet);
        }
    }

    fn tick(&mut self, now: Instant) {
        self.passes(now);
    }

    fn renew(&mut self) -> Result<(), CodecError> {
        self.decoding.renew()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::mpsc::channel;

    use bytes::Bytes;

    use super::super::Codecs;
    use super::*;
    use crate::audio::g711;
    use crate::audio::opus::Encoder;
    use crate::leg::next_fraction;
    use crate::tone::in_band::tests::{Telephone, keys};

    const ALL: &str = "0123456789*#ABCD";

    /// A telephone's keys as packets of 20 ms.
    fn packets(codec: Codec, telephone: Telephone, pressed: &str) -> Vec<Bytes> {
        let rate = if codec == Codec::Opus { 16_000 } else { RATE };
        let samples = Telephone { rate, ..telephone }.presses(pressed);
        let mut encoder = Encoder::live(rate, 24_000).unwrap();
        let frames = samples.chunks_exact(rate as usize / 50);
        let mut packet = |frame: &[i16]| match codec {
            Codec::Opus => encoder.encode(frame).unwrap().into(),
            _ => frame.iter().map(|sample| g711::encoded(codec, *sample)).collect(),
        };
        frames.map(&mut packet).collect()
    }

    /// What is heard of packets that come each 20 ms, without those that are lost; then nothing comes for a while.
    fn told(codec: Codec, packets: &[Bytes], mut is_lost: impl FnMut() -> bool) -> Vec<KeySound> {
        let (tell, told) = channel();
        let listener = Box::new(move |sound, _| tell.send(sound).unwrap());
        let mut job = Keys::new(codec, listener).unwrap();
        let start = Instant::now();
        let mut now = start;
        for (place, payload) in (0u32..).zip(packets) {
            now = start + Duration::from_millis(20) * place;
            if !is_lost() {
                job.take(Input::Heard(Recorded {
                    payload: payload.clone(),
                    timestamp: place * codec.packet_ticks(),
                    source: 1,
                    at: now,
                    dropped_before: 0,
                }));
            }
            job.tick(now + Duration::from_millis(10));
        }
        for tick in 1..30 {
            job.tick(now + Duration::from_millis(10) * tick);
        }
        told.try_iter().collect()
    }

    #[test]
    fn all_keys_are_heard_through_each_codec_loud_or_not() {
        for codec in [Codec::Pcmu, Codec::Pcma, Codec::Opus] {
            for (level, twist) in [(13.0, 0.0), (20.0, -6.0), (30.0, 3.0)] {
                let telephone = Telephone {
                    level,
                    twist,
                    ..Telephone::default()
                };
                let told = told(codec, &packets(codec, telephone, ALL), || false);
                assert_eq!(keys(&told), ALL, "{codec:?} {telephone:?}");
            }
        }
    }

    /// Whether a text is another one of which characters were left out.
    fn is_part_of(text: &str, whole: &str) -> bool {
        let mut whole = whole.chars();
        text.chars().all(|character| whole.any(|other| other == character))
    }

    #[test]
    fn with_5_in_100_packets_lost_nearly_all_keys_are_heard_and_none_twice() {
        let mut seed = 5;
        let telephone = Telephone {
            tone_ms: 100.0,
            pause_ms: 100.0,
            ..Telephone::default()
        };
        for codec in [Codec::Pcmu, Codec::Opus] {
            let packets = packets(codec, telephone, ALL);
            let mut heard = 0;
            for _ in 0..50 {
                let told = keys(&told(codec, &packets, || next_fraction(&mut seed) < 0.05));
                assert!(is_part_of(&told, ALL), "{codec:?}: {told}");
                heard += told.len();
            }
            assert!(heard >= 760, "{codec:?}: {heard} of 800");
        }
    }

    #[test]
    fn a_key_whose_peer_falls_silent_is_let_go() {
        let telephone = Telephone {
            tone_ms: 200.0,
            ..Telephone::default()
        };
        let mut packets = packets(Codec::Pcmu, telephone, "8");
        packets.truncate(10);
        let told = told(Codec::Pcmu, &packets, || false);
        assert_eq!(keys(&told), "8");
        assert!(matches!(told[1], KeySound::Ended { end_seen: false, .. }), "{told:?}");
    }

    #[test]
    fn an_ear_tells_of_keys_and_is_charged_until_it_is_dropped() {
        let codecs = Codecs::start(1).unwrap();
        let (tell, told) = channel();
        let mut ear = codecs
            .hear_keys(
                Codec::Pcma,
                Box::new(move |sound, _| {
                    let _ = tell.send(sound);
                }),
            )
            .unwrap();
        assert!(codecs.used() > 0);
        let packets = packets(Codec::Pcma, Telephone::default(), "42");
        for (place, payload) in (0u32..).zip(packets) {
            ear.hear(payload, (place * 160, 1), Instant::now());
        }
        let mut heard = Vec::new();
        while heard.len() < 4 {
            heard.push(told.recv_timeout(Duration::from_secs(20)).unwrap());
        }
        assert_eq!(keys(&heard), "42");
        drop(ear);
        assert!(told.recv_timeout(Duration::from_secs(20)).is_err(), "it is forgotten");
        assert_eq!(codecs.used(), 0);
    }
}
