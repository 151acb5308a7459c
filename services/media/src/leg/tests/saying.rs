//! Prompts and tones of a leg.

use std::sync::Arc;

use super::caller::{PCMU, TONES};
use super::*;
use crate::prompt::Prompt;
use crate::prompt::tests::wav;

const MILLISECOND: Duration = Duration::from_millis(1);

fn prompt(milliseconds: u32) -> Arc<Prompt> {
    Prompt::of_file(&wav(8_000, milliseconds), Codec::Pcmu).unwrap()
}

fn play(operation: u64, prompt: &Arc<Prompt>) -> Play {
    Play {
        operation,
        prompts: vec![prompt.clone()],
        repeat: false,
        stops_at_tone: false,
    }
}

fn pcmu_call() -> Call {
    let mut call = Call::with(ProtectionProfile::AeadAes128Gcm, &[Codec::Pcmu]);
    call.connect();
    call
}

fn finished(operation: u64, reason: PlayEnd, packets: u64) -> LegEvent {
    LegEvent::Finished {
        operation,
        reason,
        packets,
    }
}

/// A packet of a tone.
fn tone_packet(call: &mut Call, key: u8, timestamp: u32, is_end: bool) {
    let payload = [key, (u8::from(is_end) << 7) + 10, 0x12, 0xC0];
    let packet = call.caller.packet(126, false, timestamp, &payload);
    call.send(&packet);
}

#[test]
fn a_queue_of_prompts_is_one_even_stream_and_ends_at_the_right_packet() {
    let mut call = pcmu_call();
    let (first, second) = (prompt(100), prompt(60));
    assert!(call.leg.play(play(1, &first)) && call.leg.play(play(2, &second)));
    let mut times = Vec::new();
    let began = call.now;
    for _ in 0..400 {
        call.pass(MILLISECOND);
        times.extend(call.audio().into_iter().map(|packet| (call.now - began, packet)));
    }
    assert_eq!(times.len(), 8);
    for pair in times.windows(2) {
        assert_eq!(pair[1].0.abs_diff(pair[0].0 + Duration::from_millis(20)).as_millis(), 0);
        assert_eq!(pair[1].1.sequence, pair[0].1.sequence.wrapping_add(1));
        assert_eq!(pair[1].1.timestamp, pair[0].1.timestamp.wrapping_add(160));
    }
    let markers: Vec<_> = times.iter().map(|(_, packet)| packet.marker).collect();
    assert_eq!(markers, [true, false, false, false, false, false, false, false]);
    assert!(times.iter().all(|(_, packet)| packet.payload_type == PCMU));
    let started = |operation| LegEvent::Started { operation };
    let expected = [
        started(1),
        finished(1, PlayEnd::Played, 5),
        started(2),
        finished(2, PlayEnd::Played, 3),
    ];
    assert_eq!(call.events, expected);
}

#[test]
fn the_end_is_told_20_ms_after_the_last_packet() {
    let mut call = pcmu_call();
    assert!(call.leg.play(play(1, &prompt(40))));
    let mut last = call.now;
    while call.events.len() < 2 {
        call.pass(MILLISECOND);
        if !call.audio().is_empty() {
            last = call.now;
        }
    }
    assert_eq!((call.now - last).as_millis(), 20);
}

#[test]
fn a_loop_is_stopped_and_what_waits_too() {
    let mut call = pcmu_call();
    let forever = Play {
        repeat: true,
        ..play(1, &prompt(40))
    };
    assert!(call.leg.play(forever) && call.leg.play(play(2, &prompt(40))));
    call.pass(Duration::from_secs(1));
    assert!((49..=51).contains(&call.audio().len()));
    assert!(call.leg.stop(None, &mut call.out));
    call.deliver();
    assert!(matches!(
        call.events[1],
        LegEvent::Finished {
            operation: 1,
            reason: PlayEnd::Stopped,
            ..
        }
    ));
    assert_eq!(call.events[2], finished(2, PlayEnd::Stopped, 0));
    call.pass(Duration::from_millis(100));
    assert!(call.audio().is_empty());
    assert!(!call.leg.stop(Some(1), &mut call.out));
}

