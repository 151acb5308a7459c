//! Calls that a bot makes, and handing calls on.

use super::*;

fn call(bench: &mut Bench, person: PersonNumber) -> (String, GraphReply) {
    let body = create(&[user(bench, person)]);
    let reply = bench.post("", &body);
    assert_eq!(reply.status, 201, "{reply:?}");
    let id = reply.body.as_ref().unwrap()["id"].as_str().unwrap().to_owned();
    (id, reply)
}

#[test]
fn a_person_who_picks_up_establishes_the_call() {
    let mut bench = Bench::new(settings());
    let (id, reply) = call(&mut bench, TOMASZ);
    let body = reply.body.unwrap();
    assert_eq!(
        (&body["state"], &body["direction"]),
        (&json!("establishing"), &json!("outgoing"))
    );
    assert_eq!(
        reply.location.unwrap(),
        format!("http://graph.example/v1.0/communications/calls/{id}")
    );
    bench.pass(Duration::from_secs(2));
    assert_eq!(
        bench.labels(),
        ["updated establishing", "updated established", "updated established"]
    );
    assert_eq!(bench.told()[0]["callbackUri"], "https://bot.example/callback/2");
    assert_eq!(bench.view(&id).answered_after, Some(Duration::from_millis(1_100)));
}

#[test]
fn who_does_not_pick_up_ends_it_with_the_reason() {
    let after = Duration::from_secs(1);
    for (callee, code) in [
        (Callee::Declines { after }, (603, 0)),
        (Callee::Busy, (486, 0)),
        (Callee::Silent, (487, 10_004)),
        (Callee::Unreachable, (480, 10_037)),
    ] {
        let mut bench = Bench::new(settings());
        bench.calls.set_callee(TOMASZ, callee).unwrap();
        let (id, _) = call(&mut bench, TOMASZ);
        bench.pass(Duration::from_secs(62));
        assert_eq!(bench.end(&id), (Some(code.0), Some(code.1)), "{callee:?}");
    }
    let mut bench = Bench::new(settings());
    let mut stranger = user(&bench, TOMASZ);
    stranger["identity"]["user"]["id"] = "8d1e6ab6-26c5-4e22-a1bc-06ea7343958e".into();
    let reply = bench.post("", &create(&[stranger]));
    bench.pass(Duration::from_secs(1));
    let id = reply.body.unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(bench.end(&id), (Some(480), Some(10_037)));
}

#[test]
fn a_person_decides_by_hand() {
    let mut bench = Bench::new(settings());
    bench.calls.set_callee(TOMASZ, Callee::ByHand).unwrap();
    let (first, _) = call(&mut bench, TOMASZ);
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.view(&first).ringing, [TOMASZ]);
    bench.calls.decide(&first, TOMASZ, true, bench.now).unwrap();
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.view(&first).state, CallState::Established);
    assert_eq!(
        bench.calls.decide(&first, TOMASZ, true, bench.now),
        Err(CallRefusal::NotThere)
    );
}

#[test]
fn a_phone_needs_the_application_instance_and_ends_in_its_own_way() {
    let mut bench = Bench::new(settings());
    let phone = json!({ "identity": { "phone": { "id": "+390612345678" } } });
    let mut body = create(&[phone]);
    body["tenantId"] = bench.tenant.as_str().into();
    assert_eq!(bench.refused("", &body), (400, "8523".to_owned()));
    let instance = bench.calls.instance(BOT).unwrap();
    body["source"] = json!({ "identity": { "applicationInstance": { "id": instance } } });
    let reply = bench.post("", &body);
    let id = reply.body.unwrap()["id"].as_str().unwrap().to_owned();
    bench.pass(Duration::from_secs(3));
    bench.calls.hang_up(&id, bench.now).unwrap();
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.end(&id), (Some(200), Some(560_000)));
    body["source"] = json!({ "identity": { "application": { "id": "somebody else's" } } });
    assert_eq!(bench.refused("", &body), (403, "7507".to_owned()));
}

#[test]
fn a_create_that_lacks_something_is_refused() {
    let mut bench = Bench::new(settings());
    let target = user(&bench, TOMASZ);
    let good = create(std::slice::from_ref(&target));
    for (name, value) in [
        ("callbackUri", Value::Null),
        ("callbackUri", json!("http://bot.example/")),
        ("mediaConfig", Value::Null),
        ("requestedModalities", json!([])),
        ("targets", json!([])),
        ("targets", json!(vec![target; 6])),
        ("targets", json!([{ "identity": {} }])),
    ] {
        let mut body = good.clone();
        body[name] = value;
        assert_eq!(
            bench.refused("", &body),
            (400, "8523".to_owned()),
            "{name}: {}",
            body[name]
        );
    }
    assert!(bench.calls.views().is_empty());
}

#[test]
fn a_bot_has_a_number_of_calls_at_a_time_and_in_a_month() {
    let mut settings = settings();
    settings.limits.concurrent = Some(1);
    settings.limits.monthly = Some(2);
    let mut bench = Bench::new(settings);
    let (first, _) = call(&mut bench, TOMASZ);
    let body = create(&[user(&bench, PRIYA)]);
    assert_eq!(bench.refused("", &body), (403, "8530".to_owned()));
    bench.request("DELETE", &first, &Value::Null);
    call(&mut bench, PRIYA);
    bench.pass(Duration::from_secs(3_600));
    assert_eq!(bench.refused("", &body), (403, "8529".to_owned()));
}

