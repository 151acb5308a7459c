//! Recordings of a leg, from packet to file.

use super::*;
use crate::audio::ogg::read_opus;
use crate::codecs::{Codecs, Purpose};
use crate::prompt::Prompt;
use crate::prompt::tests::wav;
use crate::record::{Direction, Recorder, RecorderConfig, Subject, Tap};

#[tokio::test]
async fn both_directions_are_in_their_files_as_they_were_heard() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(RecorderConfig::new(directory.path().to_owned())).unwrap();
    let (received, received_done) = recorder
        .begin(&Subject::named("leg"), 5, Direction::Received, Codec::Opus)
        .unwrap();
    let (sent, sent_done) = recorder
        .begin(&Subject::named("leg"), 5, Direction::Sent, Codec::Opus)
        .unwrap();
    let mut call = Call::connected();
    assert!(call.leg.record(received) && call.leg.record(sent));

    let prompt = Prompt::of_file(&wav(8_000, 200), Codec::Opus).unwrap();
    let play = Play {
        operation: 1,
        prompts: vec![prompt.clone()],
        repeat: false,
        stops_at_tone: false,
    };
    assert!(call.leg.play(play));
    for count in 0..20u8 {
        let packet = call.caller.audio(OPUS, &[0x78, count]);
        // Every fifth is lost.
        if count % 5 != 4 {
            call.send(&packet);
        }
        call.pass(Duration::from_millis(20));
    }
    assert!(!call.leg.stop_recording(Some(6)));
    assert!(call.leg.stop_recording(Some(5)));

    let manifest = received_done.await.unwrap().unwrap();
    assert_eq!((manifest.packets, manifest.missing, manifest.dropped), (16, 3, 0));
    let file = read_opus(&std::fs::read(directory.path().join("leg-received.opus")).unwrap()).unwrap();
    let heard: Vec<_> = file.packets.iter().map(Vec::len).collect();
    assert_eq!(
        heard[..6],
        [2, 2, 2, 2, 1, 2],
        "a lost packet is one byte that asks for concealment"
    );

    assert_eq!(sent_done.await.unwrap().unwrap().packets, 10);
    let file = read_opus(&std::fs::read(directory.path().join("leg-sent.opus")).unwrap()).unwrap();
    let played: Vec<_> = (0..prompt.packets())
        .map(|index| prompt.packet(index).unwrap().to_vec())
        .collect();
    assert_eq!(file.packets, played);
}

#[tokio::test]
async fn a_recording_ends_with_its_leg() {
    let directory = tempfile::tempdir().unwrap();
    let recorder = Recorder::start(RecorderConfig::new(directory.path().to_owned())).unwrap();
    let mut call = Call::connected();
    let (tap, done) = recorder
        .begin(&Subject::named("leg"), 5, Direction::Received, Codec::Opus)
        .unwrap();
    assert!(call.leg.record(tap));
    let packet = call.caller.audio(OPUS, b"x");
    call.send(&packet);
    call.leg.close(EndReason::Closed, call.now, &mut call.out);
    assert_eq!(done.await.unwrap().unwrap().packets, 1);
    let (tap, done) = recorder
        .begin(&Subject::named("late"), 5, Direction::Received, Codec::Opus)
        .unwrap();
    assert!(!call.leg.record(tap));
    assert_eq!(done.await.unwrap().unwrap().packets, 0);
}

#[test]
fn what_a_recording_of_both_directions_lacks_is_told() {
    let codecs = Codecs::start(1).unwrap();
    let seat = codecs.seat(&[Purpose::Mix(Codec::Opus)]).unwrap();
    let (tap, packets) = Tap::new(5, Direction::Mixed);
    let mixing = codecs.mix(Codec::Opus, seat, tap).unwrap();
    mixing.lacks(9);
    let mut call = Call::connected();
    assert!(call.leg.record_mixed(mixing));
    let packet = call.caller.audio(OPUS, &[0x78, 1]);
    call.send(&packet);
    let gap = LegEvent::RecordingGap {
        operation: 5,
        direction: Direction::Mixed,
        packets: 9,
    };
    assert!(call.events.contains(&gap));
    assert!(call.leg.stop_recording(Some(5)));
    drop(packets);
}
