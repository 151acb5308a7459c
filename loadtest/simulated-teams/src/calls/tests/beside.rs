//! What calls have beside talking: ways of sound, operations that are read, shared content, several recorded people, meetings.

use super::*;

/// A meeting with Ines and Tomasz that the bot has joined, and its participant ids in that order.
fn in_meeting(bench: &mut Bench, options: &Value) -> (usize, String, Vec<String>) {
    let meeting = bench.calls.open_meeting(INES, false).unwrap();
    for person in [INES, TOMASZ] {
        bench.calls.attend(meeting.number, person, true, bench.now).unwrap();
    }
    let mut join = create(&[]);
    join["meetingInfo"] = json!({
        "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
        "joinMeetingId": meeting.join_id, "passcode": meeting.passcode,
    });
    join["callOptions"] = options.clone();
    let id = bench.post("", &join).body.unwrap()["id"].as_str().unwrap().to_owned();
    bench.pass(Duration::from_secs(1));
    let participants = bench.view(&id).participants;
    let people = participants.into_iter().map(|participant| participant.id).collect();
    (meeting.number, id, people)
}

#[test]
fn a_way_of_sound_is_opened_read_changed_and_closed() {
    let mut bench = Bench::new(settings());
    let (_, id, people) = in_meeting(&mut bench, &Value::Null);
    let routes = format!("{id}/audioRoutingGroups");
    let whisper = json!({
        "id": "whisper", "routingMode": "oneToOne", "sources": [people[0]], "receivers": [people[1]],
    });
    assert_eq!(bench.post(&routes, &whisper).status, 200);
    assert_eq!(
        bench.refused(&routes, &whisper),
        (409, "8519".to_owned()),
        "its id is taken"
    );
    let more = json!({ "routingMode": "multicast", "receivers": [people[1], people[2]] });
    let changed = bench
        .request("PATCH", &format!("{routes}/whisper"), &more)
        .body
        .unwrap();
    assert_eq!(changed["sources"], json!([people[0]]), "what is not named stays");
    assert_eq!(
        (&changed["routingMode"], changed["receivers"].as_array().unwrap().len()),
        (&json!("multicast"), 2)
    );
    let read = bench
        .request("GET", &format!("{routes}/whisper"), &Value::Null)
        .body
        .unwrap();
    assert_eq!(read, changed);
    let all = bench.request("GET", &routes, &Value::Null).body.unwrap();
    assert_eq!(all["value"], json!([changed]));
    assert_eq!(
        bench
            .request("DELETE", &format!("{routes}/whisper"), &Value::Null)
            .status,
        204
    );
    assert_eq!(
        bench.request("GET", &format!("{routes}/whisper"), &Value::Null).status,
        404
    );
}

#[test]
fn a_way_of_sound_needs_people_who_are_there() {
    let mut bench = Bench::new(settings());
    let (_, id, people) = in_meeting(&mut bench, &Value::Null);
    let routes = format!("{id}/audioRoutingGroups");
    let route = |receivers: Value, mode: &str| json!({ "id": "x", "routingMode": mode, "sources": [people[0]], "receivers": receivers });
    let code = |bench: &mut Bench, body: &Value| bench.refused(&routes, body).1;
    assert_eq!(code(&mut bench, &route(json!(["nobody"]), "multicast")), "8558");
    assert_eq!(code(&mut bench, &route(json!([]), "multicast")), "8523");
    assert_eq!(code(&mut bench, &route(json!([people[1]]), "everybody")), "8523");
    let alone = bench.talking();
    let body = route(json!([people[1]]), "oneToOne");
    assert_eq!(bench.refused(&format!("{alone}/audioRoutingGroups"), &body).1, "8548");
}