#[test]
fn a_group_call_is_up_when_the_first_picks_up_and_over_when_all_have_left() {
    let mut bench = Bench::new(settings());
    let after = Duration::from_secs(3);
    bench.calls.set_callee(PRIYA, Callee::Declines { after }).unwrap();
    let body = create(&[user(&bench, TOMASZ), user(&bench, PRIYA)]);
    let reply = bench.post("", &body);
    let id = reply.body.unwrap()["id"].as_str().unwrap().to_owned();
    bench.pass(Duration::from_secs(5));
    let view = bench.view(&id);
    let names: Vec<&str> = view.participants.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(
        (view.kind, names),
        (CallKind::Group, vec!["Trunkline bot", "Tomasz Okafor"])
    );
    let tomasz = view.participants[1].id.clone();
    let reply = bench.request("DELETE", &format!("{id}/participants/{tomasz}"), &Value::Null);
    assert_eq!(reply.status, 204);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.end(&id), (Some(200), Some(5002)));
}

#[test]
fn a_group_call_that_nobody_takes_ends() {
    let mut bench = Bench::new(settings());
    for person in [TOMASZ, PRIYA] {
        bench.calls.set_callee(person, Callee::Busy).unwrap();
    }
    let body = create(&[user(&bench, TOMASZ), user(&bench, PRIYA)]);
    let reply = bench.post("", &body);
    bench.pass(Duration::from_secs(1));
    let id = reply.body.unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(bench.end(&id), (Some(200), Some(5013)));
}

#[test]
fn a_blind_transfer_ends_the_bots_call_when_the_target_picks_up() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    let body = json!({ "transferTarget": user(&bench, TOMASZ) });
    assert_eq!(bench.post(&format!("{id}/transfer"), &body).status, 202);
    bench.pass(Duration::from_secs(3));
    assert_eq!(
        bench.labels()[4..],
        [
            "updated transferring",
            "updated transferAccepted",
            "updated transferAccepted",
            "deleted terminated"
        ]
    );
    assert_eq!(bench.end(&id), (Some(0), Some(7015)));
    assert_eq!(bench.view(&id).transferred_to.as_deref(), Some("Tomasz Okafor"));
}

#[test]
fn a_transfer_that_fails_leaves_the_call_established() {
    let mut bench = Bench::new(settings());
    bench.calls.set_callee(TOMASZ, Callee::Busy).unwrap();
    let id = bench.talking();
    let body = json!({ "transferTarget": user(&bench, TOMASZ) });
    bench.post(&format!("{id}/transfer"), &body);
    bench.pass(Duration::from_secs(3));
    let data = &bench.last_told()["resourceData"];
    assert_eq!(
        (&data["state"], &data["resultInfo"]["subCode"]),
        (&json!("established"), &json!(7000))
    );
    assert_eq!(
        bench.post(&format!("{id}/playPrompt"), &prompts(1, "sorry")).status,
        200
    );
    bench.calls.set_callee(TOMASZ, Callee::answers()).unwrap();
    assert_eq!(bench.post(&format!("{id}/transfer"), &body).status, 202);
}

#[test]
fn a_consultative_transfer_ends_both_calls_of_the_bot() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    let (other, _) = call(&mut bench, TOMASZ);
    bench.pass(Duration::from_secs(3));
    let mut target = user(&bench, TOMASZ);
    target["replacesCallId"] = other.as_str().into();
    bench.post(&format!("{id}/transfer"), &json!({ "transferTarget": target }));
    bench.pass(Duration::from_secs(3));
    for id in [&id, &other] {
        assert_eq!(bench.end(id), (None, None));
    }
    assert_eq!(bench.last_told()["resourceData"]["terminationReason"], "AppTransferred");
}

#[test]
fn phones_are_reached_by_transfer_only_from_an_instance() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    let phone = json!({ "transferTarget": { "identity": { "phone": { "id": "+390612345678" } } } });
    assert_eq!(
        bench.refused(&format!("{id}/transfer"), &phone),
        (403, "7504".to_owned())
    );
    let mut misplaced = json!({ "transferTarget": user(&bench, TOMASZ) });
    misplaced["transferee"] = user(&bench, INES);
    assert_eq!(
        bench.refused(&format!("{id}/transfer"), &misplaced),
        (400, "8523".to_owned())
    );
}

#[test]
fn an_invitation_makes_a_group_of_a_one_to_one_call() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    let body = json!({ "participants": [user(&bench, TOMASZ)], "clientContext": "come" });
    let reply = bench.post(&format!("{id}/participants/invite"), &body);
    assert_eq!(
        (reply.status, reply.body.unwrap()["status"].as_str()),
        (200, Some("running"))
    );
    bench.pass(Duration::from_secs(3));
    let labels = bench.labels();
    assert_eq!(
        labels[4..],
        ["deleted inviteParticipantsOperation completed", "updated roster"]
    );
    assert_eq!(bench.last_told()["resourceData"].as_array().unwrap().len(), 3);
    let crowd: Vec<Value> = (0..6).map(|_| user(&bench, PRIYA)).collect();
    let refused = bench.refused(&format!("{id}/participants/invite"), &json!({ "participants": crowd }));
    assert_eq!(refused, (400, "8523".to_owned()));
    bench.calls.set_callee(PRIYA, Callee::Silent).unwrap();
    let body = json!({ "participants": [user(&bench, PRIYA)] });
    bench.post(&format!("{id}/participants/invite"), &body);
    bench.pass(Duration::from_secs(61));
    assert_eq!(bench.last_told()["resourceData"]["status"], "failed");
}
