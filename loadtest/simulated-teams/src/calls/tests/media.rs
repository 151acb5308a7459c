//! Prompts, recordings and keys.

use super::*;

/// What an operation's notification says: status, subcode, context.
fn ends(bench: &Bench, type_name: &str) -> Vec<(String, u64, String)> {
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let told = bench.told().into_iter();
    let told = told.filter(|told| told["resourceData"]["@odata.type"] == format!("#microsoft.graph.{type_name}"));
    told.map(|told| {
        assert_eq!(told["changeType"], "deleted");
        let data = &told["resourceData"];
        let subcode = data["resultInfo"]["subcode"].as_u64().unwrap_or(9_999);
        (text(&data["status"]), subcode, text(&data["clientContext"]))
    })
    .collect()
}

#[test]
fn prompts_play_one_after_the_other_and_tell_when_they_end() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    let reply = bench.post(&format!("{id}/microsoft.graph.playPrompt"), &prompts(2, "first"));
    let body = reply.body.unwrap();
    assert_eq!((reply.status, body["status"].as_str()), (200, Some("running")));
    assert!(reply.location.unwrap().ends_with(body["id"].as_str().unwrap()));
    bench.post(&format!("{id}/playPrompt"), &prompts(1, "second"));
    bench.pass(Duration::from_millis(5_900));
    assert!(ends(&bench, "playPromptOperation").is_empty());
    bench.pass(Duration::from_millis(200));
    assert_eq!(
        ends(&bench, "playPromptOperation"),
        [("completed".to_owned(), 0, "first".to_owned())]
    );
    bench.pass(Duration::from_secs(3));
    assert_eq!(ends(&bench, "playPromptOperation").len(), 2);
    assert_eq!(bench.view(&id).times_played("http://127.0.0.1:1/hello.wav"), 3);
}

#[test]
fn a_prompt_that_cannot_be_fetched_fails() {
    for (failure, subcode) in [(FetchFailure::Unreachable, 8536), (FetchFailure::Format, 8535)] {
        let mut bench = Bench::new(settings());
        bench.prompt = Err(failure);
        let id = bench.talking();
        bench.post(&format!("{id}/playPrompt"), &prompts(1, "lost"));
        assert_eq!(
            ends(&bench, "playPromptOperation"),
            [("failed".to_owned(), subcode, "lost".to_owned())]
        );
    }
}

#[test]
fn a_prompt_elsewhere_takes_the_length_of_the_settings() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    let mut body = prompts(1, "far");
    body["prompts"][0]["mediaInfo"]["uri"] = "https://cdn.example/a.wav".into();
    bench.post(&format!("{id}/playPrompt"), &body);
    bench.pass(Duration::from_millis(2_100));
    assert_eq!(ends(&bench, "playPromptOperation").len(), 1);
}

#[test]
fn a_known_resource_id_is_not_fetched_again() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    let mut body = prompts(1, "cached");
    body["prompts"][0]["mediaInfo"]["resourceId"] = "one".into();
    bench.post(&format!("{id}/playPrompt"), &body);
    bench.pass(Duration::from_secs(4));
    bench.prompt = Err(FetchFailure::Unreachable);
    bench.post(&format!("{id}/playPrompt"), &body);
    bench.pass(Duration::from_secs(4));
    assert!(
        ends(&bench, "playPromptOperation")
            .iter()
            .all(|(status, ..)| status == "completed")
    );
}

#[test]
fn cancelling_fails_the_running_and_the_waiting_prompts_and_ends_tones() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    for context in ["running", "waiting"] {
        bench.post(&format!("{id}/playPrompt"), &prompts(1, context));
    }
    let tones = json!({ "tones": ["tone1", "pound"], "delayBetweenTonesMs": 1_000, "clientContext": "tones" });
    assert_eq!(bench.post(&format!("{id}/sendDtmfTones"), &tones).status, 200);
    let reply = bench.post(
        &format!("{id}/cancelMediaProcessing"),
        &json!({ "clientContext": "stop" }),
    );
    assert_eq!(reply.body.unwrap()["status"], "completed");
    let failed = |context: &str| ("failed".to_owned(), 8508, context.to_owned());
    assert_eq!(
        ends(&bench, "playPromptOperation"),
        [failed("running"), failed("waiting")]
    );
    let told = bench.last_told();
    assert_eq!(told["resourceData"]["completionReason"], "mediaOperationCanceled");
    bench.pass(Duration::from_secs(20));
    assert_eq!(bench.view(&id).times_played("http://127.0.0.1:1/hello.wav"), 0);
    assert_eq!(ends(&bench, "sendDtmfTonesOperation").len(), 1);
}

#[test]
fn tones_that_a_bot_sends_end_after_their_length() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    let tones = json!({ "tones": ["tone1", "star"], "delayBetweenTonesMs": 400 });
    bench.post(&format!("{id}/sendDtmfTones"), &tones);
    bench.pass(Duration::from_millis(1_050));
    assert_eq!(
        bench.last_told()["resourceData"]["completionReason"],
        "completedSuccessfully"
    );
    assert_eq!(bench.view(&id).tones_sent, ["1", "*"]);
    let objects = json!({ "tones": [{ "tone": "tone1" }] });
    assert_eq!(
        bench.refused(&format!("{id}/sendDtmfTones"), &objects),
        (400, "8523".to_owned())
    );
}

