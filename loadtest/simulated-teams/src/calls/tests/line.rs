//! Calls whose sound the bot handles itself.

use super::*;

const BLOB: &str = r#"{"whip":"https://media.example:8445/legs/1.abc","token":"sesame"}"#;
const WHIP: &str = "https://media.example:8445/legs/1.abc";
const ELSEWHERE: &str = r#"{"whip":"https://other.example:8445/legs/2.xyz","token":"open"}"#;

fn own_media(blob: &str) -> Value {
    let mut body = answer();
    body["mediaConfig"] = json!({ "@odata.type": "#microsoft.graph.appHostedMediaConfig", "blob": blob });
    body
}

/// A call that the bot has answered with its own media.
fn answered(bench: &mut Bench, blob: &str) -> String {
    let id = bench.ring();
    assert_eq!(bench.post(&format!("{id}/answer"), &own_media(blob)).status, 202);
    id
}

#[test]
fn the_peer_is_let_in_by_what_the_bot_wrote_and_the_token_is_not_printed() {
    let mut bench = Bench::new(settings());
    let id = answered(&mut bench, BLOB);
    assert_eq!(bench.view(&id).line, Some(LineState::Offered));
    let invitation = bench.calls.line_invitation(&id).unwrap();
    assert_eq!(invitation.whip, "https://media.example:8445/legs/1.abc");
    assert_eq!(invitation.token, "sesame");
    assert!(!format!("{invitation:?}").contains("sesame"));
    bench.calls.line_connected(&id, WHIP, bench.now).unwrap();
    assert_eq!(bench.view(&id).line, Some(LineState::Connected));
}

#[test]
fn a_blob_that_names_no_address_and_token_is_no_line() {
    for blob in [
        "opaque",
        r#"{"whip":"ftp://a/","token":"t"}"#,
        r#"{"whip":"https://a/","token":""}"#,
        "{}",
    ] {
        let mut bench = Bench::new(settings());
        let id = answered(&mut bench, blob);
        assert_eq!(bench.view(&id).line, None, "{blob}");
        assert_eq!(bench.calls.line_invitation(&id), Err(CallRefusal::NoLine));
        assert_eq!(bench.calls.line_lost(&id, WHIP, bench.now), Err(CallRefusal::NoLine));
    }
}

#[test]
fn a_call_whose_media_graph_hosts_has_no_line() {
    let mut bench = Bench::new(settings());
    let id = bench.talking();
    assert_eq!(bench.view(&id).line, None);
    assert_eq!(
        bench.calls.line_connected(&id, WHIP, bench.now),
        Err(CallRefusal::NoLine)
    );
}

#[test]
fn a_line_that_is_lost_ends_the_call_before_it_is_established_and_after() {
    for wait in [Duration::ZERO, Duration::from_secs(1)] {
        let mut bench = Bench::new(settings());
        let id = answered(&mut bench, BLOB);
        bench.pass(wait);
        bench.calls.line_lost(&id, WHIP, bench.now).unwrap();
        bench.pass(Duration::from_secs(1));
        assert_eq!(bench.end(&id), (Some(410), Some(301_005)));
        assert_eq!(bench.last_told()["resourceData"]["state"], "terminated");
        assert_eq!(
            bench.calls.line_lost(&id, WHIP, bench.now),
            Err(CallRefusal::NoSuchCall)
        );
        assert_eq!(bench.calls.line_invitation(&id), Err(CallRefusal::NoSuchCall));
    }
}

#[test]
fn keys_of_a_connected_line_are_noted_and_heard_by_the_bot_s_own_media_alone() {
    let mut bench = Bench::new(settings());
    let id = answered(&mut bench, BLOB);
    bench.pass(Duration::from_secs(1));
    bench.post(&format!("{id}/subscribeToTone"), &json!({ "clientContext": "keys" }));
    let told = bench.told().len();
    bench.calls.line_connected(&id, WHIP, bench.now).unwrap();
    bench.calls.press_key(&id, "7", bench.now).unwrap();
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.view(&id).pressed, ["7"]);
    assert_eq!(bench.told().len(), told);
}

#[test]
fn a_second_answer_of_a_call_that_is_up_leads_its_peer_elsewhere_and_what_is_told_of_the_first_line_counts_no_more() {
    let mut bench = Bench::new(settings());
    let id = answered(&mut bench, BLOB);
    bench.pass(Duration::from_secs(1));
    bench.calls.line_connected(&id, WHIP, bench.now).unwrap();
    assert_eq!(bench.view(&id).lines, 1);
    for _ in 0..2 {
        assert_eq!(bench.post(&format!("{id}/answer"), &own_media(ELSEWHERE)).status, 202);
        assert_eq!(
            (bench.view(&id).lines, bench.view(&id).line),
            (2, Some(LineState::Offered))
        );
    }
    assert_eq!(bench.calls.line_invitation(&id).unwrap().token, "open");
    bench.calls.line_connected(&id, WHIP, bench.now).unwrap();
    bench.calls.line_lost(&id, WHIP, bench.now).unwrap();
    assert_eq!(bench.view(&id).line, Some(LineState::Offered));
    bench
        .calls
        .line_lost(&id, "https://other.example:8445/legs/2.xyz", bench.now)
        .unwrap();
    assert_eq!(bench.end(&id), (Some(410), Some(301_005)));
}

#[test]
fn a_second_answer_is_refused_while_the_call_is_not_up_and_where_graph_hosts_the_media() {
    let mut bench = Bench::new(settings());
    let id = answered(&mut bench, BLOB);
    assert_eq!(bench.post(&format!("{id}/answer"), &own_media(ELSEWHERE)).status, 400);
    bench.pass(Duration::from_secs(1));
    assert_eq!(bench.post(&format!("{id}/answer"), &answer()).status, 400);
    let by_graph = bench.talking();
    assert_eq!(
        bench.post(&format!("{by_graph}/answer"), &own_media(ELSEWHERE)).status,
        400
    );
}
