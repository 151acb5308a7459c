//! Frames to a worker, encoded without building the message first.
//!
//! A delivery's constant fields are encoded once, when the request arrives, from what the envelope borrowed; the body stays
//! where it was received. A frame then costs one copy of each, into the buffer that is written to the socket. The tests hold
//! the result against the generated message.

use bytes::{BufMut, Bytes, BytesMut};
use prost::encoding::encode_varint;
use prost::length_delimiter_len;
use tonic::Status;
use tonic::codec::{EncodeBuf, Encoder};
use trunkline_proto::routing::{FRAME_BYTES, Hello, Kind};

use crate::exchange::{Delivery, Outgoing};

/// What a field's number and wire type make of its first byte (Protocol Buffers encoding, "message structure").
const fn tag(field: u8, wire_type: u8) -> u8 {
    (field << 3) | wire_type
}
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;

/// The fields of a delivery that stay the same over resends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head<'a> {
    pub(crate) shard: u32,
    pub(crate) key: &'a [u8; 16],
    pub(crate) dedupe: Option<u64>,
    pub(crate) delivery_id: u64,
    pub(crate) traceparent: &'a str,
    pub(crate) kind: Kind,
    pub(crate) bot: &'a str,
    pub(crate) tenant: &'a str,
    pub(crate) service_url: &'a str,
    pub(crate) verified: bool,
    pub(crate) conversation: &'a str,
}

impl Head<'_> {
    /// Fields 2 to 10 of `Deliver`.
    pub(crate) fn encode(&self) -> Bytes {
        let claims = [self.bot, self.tenant, self.service_url];
        let text: usize = claims.iter().map(|part| part.len()).sum();
        let mut head = BytesMut::with_capacity(96 + text + self.traceparent.len() + self.conversation.len());
        put_number(&mut head, 2, self.shard.into());
        put_bytes(&mut head, 3, self.key);
        if let Some(dedupe) = self.dedupe {
            // Optional: present also when it is 0.
            head.put_u8(tag(4, FIXED64));
            head.put_u64_le(dedupe);
        }
        head.put_u8(tag(5, FIXED64));
        head.put_u64_le(self.delivery_id);
        put_bytes(&mut head, 7, self.traceparent.as_bytes());
        put_number(&mut head, 8, self.kind as u64);
        let verified = usize::from(self.verified) * 2;
        let length = claims.iter().map(|part| bytes_len(part.len())).sum::<usize>() + verified;
        head.put_u8(tag(9, BYTES));
        encode_varint(length as u64, &mut head);
        for (field, part) in (1..).zip(claims) {
            put_bytes(&mut head, field, part.as_bytes());
        }
        if self.verified {
            put_number(&mut head, 4, 1);
        }
        put_bytes(&mut head, 10, self.conversation.as_bytes());
        head.freeze()
    }
}

/// One `ToWorker`.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    pub(crate) hello: Option<Hello>,
    /// Of the map that is routed by; 0 before the first.
    pub(crate) map_version: u64,
    pub(crate) deliver: Vec<Delivery>,
    pub(crate) cancel: Vec<u64>,
    pub(crate) ping: bool,
    pub(crate) suspect: Vec<u64>,
    bytes: usize,
}

impl Frame {
    /// The first frame of a stream.
    pub(crate) fn hello(hello: Hello, map_version: u64) -> Self {
        Self {
            hello: Some(hello),
            map_version,
            ..Self::default()
        }
    }

    /// An empty frame of an open stream.
    pub(crate) fn new(map_version: u64) -> Self {
        Self {
            map_version,
            ..Self::default()
        }
    }

