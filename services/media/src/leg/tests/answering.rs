//! Answers that a leg records, and whether its peer speaks.

use super::caller::PCMU;
use super::*;
use crate::audio::g711;
use crate::prompt::Prompt;
use crate::prompt::tests::wav;
use crate::record::{Finished, Recorder, RecorderConfig};
use crate::speech::SpeechChange;

const FRAME: Duration = Duration::from_millis(20);

/// A call of G.711 whose answers are recorded.
struct Desk {
    call: Call,
    recorder: Recorder,
    _directory: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::start(RecorderConfig::new(directory.path().to_owned())).unwrap();
        let mut call = Call::with(ProtectionProfile::AeadAes128Gcm, &[Codec::Pcmu]);
        call.connect();
        Self {
            call,
            recorder,
            _directory: directory,
        }
    }

    /// Asks for an answer, which may begin after a prompt of so many milliseconds.
    fn asks(&mut self, operation: u64, prompt: u32, stop_keys: &str) -> Finished {
        let ((tap, finished), _) = self.recorder.begin_answer("", operation, Codec::Pcmu).unwrap();
        let prompts = (prompt > 0).then(|| Prompt::of_file(&wav(8_000, prompt), Codec::Pcmu).unwrap());
        let answer = RecordAnswer {
            operation,
            prompts: prompts.into_iter().collect(),
            limits: AnswerLimits {
                first_silence: Duration::from_secs(3),
                silence: Duration::from_secs(1),
                longest: Duration::from_secs(10),
                stop_keys: Key::all_of(stop_keys).unwrap(),
            },
            tap,
        };
        let call = &mut self.call;
        assert!(call.leg.record_answer(answer, false, &mut call.out));
        finished
    }

    /// The peer sends so many packets, loud or not.
    fn sends(&mut self, packets: usize, is_loud: bool) {
        let sample = if is_loud { i16::MAX / 2 } else { 0 };
        let payload = [g711::encoded(Codec::Pcmu, sample); 160];
        for _ in 0..packets {
            let packet = self.call.caller.audio(PCMU, &payload);
            self.call.send(&packet);
            self.call.pass(FRAME);
        }
    }

    fn presses(&mut self, key: u8) {
        let packet = self.call.caller.packet(126, true, 90_000, &[key, 0x0A, 0, 160]);
        self.call.send(&packet);
    }

    /// How answers ended since the last time.
    fn ends(&mut self) -> Vec<(u64, AnswerEnd)> {
        let events = self.call.events.drain(..);
        let ends = events.filter_map(|event| match event {
            LegEvent::Answered { operation, reason } => Some((operation, reason)),
            _ => None,
        });
        ends.collect()
    }
}

#[tokio::test]
async fn an_answer_is_what_is_said_after_the_prompt_and_ends_with_silence() {
    let mut desk = Desk::new();
    let finished = desk.asks(1, 200, "");
    // Half of it is said while the prompt plays: that is not the answer.
    desk.sends(10, true);
    desk.sends(30, true);
    desk.sends(45, false);
    assert_eq!(desk.ends(), []);
    desk.sends(10, false);
    assert_eq!(desk.ends(), [(1, AnswerEnd::Silence)]);
    let manifest = finished.await.unwrap().unwrap();
    assert_eq!(manifest.direction, "answer");
    // Thirty that were said, and a second of silence.
    assert!((78..=82).contains(&manifest.packets), "{manifest:?}");
}

#[tokio::test]
async fn a_stop_key_ends_it_and_another_does_not() {
    let mut desk = Desk::new();
    let finished = desk.asks(1, 0, "#");
    desk.sends(20, true);
    desk.presses(5);
    assert_eq!(desk.ends(), []);
    desk.sends(5, true);
    let packet = desk.call.caller.packet(126, true, 99_000, &[11, 0x0A, 0, 160]);
    desk.call.send(&packet);
    assert_eq!(desk.ends(), [(1, AnswerEnd::StopKey)]);
    // The last packets before the stop key are in the file, those after it are not.
    desk.sends(20, true);
    assert!((23..=25).contains(&finished.await.unwrap().unwrap().packets));
}

