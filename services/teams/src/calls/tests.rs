//! Reading what Graph tells.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

fn read(call: Value) -> Call {
    serde_json::from_value(call).unwrap()
}

#[test]
fn words_are_read_without_regard_to_case_and_unknown_ones_are_kept() {
    assert_eq!(
        read(json!({"state": "Established"})).state,
        Some(CallState::Established)
    );
    assert_eq!(
        read(json!({"state": "TransferAccepted"})).state,
        Some(CallState::TransferAccepted)
    );
    let new = read(json!({"state": "dreaming"}));
    assert_eq!(new.state, Some(CallState::Other("dreaming".to_owned())));
    assert_eq!(serde_json::to_value(&new).unwrap(), json!({"state": "dreaming"}));
}

#[test]
fn codes_are_numbers_or_texts_under_either_name() {
    for result in [
        json!({"code": 500, "subcode": 7000}),
        json!({"code": "500", "subCode": "7000"}),
    ] {
        let call = read(json!({"resultInfo": result}));
        let result = call.result_info.unwrap();
        assert_eq!((result.code(), result.subcode()), (500, 7_000));
        assert!(result.is_failure());
    }
}

#[test]
fn what_has_no_field_or_another_shape_is_written_back() {
    let told = json!({"state": "established", "mediaHostedRegion": "EUNO", "source": null, "targets": []});
    assert_eq!(serde_json::to_value(read(told.clone())).unwrap(), told);
}

#[test]
fn tokens_do_not_print() {
    let call = read(json!({"meetingInfo": {"@odata.type": "#microsoft.graph.tokenMeetingInfo", "token": "eyJ"}}));
    assert!(!format!("{call:?}").contains("eyJ"));
    let token = call.meeting_info.unwrap().token.unwrap();
    assert_eq!(token.expose(), "eyJ");
}

#[test]
fn an_observed_participant_makes_an_invitation_to_record() {
    assert!(read(json!({"incomingContext": {"observedParticipantId": "p"}})).is_recording_invitation());
    assert!(!read(json!({"incomingContext": {"sourceParticipantId": "p"}})).is_recording_invitation());
}

#[test]
fn every_key_has_a_tone_and_back() {
    for sign in "0123456789*#ABCD".chars() {
        assert_eq!(Tone::from_key(sign).unwrap().key(), Some(sign));
    }
    assert_eq!(Tone::from_key('x'), None);
    assert_eq!(Tone::Flash.key(), None);
}
