//! Legs in the record of a call.

use trunkline_bot::logic::{OperationOutcome, TroubleKind, TroubleTold};
use trunkline_teams::calls::{Call, MediaConfig, MediaInfo, Tone};
use trunkline_teams::graph::{Answer, PlayPrompt, RecordResponse};

use super::*;
use crate::call::News;

fn answer() -> Operation {
    Operation::Answer(Box::new(Answer {
        media_config: Some(MediaConfig::app_hosted()),
        ..Answer::default()
    }))
}

fn play(uri: &str) -> Operation {
    Operation::PlayPrompt(Box::new(PlayPrompt::one(MediaInfo::new(uri, "key"))))
}

fn opened() -> OpenedLeg {
    OpenedLeg {
        host: "media-1".to_owned(),
        address: "127.0.0.1:9".to_owned(),
        name: "leg".to_owned(),
        blob: Secret::new("let me in"),
    }
}

/// Answered and established at Graph; the leg has no keys yet.
fn established() -> CallRecord {
    let mut call = CallRecord::incoming(Call::default(), "tenant", 1_000);
    call.ask("yes", &answer());
    assert!(call.is_leg_wanted() && call.leg_opened(opened()));
    let told = Call {
        state: Some(CallState::Established),
        ..serde_json::from_str(r#"{"mediaState":{"audio":"active"}}"#).unwrap()
    };
    assert_eq!(call.hear(News::Call(Box::new(told)), 2_000), Vec::new());
    call
}

fn outcome(events: &[CallEvent]) -> &OperationOutcome {
    match events {
        [CallEvent::OperationEnded(end)] => &end.outcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_with_a_leg_is_connected_when_the_leg_is() {
    let mut call = established();
    let events = call.hear_leg("leg", 1, LegNews::Connected, 3_000).unwrap();
    assert_eq!(events, [CallEvent::Connected]);
    assert_eq!(call.hear_leg("leg", 1, LegNews::Connected, 3_000), None);
    assert_eq!(call.hear_leg("another", 2, LegNews::Tone(Tone::Pound), 3_000), None);
}

#[test]
fn trouble_with_the_sound_is_told_to_the_bot_and_stands_in_the_timeline() {
    let mut call = established();
    let trouble = |is_over| TroubleTold {
        kind: TroubleKind::NothingArrives,
        is_over,
    };
    for (number, is_over) in [(1, false), (2, true)] {
        let told = call.hear_leg("leg", number, LegNews::Trouble(trouble(is_over)), 3_000);
        assert_eq!(told.unwrap(), [CallEvent::Trouble(trouble(is_over))]);
    }
    let said: Vec<&str> = call.timeline.iter().map(|moment| moment.what.as_str()).collect();
    let alarms = [
        "leg: alarm: the peer reports that nothing arrives",
        "leg: no alarm any more: the peer hears us again",
    ];
    assert!(said.ends_with(&alarms), "{said:?}");
}

#[test]
fn a_prompt_on_the_leg_ends_by_the_number_of_its_command() {
    let mut call = established();
    for (key, how) in [("a", LegEnd::Done), ("b", LegEnd::Stopped)] {
        call.ask(key, &play("https://bot.example/prompts/a.wav"));
        let command = call.next_leg_command();
        call.leaves_to_leg(key, command);
        let news = LegNews::Finished { command, how };
        let events = call.hear_leg("leg", command, news, 4_000).unwrap();
        match (how, outcome(&events)) {
            (LegEnd::Done, OperationOutcome::Completed(_)) => {}
            (LegEnd::Stopped, OperationOutcome::Failed(told)) => {
                assert_eq!(told.result_info.as_ref().unwrap().subcode(), CANCELLED);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_answer_is_recorded_on_the_leg_as_graph_would() {
    let record = RecordResponse {
        max_record_duration_in_seconds: Some(60),
        stop_tones: vec!["#".to_owned(), "*".to_owned()],
        ..RecordResponse::default()
    };
    let Some(OnLeg::Command(LegCommand::RecordAnswer(answer))) = on_leg(&Operation::RecordResponse(Box::new(record)))
    else {
        panic!()
    };
    assert!(answer.beep && !answer.barge_in);
    assert_eq!((answer.first_silence_ms, answer.longest_ms), (5_000, 60_000));
    assert_eq!(answer.stop_keys, "#*");
}

#[test]
fn what_was_recorded_is_told_with_what_opens_it() {
    let mut call = established();
    let clip = Clip {
        location: "https://media.example/clips/1".to_owned(),
        token: Secret::new("sesame"),
    };
    let ends = [
        (AnswerEnd::StopKey, Some(clip), 8514),
        (AnswerEnd::NothingSaid, None, 8510),
        (AnswerEnd::Stopped, None, CANCELLED),
    ];
    for (how, clip, subcode) in ends {
        call.ask("a", &Operation::RecordResponse(Box::default()));
        let command = call.next_leg_command();
        call.leaves_to_leg("a", command);
        let news = LegNews::Answered {
            command,
            how,
            clip: clip.clone(),
        };
        let events = call.hear_leg("leg", command, news, 4_000).unwrap();
        let (OperationOutcome::Completed(told) | OperationOutcome::Failed(told)) = outcome(&events) else {
            panic!("{events:?}")
        };
        assert_eq!(told.result_info.as_ref().unwrap().subcode(), subcode);
        assert_eq!(told.recording_location, clip.as_ref().map(|clip| clip.location.clone()));
        assert!(!format!("{events:?}").contains("sesame"));
    }
}

#[test]
fn with_the_leg_everything_on_it_fails_and_the_loss_is_told_once() {
    let mut call = established();
    call.ask("a", &play("a.wav"));
    let events = call.lose_leg("the host is gone", false, 5_000);
    assert!(matches!(outcome(&events), OperationOutcome::Failed(_)));
    assert!(!call.is_audio_active && call.next_due_ms() == Some(5_000));
    assert_eq!(
        call.lost_leg(5_000),
        Some(CallEvent::MediaLost("the host is gone".to_owned()))
    );
    assert_eq!(call.lost_leg(9_000), None);
    assert_eq!(call.lose_leg("again", false, 6_000), Vec::new());
}

#[test]
fn a_peer_that_leaves_gives_graph_time_to_tell_the_end() {
    let mut call = established();
    let ended = LegNews::Ended {
        reason: "peer_hung_up".to_owned(),
        by_peer: true,
    };
    call.hear_leg("leg", 1, ended, 5_000).unwrap();
    assert_eq!(call.lost_leg(6_999), None);
    call.hear(News::Gone, 6_999);
    assert_eq!(call.lost_leg(9_000), None);
}

#[test]
fn an_open_leg_is_closed_when_the_call_is_over_and_for_a_minute_at_most() {
    let mut call = established();
    call.hear(News::Gone, 10_000);
    assert!(call.is_leg_closing() && call.needs_owner());
    call.gives_up_closing(69_999);
    assert!(call.is_leg_closing());
    call.gives_up_closing(70_000);
    assert!(call.is_leg_gone());
}

#[test]
fn the_secret_is_not_printed_and_goes_when_graph_has_it() {
    let mut call = established();
    assert!(!format!("{call:?}").contains("let me in"));
    assert_eq!(call.leg_blob().unwrap().expose(), "let me in");
    call.forget_blob();
    assert_eq!(call.leg_blob(), None);
}

#[test]
fn a_prompt_is_named_by_what_follows_the_directory() {
    for (uri, name) in [
        ("https://bot.example/prompts/de/menu.wav", "de/menu.wav"),
        ("https://a/prompts/b/prompts/c.wav?v=2", "c.wav"),
        ("https://bot.example/sounds/good%20bye.ogg#x", "good bye.ogg"),
        ("hello.wav", "hello.wav"),
    ] {
        let OnLeg::Command(LegCommand::Play(names)) = on_leg(&play(uri)).unwrap() else {
            panic!()
        };
        assert_eq!(names, [name]);
    }
}