#[test]
fn operations_are_read_while_they_run_and_afterwards() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    let asked = bench
        .post(&format!("{id}/playPrompt"), &prompts(1, "hello"))
        .body
        .unwrap();
    let one = format!("{id}/operations/{}", asked["id"].as_str().unwrap());
    let status = |bench: &mut Bench| bench.request("GET", &one, &Value::Null).body.unwrap()["status"].take();
    assert_eq!(status(&mut bench), "running");
    bench.pass(Duration::from_secs(5));
    assert_eq!(status(&mut bench), "completed");
    let all = bench
        .request("GET", &format!("{id}/operations"), &Value::Null)
        .body
        .unwrap();
    assert_eq!(all["value"][0]["clientContext"], "hello");
    assert_eq!(
        bench
            .request("GET", &format!("{id}/operations/other"), &Value::Null)
            .status,
        404
    );
}

#[test]
fn shared_content_is_told_to_who_asked_for_it_and_read_by_all() {
    let mut bench = Bench::new(settings());
    let options = json!({
        "@odata.type": "#microsoft.graph.outgoingCallOptions", "isContentSharingNotificationEnabled": true,
    });
    let (meeting, id, _) = in_meeting(&mut bench, &options);
    bench.calls.share(meeting, INES, true, bench.now).unwrap();
    bench.settle();
    let begun = bench.last_told();
    assert_eq!(begun["changeType"], "created");
    assert!(
        begun["resourceUrl"]
            .as_str()
            .unwrap()
            .ends_with("/contentsharingsessions"),
        "{begun}"
    );
    let session = begun["resourceData"][0]["id"].as_str().unwrap().to_owned();
    let sessions = format!("{id}/contentSharingSessions");
    let all = bench.request("GET", &sessions, &Value::Null).body.unwrap();
    assert_eq!(all["value"], begun["resourceData"]);
    assert_eq!(
        bench
            .request("GET", &format!("{sessions}/{session}"), &Value::Null)
            .status,
        200
    );
    bench.calls.attend(meeting, INES, false, bench.now).unwrap();
    bench.settle();
    let ended = bench.last_told();
    assert_eq!(
        (&ended["changeType"], &ended["resourceData"][0]["id"]),
        (&json!("deleted"), &json!(session))
    );
    assert_eq!(
        bench
            .request("GET", &format!("{sessions}/{session}"), &Value::Null)
            .status,
        404
    );

    let mut deaf = Bench::new(settings());
    let (meeting, _, _) = in_meeting(&mut deaf, &Value::Null);
    let before = deaf.sent.len();
    deaf.calls.share(meeting, INES, true, deaf.now).unwrap();
    deaf.settle();
    assert_eq!(deaf.sent.len(), before);
}

/// A recorder with room for so many, whose bot answers those who want to join so.
fn recorder(capacity: u64, decision: JoinDecision) -> (Bench, String) {
    let mut bench = Bench::new(settings());
    bench.answer = Box::new(move |post| {
        if post.is_joining {
            Outcome::Decided { status: 200, decision }
        } else {
            accepted()
        }
    });
    let invitation = RecorderInvitation {
        person: INES,
        other: TOMASZ,
        bot: BOT,
        is_callee: false,
    };
    let id = bench.calls.invite_recorder(&invitation, bench.now).unwrap();
    bench.settle();
    let mut answer = answer();
    answer["participantCapacity"] = capacity.into();
    assert_eq!(bench.post(&format!("{id}/answer"), &answer).status, 202);
    bench.pass(Duration::from_secs(1));
    (bench, id)
}