    /// Adds what still fits; gives back what does not. A delivery that is larger than a frame goes alone.
    pub(crate) fn add(&mut self, outgoing: Outgoing) -> Option<Outgoing> {
        let more = match &outgoing {
            Outgoing::Deliver(delivery) => bytes_len(delivery_len(delivery)),
            Outgoing::Cancel(_) | Outgoing::Suspect(_) => 8,
            Outgoing::Ping | Outgoing::Pong | Outgoing::MapVersion(_) => 2,
        };
        let is_full = self.bytes > 0 && self.bytes + more > FRAME_BYTES;
        if is_full {
            return Some(outgoing);
        }
        self.bytes += more;
        match outgoing {
            Outgoing::Deliver(delivery) => self.deliver.push(delivery),
            Outgoing::Cancel(seq) => self.cancel.push(seq),
            Outgoing::Ping => self.ping = true,
            Outgoing::Pong => {}
            Outgoing::MapVersion(version) => self.map_version = version,
            Outgoing::Suspect(incarnation) => self.suspect.push(incarnation),
        }
        None
    }

    fn encode(&self, buffer: &mut impl BufMut) {
        if let Some(hello) = &self.hello {
            let length = prost::Message::encoded_len(hello);
            buffer.put_u8(tag(1, BYTES));
            encode_varint(length as u64, buffer);
            // The buffer grows as needed, so this cannot fail; were it to, the worker would refuse the stream.
            let _ = prost::Message::encode(hello, buffer);
        }
        put_number(buffer, 2, self.map_version);
        for delivery in &self.deliver {
            buffer.put_u8(tag(3, BYTES));
            encode_varint(delivery_len(delivery) as u64, buffer);
            buffer.put_u8(tag(1, FIXED64));
            buffer.put_u64_le(delivery.seq);
            put_number(buffer, 6, delivery.remaining_ms.into());
            buffer.put_slice(&delivery.head);
            put_bytes(buffer, 11, &delivery.activity);
            put_number(buffer, 12, delivery.is_shed.into());
            put_number(buffer, 13, delivery.deaths.into());
            put_number(buffer, 14, delivery.age_ms.into());
        }
        put_fixed(buffer, 4, &self.cancel);
        put_number(buffer, 5, self.ping.into());
        put_fixed(buffer, 6, &self.suspect);
    }
}

/// Writes frames into the buffer of the stream.
#[derive(Debug, Default)]
pub(crate) struct FrameEncoder;

impl Encoder for FrameEncoder {
    type Item = Frame;
    type Error = Status;

    fn encode(&mut self, frame: Frame, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(frame.bytes + 64);
        frame.encode(buffer);
        Ok(())
    }
}

fn delivery_len(delivery: &Delivery) -> usize {
    let activity = match delivery.activity.len() {
        0 => 0,
        length => bytes_len(length),
    };
    let numbers = [
        delivery.remaining_ms,
        delivery.is_shed.into(),
        delivery.deaths,
        delivery.age_ms,
    ];
    let numbers: usize = numbers.into_iter().map(number_len).sum();
    9 + numbers + delivery.head.len() + activity
}

/// Length of a number's field; 0 is not written.
fn number_len(value: u32) -> usize {
    match value {
        0 => 0,
        value => 1 + length_delimiter_len(value as usize),
    }
}

/// Length of a field with a payload of `length` bytes.
fn bytes_len(length: usize) -> usize {
    1 + length_delimiter_len(length) + length
}

/// A number; 0 is the default and not written.
fn put_number(buffer: &mut impl BufMut, field: u8, value: u64) {
    if value != 0 {
        buffer.put_u8(tag(field, VARINT));
        encode_varint(value, buffer);
    }
}

/// Numbers of 8 bytes, packed.
fn put_fixed(buffer: &mut impl BufMut, field: u8, values: &[u64]) {
    if values.is_empty() {
        return;
    }
    buffer.put_u8(tag(field, BYTES));
    encode_varint(values.len() as u64 * 8, buffer);
    for value in values {
        buffer.put_u64_le(*value);
    }
}

