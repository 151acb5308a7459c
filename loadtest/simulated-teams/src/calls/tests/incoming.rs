//! Calls to a bot.

use super::*;

#[test]
fn an_answered_call_is_told_state_by_state_to_the_callback_of_the_answer() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    assert_eq!(
        bench.labels(),
        [
            "created incoming",
            "updated establishing",
            "updated established",
            "updated established"
        ]
    );
    assert_eq!(bench.sent[0].url, "https://bot.example/api/calls");
    assert!(
        bench.sent[1..]
            .iter()
            .all(|post| post.url == "https://bot.example/callback/1")
    );
    let first = &bench.told()[0];
    assert_eq!(first["changeType"], "created");
    assert_eq!(first["resourceUrl"], format!("/communications/calls/{id}"));
    assert_eq!(first["resourceData"]["state"], "incoming");
    assert_eq!(bench.last_told()["resourceData"]["mediaState"]["audio"], "active");
    assert_eq!(bench.view(&id).answered_after, Some(Duration::ZERO));
}

#[test]
fn a_call_that_is_not_answered_in_15_seconds_ends_and_is_not_found_any_more() {
    let mut bench = Bench::new(settings());
    let id = bench.ring();
    bench.pass(Duration::from_millis(14_900));
    assert_eq!(bench.view(&id).state, CallState::Incoming);
    bench.pass(Duration::from_millis(300));
    assert_eq!(bench.end(&id), (Some(408), Some(8544)));
    assert_eq!(bench.last_told()["changeType"], "deleted");
    assert_eq!(
        bench.refused(&format!("{id}/answer"), &answer()),
        (404, "8522".to_owned())
    );
}

#[test]
fn a_recording_invitation_is_over_after_5_seconds() {
    let mut bench = Bench::new(settings());
    let invitation = RecorderInvitation {
        person: INES,
        other: TOMASZ,
        bot: BOT,
        is_callee: true,
    };
    let id = bench.calls.invite_recorder(&invitation, bench.now).unwrap();
    bench.settle();
    let data = &bench.told()[0]["resourceData"];
    assert_eq!(data["meetingInfo"]["@odata.type"], "#microsoft.graph.tokenMeetingInfo");
    let context = &data["incomingContext"];
    assert_eq!(context["observedParticipantId"], context["sourceParticipantId"]);
    bench.pass(Duration::from_millis(5_200));
    assert_eq!(bench.end(&id), (Some(408), Some(8544)));
}

#[test]
fn a_bot_that_does_not_acknowledge_cannot_be_reached() {
    for outcome in [
        Outcome::Silent,
        Outcome::Broken("connection refused".to_owned()),
        Outcome::Answered {
            status: 503,
            location: None,
        },
    ] {
        let mut bench = Bench::new(settings());
        bench.answer = Box::new(move |post| {
            if post.title == "created incoming" {
                outcome.clone()
            } else {
                accepted()
            }
        });
        let id = bench.ring();
        bench.pass(Duration::from_secs(1));
        assert_eq!(bench.end(&id), (Some(408), Some(8544)));
        assert_eq!(bench.labels(), ["created incoming", "deleted terminated"]);
    }
}

#[test]
fn a_bot_may_send_the_first_notification_to_another_deployment() {
    let mut bench = Bench::new(settings());
    bench.answer = Box::new(|post| {
        if post.url.starts_with("https://bot.example") {
            let location = Some("https://eu.bot.example/api/calls".to_owned());
            Outcome::Answered { status: 307, location }
        } else {
            accepted()
        }
    });
    let id = bench.ring();
    let urls: Vec<&str> = bench.sent.iter().map(|post| post.url.as_str()).collect();
    assert_eq!(
        urls,
        ["https://bot.example/api/calls", "https://eu.bot.example/api/calls"]
    );
    assert_eq!(bench.view(&id).state, CallState::Incoming);
}

#[test]
fn a_chain_of_redirections_has_an_end() {
    let mut bench = Bench::new(settings());
    bench.answer = Box::new(|post| {
        let location = post
            .title
            .starts_with("created")
            .then(|| "https://bot.example/again".to_owned());
        Outcome::Answered { status: 302, location }
    });
    let id = bench.ring();
    assert_eq!(bench.end(&id), (Some(500), Some(8521)));
}