#[test]
fn keys_are_told_to_who_subscribed_with_a_rising_sequence() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    bench.calls.press_key(&id, "1", bench.now).unwrap();
    bench.settle();
    assert!(
        !bench
            .told()
            .iter()
            .any(|told| told["resourceData"].get("toneInfo").is_some())
    );
    let reply = bench.post(&format!("{id}/subscribeToTone"), &Value::Null);
    assert_eq!(reply.body.unwrap()["status"], "completed");
    for key in ["7", "#"] {
        bench.calls.press_key(&id, key, bench.now).unwrap();
    }
    bench.settle();
    let tones: Vec<Value> = bench
        .told()
        .iter()
        .map(|told| told["resourceData"]["toneInfo"].clone())
        .collect();
    let tones = &tones[tones.len() - 2..];
    assert_eq!(
        (&tones[0]["tone"], &tones[1]["tone"]),
        (&json!("tone7"), &json!("pound"))
    );
    assert!(tones[0]["sequenceId"].as_u64() < tones[1]["sequenceId"].as_u64());
    assert_eq!(bench.calls.press_key(&id, "x", bench.now), Err(CallRefusal::NoSuchKey));
    assert_eq!(bench.view(&id).pressed, ["1", "7", "#"]);
}

fn record(change: impl FnOnce(&mut Value)) -> Value {
    let mut body = json!({
        "clientContext": "clip", "playBeep": false, "maxRecordDurationInSeconds": 10, "maxSilenceTimeoutInSeconds": 2,
        "stopTones": ["#"],
    });
    change(&mut body);
    body
}

#[test]
fn a_recording_ends_by_silence_by_length_or_by_a_key() {
    for (speaks, key, after, subcode) in [
        (Some(1), None, 3_100, 8509),
        (Some(60), None, 10_100, 8515),
        (Some(60), Some("#"), 100, 8514),
        (None, None, 5_100, 8510),
    ] {
        let mut bench = Bench::new(settings());
        let id = bench.talking();
        bench.post(&format!("{id}/recordResponse"), &record(|_| ()));
        if let Some(seconds) = speaks {
            let speech = Speech::hum(Duration::from_secs(seconds));
            bench.calls.speak(&id, speech, bench.now).unwrap();
        }
        if let Some(key) = key {
            bench.calls.press_key(&id, key, bench.now).unwrap();
        }
        bench.pass(Duration::from_millis(after));
        let status = if subcode == 8510 { "failed" } else { "completed" };
        assert_eq!(
            ends(&bench, "recordOperation"),
            [(status.to_owned(), subcode, "clip".to_owned())]
        );
        let location = bench.last_told()["resourceData"]["recordingLocation"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(location.is_empty(), subcode == 8510);
    }
}

#[test]
fn a_clip_has_the_length_of_the_recording_and_is_kept_until_a_minute_after_the_call() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    let speech = Speech::hum(Duration::from_secs(3));
    bench.calls.speak(&id, speech, bench.now).unwrap();
    bench.post(&format!("{id}/recordResponse"), &record(|_| ()));
    bench.pass(Duration::from_secs(6));
    let location = bench.last_told()["resourceData"]["recordingLocation"]
        .as_str()
        .unwrap()
        .to_owned();
    let clip = location.rsplit('/').next().unwrap();
    assert_eq!(
        length_of(&bench.calls.clip(clip).unwrap().wav()),
        Ok(Duration::from_secs(5))
    );
    bench.request("DELETE", &id, &Value::Null);
    bench.pass(Duration::from_secs(70));
    assert!(bench.calls.clip(clip).is_none());
}

#[test]
fn a_recording_that_barges_in_drops_what_plays() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    bench.post(&format!("{id}/playPrompt"), &prompts(1, "menu"));
    bench.post(
        &format!("{id}/recordResponse"),
        &record(|body| body["bargeInAllowed"] = true.into()),
    );
    assert_eq!(
        ends(&bench, "playPromptOperation"),
        [("failed".to_owned(), 8508, "menu".to_owned())]
    );
    bench.pass(Duration::from_millis(5_100));
    assert_eq!(ends(&bench, "recordOperation")[0].1, 8510);
}

#[test]
fn media_of_the_wrong_kind_or_out_of_bounds_is_refused() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    let bad = |code: &str| (400, code.to_owned());
    for body in [prompts(0, ""), prompts(21, ""), prompts(1, &"x".repeat(257))] {
        assert_eq!(bench.refused(&format!("{id}/playPrompt"), &body), bad("8523"));
    }
    for (name, value) in [
        ("maxRecordDurationInSeconds", json!(121)),
        ("initialSilenceTimeoutInSeconds", json!(0)),
        ("stopTones", json!([1])),
        ("prompts", prompts(2, "")["prompts"].clone()),
    ] {
        let body = record(|body| body[name] = value);
        assert_eq!(
            bench.refused(&format!("{id}/recordResponse"), &body),
            bad("8523"),
            "{name}"
        );
    }
    for path in ["mute", "unmute", "addLargeGalleryView"] {
        assert_eq!(
            bench.refused(&format!("{id}/{path}"), &Value::Null),
            bad("8548"),
            "{path}"
        );
    }
    let status = json!({ "status": "recording" });
    assert_eq!(
        bench.refused(&format!("{id}/updateRecordingStatus"), &status),
        bad("8506")
    );
    let id = bench.ring();
    let mut own = answer();
    own["mediaConfig"] = json!({ "@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": "opaque" });
    bench.post(&format!("{id}/answer"), &own);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.refused(&format!("{id}/playPrompt"), &prompts(1, "")), bad("8500"));
}

#[test]
fn an_operation_that_runs_when_the_call_ends_is_not_told() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    bench.post(&format!("{id}/playPrompt"), &prompts(1, "cut"));
    bench.calls.hang_up(&id, bench.now).unwrap();
    bench.pass(Duration::from_secs(30));
    assert!(ends(&bench, "playPromptOperation").is_empty());
    assert_eq!(bench.labels().last(), Some(&"deleted terminated"));
}