#[test]
fn a_key_stops_what_a_key_may_stop() {
    let mut call = pcmu_call();
    let menu = Play {
        stops_at_tone: true,
        ..play(1, &prompt(1_000))
    };
    assert!(call.leg.play(menu) && call.leg.play(play(2, &prompt(40))));
    call.pass(Duration::from_millis(205));
    tone_packet(&mut call, 7, 4_000, false);
    tone_packet(&mut call, 7, 4_000, true);
    tone_packet(&mut call, 7, 4_000, true);
    call.pass(Duration::from_millis(300));
    let key = Key::of_character('7').unwrap();
    let events: Vec<_> = call
        .events
        .iter()
        .filter(|event| !matches!(event, LegEvent::Started { .. }))
        .collect();
    assert_eq!(*events[0], LegEvent::ToneStarted { key, sequence: 1 });
    assert!(matches!(
        events[1],
        LegEvent::Finished {
            operation: 1,
            reason: PlayEnd::Tone,
            packets: 10..=11
        }
    ));
    let duration = Duration::from_millis(600);
    assert_eq!(
        *events[2],
        LegEvent::Tone {
            key,
            duration,
            sequence: 1,
            end_seen: true
        }
    );
    assert_eq!(*events[3], finished(2, PlayEnd::Played, 2));
    assert_eq!(events.len(), 4);
}

#[test]
fn a_tone_whose_ends_are_lost_is_heard_by_silence() {
    let mut call = pcmu_call();
    tone_packet(&mut call, 11, 4_000, false);
    call.pass(Duration::from_millis(125));
    let key = Key::of_character('#').unwrap();
    assert!(matches!(call.events[1], LegEvent::Tone { key: heard, end_seen: false, .. } if heard == key));
}

#[test]
fn keys_are_sent_while_prompts_wait() {
    let mut call = Call::connected();
    let prompt = Prompt::of_file(&wav(8_000, 100), Codec::Opus).unwrap();
    assert!(call.leg.send_tones(9, &Key::all_of("5#").unwrap()));
    assert!(call.leg.play(play(1, &prompt)));
    call.pass(Duration::from_secs(1));
    let packets = call.audio();
    let tones: Vec<_> = packets.iter().filter(|packet| packet.payload_type == TONES).collect();
    assert_eq!(tones.len(), 14);
    assert!(
        tones[..7]
            .iter()
            .all(|packet| packet.payload[0] == 5 && packet.timestamp == tones[0].timestamp)
    );
    assert!(
        tones[7..]
            .iter()
            .all(|packet| packet.payload[0] == 11 && packet.timestamp == tones[7].timestamp)
    );
    // 100 ms of tone and 80 ms of pause at 48 kHz.
    assert_eq!(tones[7].timestamp.wrapping_sub(tones[0].timestamp), 48 * 180);
    assert_eq!(tones[4].payload[2..], (4_800u16).to_be_bytes());
    assert!(
        packets[..14].iter().all(|packet| packet.payload_type == TONES),
        "the prompt waits"
    );
    let expected = [
        finished(9, PlayEnd::Played, 0),
        LegEvent::Started { operation: 1 },
        finished(1, PlayEnd::Played, 5),
    ];
    assert_eq!(call.events, expected);
}

#[test]
fn a_prompt_replaces_the_echo_and_the_stream_stays_one() {
    let mut call = Call::connected();
    call.leg.set_relay(Relay::Echo);
    let prompt = Prompt::of_file(&wav(8_000, 100), Codec::Opus).unwrap();
    let mut packets = Vec::new();
    for count in 0..30 {
        if count == 10 {
            assert!(call.leg.play(play(1, &prompt)));
        }
        let packet = call.caller.audio(OPUS, b"echo");
        call.send(&packet);
        call.pass(Duration::from_millis(20));
        packets.extend(call.audio());
    }
    let echoes = packets.iter().filter(|packet| packet.payload == b"echo").count();
    assert!((24..=25).contains(&echoes), "{echoes}");
    for pair in packets.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        let ahead = pair[1].timestamp.wrapping_sub(pair[0].timestamp);
        assert!((480..=1_920).contains(&ahead), "{ahead}");
    }
}