#[test]
fn the_older_format_comes_again_in_graphs_format_after_a_204() {
    let mut settings = settings();
    settings.disorder.legacy = 1.0;
    let mut bench = Bench::new(settings);
    bench.answer = Box::new(|post| Outcome::Answered {
        status: if post.body.get("callState").is_some() { 204 } else { 202 },
        location: None,
    });
    let id = bench.ring();
    assert_eq!(bench.sent[0].body["callState"], "incoming");
    assert_eq!(bench.told()[0]["resourceData"]["id"], id);
    assert_eq!(bench.post(&format!("{id}/answer"), &answer()).status, 202);
}

#[test]
fn a_rejected_call_ends_without_a_result_and_cannot_be_answered() {
    let mut bench = Bench::new(settings());
    let id = bench.ring();
    assert_eq!(
        bench.post(&format!("{id}/reject"), &json!({ "reason": "busy" })).status,
        202
    );
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.end(&id), (None, None));
    assert!(bench.last_told()["resourceData"].get("resultInfo").is_none());
}

#[test]
fn a_redirected_call_rings_the_targets_and_ends_whoever_answers() {
    let mut bench = Bench::new(settings());
    bench.calls.set_callee(TOMASZ, Callee::Silent).unwrap();
    let id = bench.ring();
    let targets = [user(&bench, TOMASZ), user(&bench, PRIYA)];
    let body = json!({ "targets": targets, "timeout": 20 });
    assert_eq!(bench.post(&format!("{id}/redirect"), &body).status, 202);
    assert_eq!(
        bench.refused(&format!("{id}/answer"), &answer()),
        (400, "8585".to_owned())
    );
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.view(&id).redirected_to, Some(PRIYA));
    assert_eq!(bench.end(&id), (None, None));
}

#[test]
fn a_caller_who_gives_up_and_one_who_hangs_up_end_it_differently() {
    let mut bench = Bench::new(settings());
    let id = bench.ring();
    bench.calls.hang_up(&id, bench.now).unwrap();
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.end(&id), (Some(487), Some(0)));
    let id = bench.talking();
    bench.calls.hang_up(&id, bench.now).unwrap();
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.end(&id), (Some(200), Some(4521)));
}

#[test]
fn a_bot_that_hangs_up_hears_terminating_and_then_the_end() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    assert_eq!(bench.request("DELETE", &id, &Value::Null).status, 204);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.labels()[4..], ["updated terminating", "deleted terminated"]);
    assert_eq!(bench.request("DELETE", &id, &Value::Null).status, 404);
    assert_eq!(bench.request("GET", &id, &Value::Null).status, 404);
}

#[test]
fn without_a_keep_alive_a_call_ends_after_45_minutes() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    bench.pass(Duration::from_secs(30 * 60));
    assert_eq!(bench.post(&format!("{id}/keepAlive"), &Value::Null).status, 200);
    bench.pass(Duration::from_secs(44 * 60));
    assert_eq!(bench.view(&id).state, CallState::Established);
    bench.pass(Duration::from_secs(2 * 60));
    assert_eq!(bench.end(&id), (Some(408), Some(8537)));
    assert_eq!(
        bench.refused(&format!("{id}/keepAlive"), &Value::Null),
        (404, "8522".to_owned())
    );
}

#[test]
fn a_pace_of_60_makes_minutes_seconds() {
    let mut bench = Bench::new(CallSettings {
        pace: 60.0,
        ..settings()
    });
    let id = bench.ring();
    bench.pass(Duration::from_millis(300));
    assert_eq!(bench.end(&id), (Some(408), Some(8544)));
}

#[test]
fn later_notifications_are_sent_again_under_the_same_original_id_and_keep_their_order() {
    let mut bench = Bench::new(settings());
    let mut refusals = 2;
    bench.answer = Box::new(move |post| {
        let refuses = post.title == "updated establishing" && refusals > 0;
        refusals -= i32::from(refuses);
        let status = if refuses { 500 } else { 202 };
        Outcome::Answered { status, location: None }
    });
    let id = bench.ring();
    bench.post(&format!("{id}/answer"), &answer());
    bench.pass(Duration::from_secs(10));
    assert_eq!(
        bench.labels(),
        [
            "created incoming",
            "updated establishing",
            "updated establishing",
            "updated establishing",
            "updated established",
            "updated established"
        ]
    );
    let header = |post: &Post, name: &str| {
        let found = post.headers.iter().find(|(other, _)| *other == name);
        found.unwrap().1.clone()
    };
    let original = |post| header(post, "X-Microsoft-Skype-Original-Message-ID");
    let message = |post| header(post, "X-Microsoft-Skype-Message-ID");
    assert_eq!(original(&bench.sent[1]), original(&bench.sent[3]));
    assert_ne!(message(&bench.sent[1]), message(&bench.sent[2]));
    assert_eq!(header(&bench.sent[1], "Scenario-Id"), bench.view(&id).chain);
}

