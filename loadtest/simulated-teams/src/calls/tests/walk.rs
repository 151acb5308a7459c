//! Whatever bots and people do, in any order and with any disorder: every call ends, and is told to have ended once, last.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// One step of a walk; the number picks the call.
#[derive(Debug, Clone)]
enum Walk {
    Ring,
    Create { several: bool },
    Join,
    Record,
    Request { call: usize, operation: usize },
    Press { call: usize },
    Speak { call: usize },
    HangUp { call: usize },
    Decide { call: usize, accepts: bool },
    Pass { millis: u64 },
}

fn walks() -> impl Strategy<Value = Vec<Walk>> {
    let step = prop_oneof![
        Just(Walk::Ring),
        any::<bool>().prop_map(|several| Walk::Create { several }),
        Just(Walk::Join),
        Just(Walk::Record),
        (0..8_usize, 0..20_usize).prop_map(|(call, operation)| Walk::Request { call, operation }),
        (0..8_usize, 0..20_usize).prop_map(|(call, operation)| Walk::Request { call, operation }),
        (0..8_usize).prop_map(|call| Walk::Press { call }),
        (0..8_usize).prop_map(|call| Walk::Speak { call }),
        (0..8_usize).prop_map(|call| Walk::HangUp { call }),
        (0..8_usize, any::<bool>()).prop_map(|(call, accepts)| Walk::Decide { call, accepts }),
        (1..20_000_u64).prop_map(|millis| Walk::Pass { millis }),
        (1..500_u64).prop_map(|millis| Walk::Pass { millis }),
    ];
    proptest::collection::vec(step, 1..60)
}

fn requests(bench: &Bench) -> [(&'static str, Value); 20] {
    let target = user(bench, TOMASZ);
    [
        ("answer", answer()),
        ("answer", answer()),
        ("reject", json!({})),
        ("redirect", json!({ "targets": [target.clone()] })),
        ("transfer", json!({ "transferTarget": target.clone() })),
        ("keepAlive", Value::Null),
        ("mute", Value::Null),
        ("unmute", Value::Null),
        ("playPrompt", prompts(2, "walk")),
        ("playPrompt", prompts(1, "walk")),
        ("recordResponse", json!({ "bargeInAllowed": true })),
        ("recordResponse", prompts(1, "clip")),
        ("subscribeToTone", Value::Null),
        ("sendDtmfTones", json!({ "tones": ["tone1"] })),
        ("cancelMediaProcessing", Value::Null),
        ("updateRecordingStatus", json!({ "status": "recording" })),
        ("addLargeGalleryView", Value::Null),
        ("participants/invite", json!({ "participants": [target.clone()] })),
        ("changeScreenSharingRole", json!({ "role": "viewer" })),
        ("participants/nobody/mute", Value::Null),
    ]
}

impl Bench {
    fn walk(&mut self, step: &Walk, meeting: &MeetingView) {
        let ids: Vec<String> = self.calls.views().into_iter().map(|view| view.id).collect();
        let pick = |call: usize| ids.get(call % ids.len().max(1)).cloned().unwrap_or_default();
        match step {
            Walk::Ring => {
                self.ring();
            }
            Walk::Create { several } => {
                let mut targets = vec![user(self, TOMASZ)];
                targets.extend(several.then(|| user(self, PRIYA)));
                self.post("", &create(&targets));
            }
            Walk::Join => {
                let mut body = create(&[]);
                body["meetingInfo"] = json!({
                    "@odata.type": "#microsoft.graph.joinMeetingIdMeetingInfo",
                    "joinMeetingId": meeting.join_id, "passcode": meeting.passcode,
                });
                self.post("", &body);
            }
            Walk::Record => {
                let invitation = RecorderInvitation {
                    person: INES,
                    other: TOMASZ,
                    bot: BOT,
                    is_callee: true,
                };
                self.calls.invite_recorder(&invitation, self.now).unwrap();
            }
            Walk::Request { call, operation } => {
                let (path, body) = requests(self)[*operation].clone();
                self.post(&format!("{}/{path}", pick(*call)), &body);
            }
            // People try what may not be possible now.
            Walk::Press { call } => {
                let _ = self.calls.press_key(&pick(*call), "#", self.now);
            }
            Walk::Speak { call } => {
                let speech = Speech::hum(Duration::from_millis(700));
                let _ = self.calls.speak(&pick(*call), speech, self.now);
            }
            Walk::HangUp { call } => {
                let _ = self.calls.hang_up(&pick(*call), self.now);
            }
            Walk::Decide { call, accepts } => {
                let _ = self.calls.decide(&pick(*call), TOMASZ, *accepts, self.now);
            }
            Walk::Pass { millis } => self.pass(Duration::from_millis(*millis)),
        }
        self.settle();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_call_ends_and_nothing_is_told_afterwards(
        steps in walks(),
        seed in any::<u64>(),
        unruly in any::<bool>(),
        fails in 0..4_u64,
    ) {
        let mut settings = settings();
        settings.callee = Callee::ByHand;
        settings.casing = Casing::Mixed;
        if unruly {
            settings.disorder = CallDisorder {
                swapped: 0.3,
                repeated: 0.2,
                batched: 0.3,
                early: 0.2,
                compact: 0.3,
                legacy: 0.1,
                roster_gap: 0.2,
                nameless: 0.3,
                ..CallDisorder::default()
            };
        }
        let mut bench = Bench::seeded(settings, seed);
        let mut count = seed;
        bench.answer = Box::new(move |post| {
            count = count.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let is_legacy = post.body.get("callState").is_some();
            let fails = (count >> 60) < fails;
            let status = if is_legacy { 204 } else if fails { 500 } else { 202 };
            Outcome::Answered { status, location: None }
        });
        let meeting = bench.calls.open_meeting(INES, false).unwrap();
        for step in &steps {
            bench.walk(step, &meeting);
        }
        bench.pass(Duration::from_secs(2 * 3_600));
        let mut last: BTreeMap<String, String> = BTreeMap::new();
        // What was refused comes again, also after a body in which the end was refused.
        for post in bench.taken.iter().map(|place| &bench.sent[*place]) {
            for told in post.body["value"].as_array().into_iter().flatten() {
                let url = told["resourceUrl"].as_str().unwrap();
                let id = url.trim_start_matches('/').split('/').nth(2).unwrap();
                let id = ids::normal(id);
                let is_end = told["changeType"].as_str().unwrap().eq_ignore_ascii_case("deleted")
                    && url.trim_start_matches('/').split('/').count() == 3;
                let before = last.insert(id.clone(), url.to_owned());
                prop_assert!(before.as_deref() != Some("over") || is_end, "{} after the end of {}", told, id);
                if is_end {
                    last.insert(id, "over".to_owned());
                }
            }
        }
        for view in bench.calls.views() {
            prop_assert_eq!(view.state, CallState::Terminated, "{:?}", view);
            prop_assert!(view.end.is_some());
            let end = last.get(&ids::normal(&view.id));
            prop_assert!(end.is_some_and(|end| end == "over") || fails > 0, "{:?} was not told", view);
        }
        prop_assert_eq!(bench.calls.counters().began, bench.calls.counters().ended);
        prop_assert!(bench.calls.deliveries.is_empty() && bench.calls.company.is_none());
    }
}