#[test]
fn a_prompt_before_the_connection_waits_for_it() {
    let mut call = Call::with(ProtectionProfile::AeadAes128Gcm, &[Codec::Pcmu]);
    assert!(call.leg.play(play(1, &prompt(40))));
    call.pass(Duration::from_millis(500));
    call.connect();
    call.pass(Duration::from_millis(100));
    assert_eq!(call.audio().len(), 2);
}

#[test]
fn nothing_is_left_untold_when_the_leg_ends() {
    let mut call = pcmu_call();
    assert!(call.leg.play(play(1, &prompt(1_000))));
    assert!(call.leg.send_tones(2, &Key::all_of("1").unwrap()));
    call.leg.close(EndReason::Closed, call.now, &mut call.out);
    call.deliver();
    let expected = [
        finished(1, PlayEnd::LegEnded, 0),
        finished(2, PlayEnd::LegEnded, 0),
        LegEvent::Ended(EndReason::Closed),
    ];
    assert_eq!(call.events, expected);
    assert!(!call.leg.play(play(3, &prompt(40))));
}

#[test]
fn another_codec_than_the_legs_is_not_played() {
    let mut call = Call::connected();
    assert!(!call.leg.play(play(1, &prompt(40))));
}

#[test]
fn a_continuous_leg_is_one_even_stream_of_silence_and_what_is_said() {
    let mut call = pcmu_call();
    call.leg.be_continuous();
    call.pass(Duration::from_millis(200));
    assert!(call.leg.play(play(1, &prompt(100))));
    call.pass(Duration::from_millis(300));
    let packets = call.audio();
    assert!((24..=26).contains(&packets.len()), "{} packets", packets.len());
    for pair in packets.windows(2) {
        assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        assert_eq!(pair[1].timestamp, pair[0].timestamp.wrapping_add(160));
    }
    let is_silence = |packet: &&Packet| packet.payload == [0xFF; 160];
    assert_eq!(packets.iter().filter(|packet| !is_silence(packet)).count(), 5);
    assert!(is_silence(&packets.first().unwrap()) && is_silence(&packets.last().unwrap()));
}

#[test]
fn no_silence_is_put_into_what_is_relayed() {
    let mut call = pcmu_call();
    call.leg.be_continuous();
    call.leg.set_relay(Relay::Echo);
    let mut echoed = 0;
    for step in 0..50 {
        let packet = call.caller.audio(PCMU, &[7; 160]);
        // Every fifth is lost.
        if step % 5 != 4 {
            call.send(&packet);
        }
        call.pass(Duration::from_millis(20));
        let packets = call.audio();
        // What was sent before the first came.
        echoed += packets.iter().filter(|packet| packet.payload[0] == 7).count();
        assert!(
            step == 0 || packets.iter().all(|packet| packet.payload[0] == 7),
            "{step}"
        );
    }
    assert_eq!(echoed, 40);
    call.pass(Duration::from_millis(300));
    let silent = call.audio();
    assert!((10..=12).contains(&silent.len()), "{} packets", silent.len());
}

#[test]
fn the_silence_of_opus_is_20_ms_of_nothing() {
    let mut call = Call::connected();
    call.leg.be_continuous();
    call.pass(Duration::from_millis(100));
    let packets = call.audio();
    assert!(packets.len() >= 4);
    let mut decoder = crate::audio::opus::Decoder::new().unwrap();
    for packet in packets {
        let samples = decoder.decode(&packet.payload).unwrap();
        assert!(samples.len() == 960 && samples.iter().all(|sample| *sample == 0));
    }
}