#[test]
fn a_notification_that_is_never_accepted_is_given_up_after_three_repeats() {
    let mut bench = Bench::new(settings());
    bench.answer = Box::new(|post| Outcome::Answered {
        status: if post.title == "updated establishing" { 500 } else { 202 },
        location: None,
    });
    let id = bench.ring();
    bench.post(&format!("{id}/answer"), &answer());
    bench.pass(Duration::from_secs(20));
    let attempts = bench
        .labels()
        .iter()
        .filter(|label| **label == "updated establishing")
        .count();
    assert_eq!((attempts, bench.calls.counters().lost), (4, 1));
    assert_eq!(bench.labels().last(), Some(&"updated established"));
}

#[test]
fn disorder_swaps_repeats_and_respells() {
    let mut settings = settings();
    settings.casing = Casing::Log;
    settings.disorder.swapped = 1.0;
    settings.disorder.repeated = 1.0;
    settings.disorder.compact = 1.0;
    let mut bench = Bench::new(settings);
    let id = bench.ring();
    bench.post(&format!("{}/answer", id.to_uppercase()), &answer());
    bench.pass(Duration::from_secs(1));
    assert_eq!(
        bench.labels()[1..5],
        [
            "updated established",
            "updated established",
            "updated establishing",
            "updated establishing"
        ]
    );
    let told = bench.told();
    assert_eq!(told[1]["changeType"], "Updated");
    assert_eq!(told[1]["resourceData"]["state"], "Established");
    let compact = id.replace('-', "").to_uppercase();
    assert_eq!(told[1]["resourceUrl"], format!("/communications/calls/{compact}"));
    assert_eq!(told[1]["resource"], format!("/app/calls/{compact}"));
}

#[test]
fn two_notifications_may_share_a_body() {
    let mut settings = settings();
    settings.disorder.batched = 1.0;
    let mut bench = Bench::new(settings);
    let (first, second) = (bench.ring(), bench.ring());
    for id in [&first, &second] {
        bench.post(&format!("{id}/answer"), &answer());
    }
    bench.pass(Duration::from_secs(3));
    let shared = bench
        .sent
        .iter()
        .find(|post| post.body["value"].as_array().unwrap().len() == 2)
        .unwrap();
    assert_eq!(shared.title, "updated establishing + updated establishing");
    for id in [&first, &second] {
        assert_eq!(bench.view(id).notified().len(), 4, "{:?}", bench.view(id).timeline);
    }
}

#[test]
fn the_answer_of_a_request_waits_when_a_notification_shall_overtake_it() {
    let mut settings = settings();
    settings.disorder.early = 1.0;
    let mut bench = Bench::new(settings);
    let id = bench.ring();
    let reply = bench.post(&format!("{id}/answer"), &answer());
    let (key, count) = reply.hold.unwrap();
    assert!(!bench.calls.has_told_more(key, count));
    bench.pass(Duration::from_millis(150));
    assert!(bench.calls.has_told_more(key, count));
    assert_eq!(bench.labels().last(), Some(&"updated establishing"));
}

#[test]
fn what_is_missing_or_too_much_is_refused() {
    let mut bench = Bench::new(settings());
    let id = bench.ring();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut body = answer();
        change(&mut body);
        body
    };
    let bad = [
        refused(&|body| body["mediaConfig"] = Value::Null),
        refused(&|body| body["callbackUri"] = "http://bot.example/".into()),
        refused(&|body| body["acceptedModalities"] = json!(["smell"])),
        refused(&|body| body["participantCapacity"] = (-1).into()),
    ];
    for body in bad {
        assert_eq!(
            bench.refused(&format!("{id}/answer"), &body),
            (400, "8523".to_owned()),
            "{body}"
        );
    }
    let target = user(&bench, TOMASZ);
    for body in [
        json!({ "targets": [] }),
        json!({ "targets": vec![target.clone(); 26] }),
        json!({ "targets": [target], "timeout": 14 }),
        json!({ "targets": [user(&bench, TOMASZ)], "timeout": 91 }),
    ] {
        assert_eq!(
            bench.refused(&format!("{id}/redirect"), &body),
            (400, "8523".to_owned())
        );
    }
    assert_eq!(bench.view(&id).state, CallState::Incoming);
    let prompts = prompts(1, "too early");
    assert_eq!(
        bench.refused(&format!("{id}/playPrompt"), &prompts),
        (400, "8501".to_owned())
    );
    assert_eq!(bench.refused("nowhere/answer", &answer()), (404, "8522".to_owned()));
    assert_eq!(
        bench.refused(&format!("{id}/operations"), &Value::Null).0,
        404,
        "they are only read"
    );
    assert_eq!(bench.refused(&format!("{id}/dance"), &Value::Null).0, 404);
}

