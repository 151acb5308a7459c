//! Compound packets of RTCP: what we report, and what the peer's reports tell us.

use std::time::Duration;

use bytes::Bytes;
use rtc_rtcp::packet::{Packet, marshal, unmarshal};
use rtc_rtcp::receiver_report::ReceiverReport;
use rtc_rtcp::reception_report::ReceptionReport;
use rtc_rtcp::sender_report::SenderReport;
use rtc_rtcp::source_description::{SdesType, SourceDescription, SourceDescriptionChunk, SourceDescriptionItem};

use super::low32;

/// Name of our source in descriptions, the same as in the answer.
const CANONICAL_NAME: &[u8] = b"trunkline";
/// Reception blocks of a report that are read.
const BLOCKS_LIMIT: usize = 10;

/// A time since the leg began as the 64 bits of an NTP timestamp. RFC 3550 section 4 allows any clock that advances.
fn ntp(since_begin: Duration) -> u64 {
    (since_begin.as_secs() << 32) | ((u64::from(since_begin.subsec_nanos()) << 32) / 1_000_000_000)
}

/// The middle 32 bits of that: 65,536ths of a second.
fn middle(since_begin: Duration) -> u32 {
    low32(ntp(since_begin) >> 16)
}

/// What we report.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    /// Our source.
    pub(crate) source: u32,
    /// Since the leg began.
    pub(crate) now: Duration,
    /// Our media clock now.
    pub(crate) timestamp: u32,
    /// Packets and bytes of payload that we sent; if none, it is a receiver's report.
    pub(crate) sent: (u64, u64),
    /// What we know of the peer's stream.
    pub(crate) reception: Option<ReceptionReport>,
}

impl Report {
    /// The compound packet: a report, then who sends it.
    pub(crate) fn write(self) -> Option<Vec<u8>> {
        let reports = self.reception.into_iter().collect();
        let report: Box<dyn Packet> = if self.sent.0 == 0 {
            Box::new(ReceiverReport {
                ssrc: self.source,
                reports,
                ..ReceiverReport::default()
            })
        } else {
            Box::new(SenderReport {
                ssrc: self.source,
                ntp_time: ntp(self.now),
                rtp_time: self.timestamp,
                packet_count: low32(self.sent.0),
                octet_count: low32(self.sent.1),
                reports,
                ..SenderReport::default()
            })
        };
        compound(&[report, description(self.source)])
    }
}

/// The last compound packet of a source: BYE without a reason (RFC 3550 section 6.6). It is written here: `rtc-rtcp` pads an
/// empty reason to three bytes, which a strict reader refuses.
pub(crate) fn goodbye(source: u32) -> Option<Vec<u8>> {
    let report = ReceiverReport {
        ssrc: source,
        ..ReceiverReport::default()
    };
    let mut packet = compound(&[Box::new(report), description(source)])?;
    packet.extend_from_slice(&[0x81, 203, 0, 1]);
    packet.extend_from_slice(&source.to_be_bytes());
    Some(packet)
}

fn description(source: u32) -> Box<dyn Packet> {
    Box::new(SourceDescription {
        chunks: vec![SourceDescriptionChunk {
            source,
            items: vec![SourceDescriptionItem {
                sdes_type: SdesType::SdesCname,
                text: Bytes::from_static(CANONICAL_NAME),
            }],
        }],
    })
}

fn compound(packets: &[Box<dyn Packet>]) -> Option<Vec<u8>> {
    marshal(packets).ok().map(Vec::from)
}

/// What a compound packet of the peer says that concerns us.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct News {
    /// The middle bits of the peer's clock in its sender's report: we give them back.
    pub(crate) peer_clock: Option<u32>,
    /// Round trip, if the peer had a report of ours to answer.
    pub(crate) round_trip: Option<Duration>,
    /// Share of our packets that the peer lost in its last interval (0 to 1), and its jitter in our clock units.
    pub(crate) peer_reception: Option<(f64, u32)>,
}

/// Reads a decrypted compound packet. `None`: it is broken; kinds that are not known are passed over.
pub(crate) fn read_control(packet: &[u8], our_source: u32, now: Duration) -> Option<News> {
    let mut bytes = packet;
    let mut news = News::default();
    for packet in unmarshal(&mut bytes).ok()? {
        let packet = packet.as_any();
        let blocks = if let Some(report) = packet.downcast_ref::<SenderReport>() {
            news.peer_clock = Some(low32(report.ntp_time >> 16));
            &report.reports
        } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
            &report.reports
        } else {
            continue;
        };
        if let Some(block) = blocks.iter().take(BLOCKS_LIMIT).find(|block| block.ssrc == our_source) {
            news.peer_reception = Some((f64::from(block.fraction_lost) / 256.0, block.jitter));
            news.round_trip = round_trip(block, now);
        }
    }
    Some(news)
}

/// RFC 3550 section 6.4.1: now, less when we sent the report, less how long the peer kept it.
fn round_trip(block: &ReceptionReport, now: Duration) -> Option<Duration> {
    if block.last_sender_report == 0 {
        return None;
    }
    let units = middle(now)
        .wrapping_sub(block.last_sender_report)
        .wrapping_sub(block.delay);
    // A peer that lies or rounds must not give hours.
    (units.cast_signed() >= 0).then(|| Duration::from_micros(u64::from(units) * 1_000_000 / 65_536))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn report(sent: (u64, u64), reception: Option<ReceptionReport>) -> Vec<u8> {
        let report = Report {
            source: 1,
            now: Duration::from_millis(10_500),
            timestamp: 99,
            sent,
            reception,
        };
        report.write().expect("a compound packet")
    }

    #[test]
    fn the_round_trip_is_what_is_left_of_the_way() {
        // The peer got our report of 10.5 s, kept it for 2 s, and its answer is here at 12.6 s.
        let block = ReceptionReport {
            ssrc: 2,
            fraction_lost: 64,
            jitter: 80,
            last_sender_report: middle(Duration::from_millis(10_500)),
            delay: 2 * 65_536,
            ..ReceptionReport::default()
        };
        let news = read_control(&report((0, 0), Some(block)), 2, Duration::from_millis(12_600)).expect("news");
        let round_trip = news.round_trip.expect("a round trip");
        assert!(
            round_trip.abs_diff(Duration::from_millis(100)) < Duration::from_millis(1),
            "{round_trip:?}"
        );
        assert_eq!(news.peer_reception, Some((0.25, 80)));
        assert_eq!(news.peer_clock, None);
    }

    #[test]
    fn a_report_of_another_stream_says_nothing_of_ours() {
        let block = ReceptionReport {
            ssrc: 9,
            ..ReceptionReport::default()
        };
        let news = read_control(&report((5, 800), Some(block)), 2, Duration::from_secs(20)).expect("news");
        assert_eq!(news.peer_reception, None);
        assert_eq!(news.peer_clock, Some(middle(Duration::from_millis(10_500))));
    }

    #[test]
    fn a_goodbye_is_a_compound_packet() {
        let packet = goodbye(7).expect("a compound packet");
        assert!(unmarshal(&mut &packet[..]).is_ok_and(|packets| packets.len() == 3));
    }

    proptest! {
        #[test]
        fn noise_is_read_or_refused(mut noise in proptest::collection::vec(any::<u8>(), 8..120), kind in 192u8..=223) {
            noise[0] = 0x80 | (noise[0] & 0x3F);
            noise[1] = kind;
            let _ = read_control(&noise, 1, Duration::from_secs(1));
        }
    }
}