#[tokio::test]
async fn nothing_said_leaves_nothing_and_what_is_too_long_is_cut() {
    let mut desk = Desk::new();
    let finished = desk.asks(1, 0, "");
    desk.sends(140, false);
    assert_eq!(desk.ends(), []);
    desk.sends(20, false);
    assert_eq!(desk.ends(), [(1, AnswerEnd::NothingSaid)]);
    assert!(finished.await.is_err(), "the file is gone");
    // Neither does a peer that sends nothing at all say something.
    let finished = desk.asks(2, 0, "");
    desk.call.pass(Duration::from_secs(4));
    assert_eq!(desk.ends(), [(2, AnswerEnd::NothingSaid)]);
    assert!(finished.await.is_err());
    let finished = desk.asks(3, 0, "");
    desk.sends(495, true);
    assert_eq!(desk.ends(), []);
    desk.sends(10, true);
    assert_eq!(desk.ends(), [(3, AnswerEnd::FullLength)]);
    // Time is simulated and the recorder is not: it loses what it has no time for.
    assert!(finished.await.unwrap().unwrap().packets > 0);
}

#[tokio::test]
async fn prompts_and_answers_take_turns_in_the_order_in_which_they_were_asked_for() {
    let mut desk = Desk::new();
    let first = desk.asks(1, 100, "");
    let prompt = Prompt::of_file(&wav(8_000, 100), Codec::Pcmu).unwrap();
    let play = Play {
        operation: 2,
        prompts: vec![prompt],
        repeat: false,
        stops_at_tone: false,
    };
    assert!(desk.call.leg.play(play));
    let second = desk.asks(3, 0, "");
    desk.call.pass(Duration::from_millis(500));
    // The first prompt was heard, the second waits for the end of the answer.
    assert_eq!(desk.call.audio().len(), 5);
    desk.call.pass(Duration::from_secs(3));
    assert_eq!(desk.ends(), [(1, AnswerEnd::NothingSaid)]);
    desk.call.pass(Duration::from_millis(500));
    assert_eq!(desk.call.audio().len(), 5);
    assert!(desk.call.leg.stop(None, &mut desk.call.out));
    desk.call.deliver();
    assert_eq!(desk.ends(), [(3, AnswerEnd::Stopped)]);
    assert!(first.await.is_err() && second.await.is_err());
}

#[tokio::test]
async fn an_answer_ends_with_its_leg_and_nothing_is_kept() {
    let mut desk = Desk::new();
    let (running, waiting) = (desk.asks(1, 0, ""), desk.asks(2, 0, ""));
    desk.sends(20, true);
    desk.call
        .leg
        .close(EndReason::PeerHungUp, desk.call.now, &mut desk.call.out);
    desk.call.deliver();
    assert_eq!(desk.ends(), [(1, AnswerEnd::LegEnded), (2, AnswerEnd::LegEnded)]);
    assert!(running.await.is_err() && waiting.await.is_err());
}

#[test]
fn speech_and_silence_are_told_to_who_wants_it() {
    let mut desk = Desk::new();
    desk.sends(20, true);
    assert!(
        !desk
            .call
            .events
            .iter()
            .any(|event| matches!(event, LegEvent::Speech { .. }))
    );
    desk.call.pass(Duration::from_secs(1));
    desk.call.leg.tell_speech(true);
    desk.sends(20, true);
    desk.call.pass(Duration::from_secs(1));
    let told = desk.call.events.iter().filter_map(|event| match event {
        LegEvent::Speech { speaks } => Some(*speaks),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [true, false]);
    assert!(desk.call.leg.hears_speech(), "G.711 needs no codec thread");
}

#[test]
fn opus_without_levels_is_heard_by_an_ear() {
    let mut call = Call::connected();
    assert!(!call.leg.hears_speech());
    call.leg.tell_speech(true);
    let change = SpeechChange {
        speaks: true,
        loud_at: call.now,
    };
    call.leg.speech(change, &mut call.out);
    call.deliver();
    assert_eq!(call.events, [LegEvent::Speech { speaks: true }]);
}
