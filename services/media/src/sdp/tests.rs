use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;
use crate::codec::Codec;
use crate::ice::Credentials;

const FINGERPRINT: &str =
    "FA:B2:02:5E:7D:A3:50:8E:CE:2D:98:AC:A9:AB:69:BF:F4:C3:1F:19:77:67:0F:B0:9A:A8:37:E4:59:48:6E:FF";

/// An offer in the shape that browsers write, with a video section that must be rejected.
fn browser_offer() -> String {
    [
        "v=0",
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0 1",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS stream",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=ice-ufrag:EsAw",
        "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1",
        "a=ice-options:trickle",
        &format!("a=fingerprint:sha-256 {FINGERPRINT}"),
        "a=setup:actpass",
        "a=mid:0",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:63 red/48000/2",
        "a=rtpmap:9 G722/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:13 CN/8000",
        "a=rtpmap:110 telephone-event/48000",
        "a=rtpmap:126 telephone-event/8000",
        "a=ssrc:3570614608 cname:4TOk42mSjXCkVIa6",
        "a=ssrc:3570614608 msid:stream track",
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97",
        "c=IN IP4 0.0.0.0",
        "a=mid:1",
        "a=rtpmap:96 VP8/90000",
        "",
    ]
    .join("\r\n")
}

fn refusal(text: &str) -> SdpError {
    Offer::read(text).expect_err("the offer is refused")
}

fn negotiated(text: &str) -> Negotiated {
    let offer = Offer::read(text).expect("an offer");
    offer.negotiate(&Codec::PREFERRED).expect("a common codec")
}

fn answer_to(text: &str) -> String {
    let offer = Offer::read(text).expect("an offer");
    let negotiated = offer.negotiate(&Codec::PREFERRED).expect("a common codec");
    let credentials = Credentials::generate(1, 1, &mut StdRng::seed_from_u64(1));
    let candidates = [
        "203.0.113.7:20000".parse().unwrap(),
        "[2001:db8::7]:20000".parse().unwrap(),
    ];
    let answer = Answer {
        offer: &offer,
        negotiated: &negotiated,
        session: 7,
        credentials: &credentials,
        fingerprint: &[0xAB; 32],
        source: 42,
        candidates: &candidates,
    };
    answer.to_string()
}

#[test]
fn the_offer_of_a_browser_is_taken_with_its_payload_types() {
    let negotiated = negotiated(&browser_offer());
    assert_eq!((negotiated.codec, negotiated.payload_type), (Codec::Opus, 111));
    let tones = Tones {
        payload_type: 110,
        clock_rate: 48_000,
    };
    assert_eq!(negotiated.tones, Some(tones));
    assert_eq!(negotiated.direction, Direction::SendReceive);
    assert_eq!((negotiated.audio_level, negotiated.media_id), (Some(1), Some(4)));
    assert_eq!(negotiated.peer_fragment, "EsAw");
    assert_eq!(negotiated.sources, [3_570_614_608]);
    assert_eq!(fingerprint_text(&negotiated.fingerprints[0]), FINGERPRINT);
}

#[test]
fn a_leg_may_prefer_another_codec() {
    let offer = Offer::read(&browser_offer()).expect("an offer");
    let negotiated = offer.negotiate(&[Codec::Pcma]).expect("PCMA");
    assert_eq!((negotiated.codec, negotiated.payload_type), (Codec::Pcma, 8));
    assert_eq!(negotiated.tones.map(|tones| tones.payload_type), Some(126));
    let only_opus = browser_offer().replace("111 63 9 0 8 13 110 126", "111");
    let offer = Offer::read(&only_opus).expect("an offer");
    assert!(offer.negotiate(&[Codec::Pcma, Codec::Pcmu]).is_err());
}

#[test]
fn static_payload_types_need_no_mapping_and_dynamic_ones_are_taken() {
    let unmapped = browser_offer()
        .replace("a=rtpmap:0 PCMU/8000\r\n", "")
        .replace("126\r\nc=", "126 100\r\nc=");
    let mapped = unmapped
        .replace("a=rtpmap:13", "a=rtpmap:100 PCMA/8000\r\na=rtpmap:13")
        .replace("a=rtpmap:8 PCMA/8000\r\n", "");
    let offer = Offer::read(&mapped).expect("an offer");
    assert_eq!(offer.negotiate(&[Codec::Pcmu]).map(|taken| taken.payload_type), Ok(0));
    assert_eq!(offer.negotiate(&[Codec::Pcma]).map(|taken| taken.payload_type), Ok(100));
}

#[test]
fn the_direction_is_answered_from_our_side() {
    let offer = browser_offer();
    let of = |attribute: &str| negotiated(&offer.replace("a=sendrecv", attribute)).direction;
    assert_eq!(of("a=sendonly"), Direction::ReceiveOnly);
    assert_eq!(of("a=recvonly"), Direction::SendOnly);
    assert_eq!(of("a=inactive"), Direction::Inactive);
    assert_eq!(of("a=ptime:20"), Direction::SendReceive);
}