fn put_bytes(buffer: &mut impl BufMut, field: u8, value: &[u8]) {
    if field == 11 && value.is_empty() {
        return;
    }
    buffer.put_u8(tag(field, BYTES));
    encode_varint(value.len() as u64, buffer);
    buffer.put_slice(value);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use prost::Message as _;
    use trunkline_proto::routing::{Claims, Deliver, ToWorker};

    fn decoded(frame: &Frame) -> ToWorker {
        let mut buffer = BytesMut::new();
        frame.encode(&mut buffer);
        ToWorker::decode(buffer.freeze()).unwrap()
    }

    proptest! {
        #[test]
        fn a_frame_reads_as_the_generated_message(
            seq: u64, remaining_ms: u32, shard in 0_u32..5_000, key: [u8; 16], dedupe: Option<u64>, delivery_id: u64,
            texts in prop::array::uniform5(".{0,300}"), kind in 0_i32..=5, verified: bool,
            activity in prop::collection::vec(any::<u8>(), 0..2_000), cancel: Vec<u64>, ping: bool,
            map_version: u64, suspect: Vec<u64>, shed: bool, deaths in 0_u32..3, age_ms: u32,
        ) {
            let [traceparent, bot, tenant, service_url, conversation] = texts;
            let head = Head {
                shard, key: &key, dedupe, delivery_id, traceparent: &traceparent, kind: Kind::try_from(kind).unwrap(),
                bot: &bot, tenant: &tenant, service_url: &service_url, verified, conversation: &conversation,
            }.encode();
            let delivery = Delivery { seq, remaining_ms, head, activity: Bytes::from(activity.clone()), is_shed: shed, deaths, age_ms };
            let mut frame = Frame::new(map_version);
            prop_assert!(frame.add(Outgoing::Deliver(delivery)).is_none());
            for seq in &cancel {
                prop_assert!(frame.add(Outgoing::Cancel(*seq)).is_none());
            }
            for incarnation in &suspect {
                prop_assert!(frame.add(Outgoing::Suspect(*incarnation)).is_none());
            }
            if ping {
                prop_assert!(frame.add(Outgoing::Ping).is_none());
            }
            let deliver = Deliver {
                seq, shard, key: Bytes::copy_from_slice(&key), dedupe, delivery_id, remaining_ms, traceparent, kind,
                claims: Some(Claims { bot, tenant, service_url, verified }), conversation, activity: Bytes::from(activity),
                shed, deaths, age_ms,
            };
            let expected = ToWorker { map_version, deliver: vec![deliver], cancel, ping, suspect, ..ToWorker::default() };
            let read = decoded(&frame);
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_frame_names_the_newest_map_that_it_was_told() {
        let mut frame = Frame::new(7);
        assert_eq!(decoded(&frame).map_version, 7);
        assert!(frame.add(Outgoing::MapVersion(8)).is_none());
        assert_eq!(decoded(&frame).map_version, 8);
    }

    #[test]
    fn a_frame_takes_what_fits_and_gives_the_rest_back() {
        let delivery = |bytes: usize| {
            Outgoing::Deliver(Delivery {
                seq: 1,
                remaining_ms: 1,
                head: Bytes::new(),
                activity: Bytes::from(vec![0; bytes]),
                is_shed: false,
                deaths: 0,
                age_ms: 0,
            })
        };
        let mut frame = Frame::default();
        assert!(frame.add(delivery(FRAME_BYTES - 100)).is_none());
        assert!(frame.add(delivery(200)).is_some());
        assert!(frame.add(Outgoing::Cancel(7)).is_none());
        let mut alone = Frame::default();
        assert!(alone.add(delivery(FRAME_BYTES * 2)).is_none(), "a large one goes alone");
        assert!(alone.add(Outgoing::Cancel(7)).is_some());
    }

    #[test]
    fn a_hello_travels_with_the_version_of_the_map_alone() {
        let hello = Hello {
            protocol: 1,
            ingress: "edge-1".into(),
            thread: 3,
            incarnation: 9,
            oldest: 1,
        };
        let read = decoded(&Frame::hello(hello.clone(), 7));
        assert_eq!((read.hello, read.map_version), (Some(hello), 7));
        assert!(read.deliver.is_empty());
    }
}
