//! Meetings, rosters and recorders.

use super::*;

fn join(meeting: &MeetingView) -> Value {
    json!({
        "@odata.type": "#microsoft.graph.call", "callbackUri": "https://bot.example/callback/3",
        "requestedModalities": ["audio"], "mediaConfig": { "@odata.type": "#microsoft.graph.serviceHostedMediaConfig" },
        "chatInfo": { "@odata.type": "#microsoft.graph.chatInfo", "threadId": meeting.thread, "messageId": "0" },
        "meetingInfo": {
            "@odata.type": "#microsoft.graph.organizerMeetingInfo",
            "organizer": { "user": { "id": meeting.organizer } },
        },
    })
}

fn joined(bench: &mut Bench, body: &Value) -> String {
    let reply = bench.post("", body);
    assert_eq!(reply.status, 201, "{reply:?}");
    bench.pass(Duration::from_secs(1));
    reply.body.unwrap()["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_bot_joins_by_coordinates_and_hears_the_whole_roster_at_each_change() {
    let mut bench = Bench::new(settings());
    let meeting = bench.calls.open_meeting(INES, true).unwrap();
    bench.calls.attend(meeting.number, INES, true, bench.now).unwrap();
    let id = joined(&mut bench, &join(&meeting));
    assert_eq!(
        bench.labels(),
        [
            "updated establishing",
            "updated established",
            "updated roster",
            "updated established"
        ]
    );
    assert_eq!(bench.told()[1]["resourceData"]["chatInfo"]["threadId"], meeting.thread);
    bench.calls.attend(meeting.number, TOMASZ, true, bench.now).unwrap();
    bench
        .calls
        .mute_person(meeting.number, TOMASZ, true, bench.now)
        .unwrap();
    bench.calls.attend(meeting.number, INES, false, bench.now).unwrap();
    bench.settle();
    let told = bench.told();
    let sizes: Vec<usize> = told[4..]
        .iter()
        .map(|told| told["resourceData"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [3, 3, 2]);
    assert_eq!(told[5]["resourceData"][2]["isMuted"], true);
    assert!(
        told[5]["resourceUrl"]
            .as_str()
            .unwrap()
            .ends_with(&format!("{id}/participants"))
    );
    bench.calls.end_meeting(meeting.number, bench.now).unwrap();
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.end(&id), (Some(200), Some(5003)));
}

#[test]
fn a_bot_joins_by_meeting_id_only_with_the_passcode() {
    let mut bench = Bench::new(settings());
    let meeting = bench.calls.open_meeting(INES, false).unwrap();
    let mut body = join(&meeting);
    body["chatInfo"] = Value::Null;
    body["meetingInfo"] = json!({
        "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo", "joinMeetingId": meeting.join_id, "passcode": "wrong",
    });
    assert_eq!(bench.refused("", &body), (400, "8561".to_owned()));
    body["meetingInfo"]["passcode"] = meeting.passcode.clone().into();
    let reply = bench.post("", &body);
    assert_eq!(reply.body.unwrap()["chatInfo"]["threadId"], meeting.thread);
    let mut nowhere = join(&meeting);
    nowhere["chatInfo"]["threadId"] = "19:meeting_none@thread.v2".into();
    assert_eq!(bench.refused("", &nowhere), (400, "8527".to_owned()));
}

#[test]
fn changes_only_are_told_to_who_asks_for_them() {
    let mut bench = Bench::new(settings());
    let meeting = bench.calls.open_meeting(INES, false).unwrap();
    let mut body = join(&meeting);
    body["callOptions"] =
        json!({ "@odata.type": "#microsoft.graph.outgoingCallOptions", "isDeltaRosterEnabled": true });
    joined(&mut bench, &body);
    bench.calls.attend(meeting.number, TOMASZ, true, bench.now).unwrap();
    bench.settle();
    let joined = bench.last_told()["resourceData"].clone();
    bench.calls.attend(meeting.number, TOMASZ, false, bench.now).unwrap();
    bench.settle();
    let left = bench.last_told()["resourceData"].clone();
    assert_eq!(joined["participants"].as_array().unwrap().len(), 1);
    assert_eq!(left["participants"][0]["removedState"]["reason"], "Removed");
    assert!(joined["sequenceNumber"].as_u64() < left["sequenceNumber"].as_u64());
}

#[test]
fn a_guest_waits_in_the_lobby_without_audio_until_let_in() {
    let mut bench = Bench::new(settings());
    let meeting = bench.calls.open_meeting(INES, true).unwrap();
    let mut body = join(&meeting);
    body["source"] = json!({ "identity": { "guest": { "id": "d7a3", "displayName": "Visitor" } } });
    let id = joined(&mut bench, &body);
    assert_eq!(bench.last_told()["resourceData"][0]["isInLobby"], true);
    assert!(!bench.view(&id).is_audio_active);
    bench.calls.admit(&id, bench.now).unwrap();
    bench.settle();
    assert!(bench.view(&id).is_audio_active);
    let other = joined(&mut bench, &body);
    bench.pass(Duration::from_secs(20 * 60));
    assert_eq!(bench.end(&other), (Some(200), Some(5855)));
}

#[test]
fn members_are_muted_held_and_removed() {
    let mut bench = Bench::new(settings());
    let meeting = bench.calls.open_meeting(INES, false).unwrap();
    for person in [INES, TOMASZ] {
        bench.calls.attend(meeting.number, person, true, bench.now).unwrap();
    }
    let id = joined(&mut bench, &join(&meeting));
    let participants = bench.view(&id).participants;
    let (ines, tomasz) = (participants[0].id.clone(), participants[1].id.clone());
    let member = |id: &str, what: &str, action: &str| format!("{id}/participants/{what}/{action}");
    assert_eq!(bench.post(&member(&id, &tomasz, "mute"), &Value::Null).status, 200);
    assert_eq!(
        bench.post(&member(&id, &tomasz, "startHoldMusic"), &Value::Null).status,
        202
    );
    assert_eq!(
        bench.refused(&member(&id, &ines, "startHoldMusic"), &Value::Null),
        (409, "8519".to_owned())
    );
    bench.pass(Duration::from_secs(1));
    let hold = bench.last_told();
    assert!(
        hold["resourceUrl"]
            .as_str()
            .unwrap()
            .starts_with("communications/calls/")
    );
    assert_eq!(
        hold["resourceData"]["@odata.type"],
        "#microsoft.graph.startHoldMusicOperation"
    );
    assert_eq!(
        bench.post(&member(&id, &tomasz, "stopHoldMusic"), &Value::Null).status,
        202
    );
    let view = bench.view(&id).participants;
    assert!(view[1].is_muted && !view[1].is_on_hold);
    let remove =
        |bench: &mut Bench, who: &str| bench.request("DELETE", &format!("{id}/participants/{who}"), &Value::Null);
    assert_eq!(remove(&mut bench, &ines).refusal.unwrap().code, "8552");
    assert_eq!(remove(&mut bench, &tomasz).status, 204);
    assert_eq!(remove(&mut bench, &tomasz).refusal.unwrap().code, "8558");
    let reply = bench.request("GET", &format!("{id}/participants"), &Value::Null);
    assert_eq!(reply.body.unwrap()["value"].as_array().unwrap().len(), 2);
    assert_eq!(bench.post(&format!("{id}/mute"), &Value::Null).status, 200);
    assert_eq!(
        bench.post(&format!("{id}/addLargeGalleryView"), &Value::Null).status,
        202
    );
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.last_told()["resourceData"].as_array().unwrap().len(), 3);
}