#[test]
fn what_cannot_be_answered_is_refused_with_its_reason() {
    let offer = browser_offer();
    let without = |line: &str| offer.replace(&format!("{line}\r\n"), "");
    let cases = [
        (without("a=rtcp-mux"), "rtcp-mux is missing"),
        (without("a=group:BUNDLE 0 1"), "the audio section is in no BUNDLE group"),
        (without("a=setup:actpass"), "setup is missing"),
        (
            without("a=ice-ufrag:EsAw"),
            "ice-ufrag or ice-pwd is missing or not allowed",
        ),
        (
            offer.replace("P2uYro0UCOQ4zxjKXaWCBui1", "short"),
            "ice-ufrag or ice-pwd is missing or not allowed",
        ),
        (offer.replace("sha-256", "sha-1"), "no fingerprint with SHA-256"),
        (
            offer.replace("m=audio 9 UDP/TLS", "m=audio 9 TCP/TLS"),
            "no audio section with UDP/TLS/RTP/SAVPF",
        ),
        (
            offer.replace("m=audio 9", "m=audio 0"),
            "no audio section with UDP/TLS/RTP/SAVPF",
        ),
        (offer.replace("m=video", "m=audio"), "more than one audio section"),
        (
            offer.replace("111 63 9 0 8 13 110 126", "63 9 13"),
            "none of Opus, PCMU and PCMA is offered",
        ),
        (
            offer.replace("a=setup:actpass", "a=setup:passive"),
            "setup must be actpass or active (line 15)",
        ),
        (
            offer.replace("a=extmap-allow-mixed", "a=ice-lite"),
            "both sides are ICE-lite, nobody would send checks (line 6)",
        ),
    ];
    for (text, reason) in cases {
        assert_eq!(refusal(&text).to_string(), reason);
    }
}

#[test]
fn what_is_no_session_description_is_told_apart() {
    assert!(matches!(refusal("hello"), SdpError::NotSdp(_)));
    assert!(matches!(
        refusal(""),
        SdpError::NotSdp(_) | SdpError::Unacceptable { .. }
    ));
}

#[test]
fn a_session_description_that_is_a_bomb_is_not_read() {
    let many_lines = browser_offer() + &"a=candidate:1\r\n".repeat(LINES_LIMIT);
    let long_line = browser_offer() + "a=x:" + &"x".repeat(LINE_LIMIT);
    let large = "x".repeat(OFFER_LIMIT + 1);
    let sections = browser_offer() + &"m=video 9 UDP/TLS/RTP/SAVPF 96\r\n".repeat(SECTIONS_LIMIT);
    for text in [many_lines, long_line, large, sections] {
        assert!(matches!(refusal(&text), SdpError::TooLarge { .. }));
    }
}

#[test]
fn the_answer_takes_the_audio_and_rejects_the_rest() {
    let answer = answer_to(&browser_offer());
    for line in [
        "a=ice-lite",
        "a=group:BUNDLE 0",
        "m=audio 20000 UDP/TLS/RTP/SAVPF 111 110",
        "c=IN IP4 203.0.113.7",
        "a=setup:passive",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=rtpmap:110 telephone-event/48000",
        "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
        "a=candidate:2130706431 1 udp 2130706431 203.0.113.7 20000 typ host",
        "a=candidate:2130706175 1 udp 2130706175 2001:db8::7 20000 typ host",
        "a=end-of-candidates",
        "m=video 0 UDP/TLS/RTP/SAVPF 96 97",
    ] {
        assert!(
            answer.lines().any(|other| other == line),
            "{line} is missing in:\n{answer}"
        );
    }
    assert!(!answer.contains("transport-wide-cc"));
    assert!(answer.lines().all(|line| line.len() < 200));
}

#[test]
fn a_fragment_restarts_only_with_both_halves() {
    let whole = "a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n";
    assert_eq!(
        Fragment::read(whole).map(|fragment| fragment.peer_fragment).as_deref(),
        Ok("ysXw")
    );
    assert!(Fragment::read("a=ice-ufrag:ysXw\r\n").is_err());
    assert!(Fragment::read(&"a=x\r\n".repeat(LINES_LIMIT + 1)).is_err());
}

proptest! {
    /// No offer makes the reader stumble, however it is damaged.
    #[test]
    fn a_damaged_offer_is_read_or_refused(at in 0usize..1500, with in proptest::collection::vec(any::<u8>(), 0..6), cut in 0usize..40) {
        let mut bytes = browser_offer().into_bytes();
        let at = at % bytes.len();
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, with);
        if let Ok(text) = String::from_utf8(bytes)
            && let Ok(offer) = Offer::read(&text)
        {
            let _ = offer.negotiate(&Codec::PREFERRED);
        }
    }
}