#[test]
fn further_recorded_people_join_and_leave_one_call_while_there_is_room() {
    let (mut bench, id) = recorder(2, JoinDecision::Accept);
    bench.calls.record_another(&id, PRIYA, bench.now).unwrap();
    bench.settle();
    let told = bench.told();
    let joining = told
        .iter()
        .find(|told| told["resourceData"]["@odata.type"] == "#microsoft.graph.participantJoiningNotification");
    let joining = &joining.unwrap()["resourceData"]["call"];
    let observed = joining["incomingContext"]["observedParticipantId"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(joining["id"], id);
    let people = bench.view(&id).participants;
    assert!(
        people.iter().any(|participant| participant.id == observed),
        "she is in: {people:?}"
    );
    assert_eq!(
        bench.calls.record_another(&id, PRIYA, bench.now),
        Err(CallRefusal::NotNow),
        "there is no room for a third"
    );
    bench.calls.stop_recording_of(&id, PRIYA, bench.now).unwrap();
    bench.settle();
    let told = bench.told();
    let left = told
        .iter()
        .find(|told| told["resourceData"]["@odata.type"] == "#microsoft.graph.participantLeftNotification");
    assert_eq!(left.unwrap()["resourceData"]["participantId"], observed);
}

#[test]
fn who_is_not_accepted_is_not_recorded_by_this_call() {
    for (decision, calls) in [
        (JoinDecision::Reject, 1),
        (JoinDecision::None, 1),
        (JoinDecision::InviteNewBot, 2),
    ] {
        let (mut bench, id) = recorder(9, decision);
        let before = bench.view(&id).participants.len();
        bench.calls.record_another(&id, PRIYA, bench.now).unwrap();
        bench.settle();
        assert_eq!(bench.view(&id).participants.len(), before, "{decision:?}");
        assert_eq!(bench.calls.views().len(), calls, "{decision:?}");
    }
}

#[test]
fn the_answer_to_who_wants_to_join_is_read_from_its_body() {
    let read = |body: &str| JoinDecision::read(body.as_bytes());
    assert_eq!(
        read(r##"{"@odata.type":"#microsoft.graph.acceptJoinResponse"}"##),
        JoinDecision::Accept
    );
    assert_eq!(
        read(r##"{"@odata.type":"#microsoft.graph.rejectJoinResponse","reason":"busy"}"##),
        JoinDecision::Reject
    );
    assert_eq!(
        read(r##"{"@odata.type":"#microsoft.graph.inviteNewBotResponse"}"##),
        JoinDecision::InviteNewBot
    );
    assert_eq!(read(""), JoinDecision::None);
}

#[test]
fn a_meeting_is_made_once_for_each_organizer_and_external_id_and_can_be_joined() {
    let mut bench = Bench::new(settings());
    let [ines, tomasz] = [INES, TOMASZ].map(|person| bench.calls.object_id(person).unwrap());
    let path = |user: &str| format!("{user}/onlineMeetings/createOrGet");
    let body = json!({ "externalId": "berths", "subject": "Berths" });
    let mut make = |user: &str, body: &Value| bench.request_at(Root::Users, "POST", &path(user), body);
    let first = make(&ines, &body);
    let again = make(&ines, &json!({ "externalId": "berths" }));
    let other = make(&tomasz, &body);
    assert_eq!((first.status, again.status, other.status), (201, 200, 201));
    let meeting = first.body.unwrap();
    assert_eq!(again.body.unwrap(), meeting);
    assert_ne!(other.body.unwrap()["id"], meeting["id"]);
    for wrong in [
        json!({}),
        json!({ "externalId": "x", "endDateTime": "2026-11-29T10:00:00Z" }),
        json!({ "externalId": "x", "startDateTime": "2026-11-29T10:00:00Z", "endDateTime": "2026-11-29T10:30:00+01:00" }),
    ] {
        assert_eq!(make(&ines, &wrong).status, 400, "{wrong}");
    }
    assert_eq!(make("nobody", &body).status, 404);
    let mut join = create(&[]);
    join["chatInfo"] = meeting["chatInfo"].clone();
    join["meetingInfo"] = json!({
        "@odata.type": "#microsoft.graph.organizerMeetingInfo",
        "organizer": meeting["participants"]["organizer"]["identity"],
    });
    assert_eq!(bench.post("", &join).status, 201);
}

#[test]
fn the_quality_of_a_device_is_taken() {
    let mut bench = Bench::new(settings());
    let quality = json!({ "quality": { "@odata.type": "#microsoft.graph.teleconferenceDeviceQuality" } });
    assert_eq!(bench.post("logTeleconferenceDeviceQuality", &quality).status, 200);
    assert_eq!(bench.refused("logTeleconferenceDeviceQuality", &json!({})).0, 400);
}