#[test]
fn a_recorder_says_once_that_it_records_and_everybody_sees_it() {
    let mut bench = Bench::new(settings());
    let invitation = RecorderInvitation {
        person: INES,
        other: TOMASZ,
        bot: BOT,
        is_callee: false,
    };
    let id = bench.calls.invite_recorder(&invitation, bench.now).unwrap();
    let mut own = answer();
    own["mediaConfig"] = json!({ "@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "opaque" });
    assert_eq!(bench.post(&format!("{id}/answer"), &own).status, 202);
    bench.pass(Duration::from_secs(1));
    let status = json!({ "status": "recording", "clientContext": "status" });
    assert_eq!(bench.post(&format!("{id}/updateRecordingStatus"), &status).status, 200);
    let roster = bench.last_told()["resourceData"].clone();
    assert_eq!(roster[2]["recordingInfo"]["recordingStatus"], "recording");
    assert_eq!(
        bench.refused(&format!("{id}/updateRecordingStatus"), &status),
        (400, "8553".to_owned())
    );
    assert_eq!(bench.view(&id).recording_status.as_deref(), Some("recording"));
    let token = bench.told()[0]["resourceData"]["meetingInfo"].clone();
    bench.calls.lose_media(&id, bench.now).unwrap();
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.end(&id), (Some(410), Some(301_005)));
    let mut rejoin = create(&[]);
    rejoin["meetingInfo"] = token;
    assert_eq!(bench.post("", &rejoin).status, 201);
}

#[test]
fn a_bot_is_asked_into_a_meeting() {
    let mut bench = Bench::new(settings());
    let meeting = bench.calls.open_meeting(INES, false).unwrap();
    let ring = Ring {
        caller: Caller::Person(INES),
        bot: BOT,
        by_instance: false,
        has_video: false,
        meeting: Some(meeting.number),
    };
    let id = bench.calls.ring(ring, bench.now).unwrap();
    bench.settle();
    assert_eq!(bench.told()[0]["resourceData"]["chatInfo"]["threadId"], meeting.thread);
    bench.post(&format!("{id}/answer"), &answer());
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.view(&id).participants.len(), 1);
}