#[test]
fn a_token_of_another_tenant_is_refused() {
    let mut bench = Bench::new(settings());
    let id = bench.ring();
    bench.tenant = "somewhere-else".to_owned();
    assert_eq!(
        bench.refused(&format!("{id}/answer"), &answer()),
        (403, "7505".to_owned())
    );
}

#[test]
fn faults_come_before_or_after_the_effect() {
    let fault = |when| CallFault {
        operation: Some("answer".to_owned()),
        status: 503,
        when,
        share: 1.0,
        times: Some(1),
        retry_after: Some(1.5),
    };
    let mut bench = Bench::new(settings());
    let id = bench.ring();
    bench
        .calls
        .set_faults(vec![fault(crate::config::FaultTime::BeforeStore)]);
    let reply = bench.post(&format!("{id}/answer"), &answer());
    assert_eq!((reply.status, reply.retry_after.as_deref()), (503, Some("1.5")));
    assert_eq!(bench.view(&id).state, CallState::Incoming);
    bench
        .calls
        .set_faults(vec![fault(crate::config::FaultTime::AfterStore)]);
    assert_eq!(bench.post(&format!("{id}/answer"), &answer()).status, 503);
    assert_eq!(bench.view(&id).state, CallState::Establishing);
}

#[test]
fn a_late_notification_leaves_its_lane_and_a_first_one_may_lack_its_scenario() {
    let mut settings = settings();
    settings.disorder.late = 1.0;
    settings.disorder.late_by = Duration::from_secs(3);
    settings.disorder.nameless = 1.0;
    let mut bench = Bench::new(settings);
    let id = bench.ring();
    let has_scenario = |post: &Post| post.headers.iter().any(|(name, _)| *name == "Scenario-Id");
    assert!(!has_scenario(&bench.sent[0]));
    bench.post(&format!("{id}/answer"), &answer());
    bench.pass(Duration::from_secs(1));
    bench.calls.hang_up(&id, bench.now).unwrap();
    bench.pass(Duration::from_millis(1_500));
    assert_eq!(bench.labels(), ["created incoming"]);
    bench.pass(Duration::from_secs(5));
    assert_eq!(bench.labels().len(), 5);
    assert!(has_scenario(&bench.sent[1]));
}

#[test]
fn only_so_many_ended_calls_are_kept() {
    let mut bench = Bench::new(CallSettings { kept: 3, ..settings() });
    for _ in 0..10 {
        let id = bench.talking();
        bench.request("DELETE", &id, &Value::Null);
        bench.pass(Duration::from_secs(3_600));
    }
    assert_eq!((bench.calls.views().len(), bench.calls.by_id.len()), (3, 3));
    assert!(
        bench.calls.next_due().is_none(),
        "something waits for calls that are gone"
    );
    assert_eq!(bench.calls.counters().ended, 10);
}

#[test]
fn notifications_that_failed_in_one_body_are_sent_again_in_their_order() {
    let mut settings = settings();
    settings.disorder.batched = 1.0;
    settings.delays = CallDelays::none();
    let mut bench = Bench::new(settings);
    let mut fails = true;
    bench.answer = Box::new(move |post| {
        let is_shared = post.title.contains(" + ");
        let status = if is_shared && std::mem::take(&mut fails) {
            500
        } else {
            202
        };
        Outcome::Answered { status, location: None }
    });
    let id = bench.ring();
    bench.post(&format!("{id}/answer"), &answer());
    bench.pass(Duration::from_secs(5));
    let shared = bench.labels().iter().position(|label| label.contains(" + ")).unwrap();
    let (first, second) = bench.labels()[shared].split_once(" + ").unwrap();
    assert_eq!(
        bench.labels()[shared + 1..shared + 3],
        [first, second],
        "{:?}",
        bench.labels()
    );
}
