//! Keys as packets: RFC 4733, events 0 to 15.

use crate::codec::Codec;

/// The keys, each at the number of its event (RFC 4733, section 3.2).
const KEYS: &[u8; 16] = b"0123456789*#ABCD";
/// Packets while a key is down: 100 ms.
const DOWN: u16 = 5;
/// Packets that tell its end, so that the loss of two is no loss (section 2.5.1.4).
const ENDS: u16 = 3;
/// The power of a key, in -dBm0.
const VOLUME: u8 = 10;

/// A character that is on no telephone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no key {0:?}")]
pub struct NoSuchKey(pub char);

/// A key that is going down, packet by packet.
#[derive(Debug)]
pub(crate) struct Press {
    event: u8,
    sent: u16,
    frame_ticks: u16,
}

/// A packet of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyPacket {
    pub(crate) payload: [u8; 4],
    /// Whether it is the first of its key.
    pub(crate) is_first: bool,
}

impl Press {
    pub(crate) fn new(key: char, codec: Codec) -> Result<Self, NoSuchKey> {
        let upper = key.to_ascii_uppercase();
        let event = (0..).zip(KEYS).find(|(_, known)| char::from(**known) == upper);
        let (event, _) = event.ok_or(NoSuchKey(key))?;
        Ok(Self {
            event,
            sent: 0,
            // 160 or 960.
            frame_ticks: u16::try_from(codec.frame_ticks()).unwrap_or(u16::MAX),
        })
    }
}

/// One packet for each 20 ms; all of them carry the timestamp of the first.
impl Iterator for Press {
    type Item = KeyPacket;

    fn next(&mut self) -> Option<KeyPacket> {
        if self.sent == DOWN + ENDS {
            return None;
        }
        self.sent += 1;
        let is_end = self.sent > DOWN;
        // 100 ms are 4,800 steps: far from the end of the field.
        let duration = (self.sent.min(DOWN) * self.frame_ticks).to_be_bytes();
        Some(KeyPacket {
            payload: [self.event, u8::from(is_end) << 7 | VOLUME, duration[0], duration[1]],
            is_first: self.sent == 1,
        })
    }
}

/// The key that a packet says has ended, if it says so.
pub(crate) fn ended_key(payload: &[u8]) -> Option<char> {
    let [event, flags, _, _] = *payload else { return None };
    let key = KEYS.get(usize::from(event)).copied().map(char::from)?;
    (flags & 0x80 != 0).then_some(key)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lasts_100_ms_and_its_end_is_told_three_times() {
        let packets: Vec<_> = Press::new('#', Codec::Opus).unwrap().collect();
        assert_eq!(packets.len(), 8);
        assert!(packets[0].is_first && !packets[1].is_first);
        assert_eq!(packets[0].payload, [11, 10, 0x03, 0xC0]);
        assert!(packets[..5].iter().all(|packet| ended_key(&packet.payload).is_none()));
        for end in &packets[5..] {
            assert_eq!(end.payload, [11, 0x8A, 0x12, 0xC0]);
            assert_eq!(ended_key(&end.payload), Some('#'));
        }
    }

    #[test]
    fn what_is_on_no_telephone_is_refused() {
        assert_eq!(Press::new('x', Codec::Opus).err(), Some(NoSuchKey('x')));
        assert!(Press::new('d', Codec::Pcmu).is_ok());
    }
}
