//! Calls end to end: a worker, an ingress that brings notifications, a Graph that is asked over real sockets, and a bot.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use support::connector::FakeConnector;
use support::graph::{FakeGraph, MADE};
use support::ingress::{Answered, Said, TENANT, Told};
use support::{House, config, hosted, store_in_memory, until};
use trunkline_bot::event::{Ended, Tone};
use trunkline_bot::logic::Logic;
use trunkline_bot::prelude::*;
use trunkline_proto::routing::Reason;
use trunkline_store::contract::{EndedQuery, Month};
use trunkline_store::key::Triple;
use trunkline_worker::conversation::{CallSettings, Request, Response};
use trunkline_worker::{HostedBot, HostedCalls};

/// Graph's id of a call that comes in, which is its key.
const CALL: &str = "57dab8b1-894c-409a-b240-bd8beae78896";

#[derive(Default, Serialize, Deserialize)]
struct Desk {
    greeting: Option<Op<Voice>>,
    report_to: Option<Address>,
    keys: String,
    /// Another call, whose person this one is handed to.
    other: Option<CallKey>,
}

impl State for Desk {}

#[derive(Serialize, Deserialize)]
struct Hello {
    report_to: Address,
}

impl Signal for Hello {
    const NAME: &'static str = "hello";
}

/// What a call is begun with that another one wants.
#[derive(Serialize, Deserialize)]
struct Aside {}

impl Signal for Aside {
    const NAME: &'static str = "aside";
}

/// What a call tells the conversation that began it.
#[derive(Serialize, Deserialize)]
struct Report {
    text: String,
}

impl Signal for Report {
    const NAME: &'static str = "report";
}

async fn meet(_: &mut Ringing, _: &mut Desk, invitation: Invitation) -> Result<Decision> {
    Ok(match invitation.caller_name() {
        "nobody" => Decision::Reject(RejectReason::Forbidden),
        _ => Decision::Answer(Media::audio()),
    })
}

async fn greet(call: &mut Call, desk: &mut Desk, _: Connected) -> Result<Then> {
    desk.greeting = Some(call.play(Prompt::at("https://bot.example/hello.wav")));
    Ok(Then::Stay)
}

async fn press(call: &mut Call, desk: &mut Desk, tone: Tone) -> Result<Then> {
    desk.keys.push(tone.0);
    Ok(match tone.0 {
        '9' => Then::HangUpAfter(call.play(Prompt::at("https://bot.example/bye.wav"))),
        '#' => Then::HangUp,
        '5' => match &desk.other {
            Some(other) => Then::TransferTo(Callee::user("ada"), other.clone()),
            None => Then::Stay,
        },
        '6' => {
            if let Some(other) = desk.other.clone() {
                call.invite_from(Callee::user("ada"), &other);
            }
            Then::Stay
        }
        '4' => {
            desk.other = Some(call.start_call(Outgoing::to_user("ada"), Aside {})?);
            Then::Stay
        }
        _ => Then::Stay,
    })
}

async fn hello(_: &mut Call, desk: &mut Desk, hello: Hello) -> Result<Then> {
    desk.report_to = Some(hello.report_to);
    Ok(Then::Stay)
}

async fn ended(turn: &mut Turn, desk: &mut Desk, _: Ended) -> Result {
    if let Some(to) = &desk.report_to {
        turn.send(to, plain(&format!("the call is over, keys {:?}", desk.keys)));
        turn.signal(
            to,
            Report {
                text: "over".to_owned(),
            },
        )?;
    }
    Ok(())
}

fn telephone() -> Arc<dyn Logic> {
    CallBot::answering("test", (), meet)
        .on(calls::connected(), greet)
        .on(calls::tone(), press)
        .on(calls::signal::<Hello>(), hello)
        .ended(ended)
        .build()
        .unwrap()
}

#[derive(Default, Serialize, Deserialize)]
struct Chat {
    reports: u32,
}

impl State for Chat {}

async fn ring_up(turn: &mut Turn, _: &mut Chat, _: Message) -> Result {
    let report_to = turn.here();
    turn.start_call(Outgoing::to_user("ada"), Hello { report_to })?;
    turn.reply("calling");
    Ok(())
}

async fn reported(turn: &mut Turn, chat: &mut Chat, report: Report) -> Result {
    chat.reports += 1;
    turn.reply(plain(&format!("report {}: {}", chat.reports, report.text)));
    Ok(())
}

fn chat() -> Arc<dyn Logic> {
    Bot::new("test")
        .on(command("call"), ring_up)
        .on(signal::<Report>(), reported)
        .build()
        .unwrap()
}

fn with_calls(graph: &FakeGraph, settings: CallSettings) -> HostedBot {
    let mut bot = hosted(chat());
    bot.allows_service_url = Arc::new(|_| true);
    bot.with_calls(HostedCalls {
        logic: telephone(),
        graph: graph.client(),
        callback: "https://bot.example/api/calls".to_owned(),
        settings,
    })
}

async fn house(graph: &FakeGraph) -> House {
    house_with(graph, CallSettings::default()).await
}

async fn house_with(graph: &FakeGraph, settings: CallSettings) -> House {
    let bots = vec![with_calls(graph, settings)];
    House::start(config(), store_in_memory(), bots, FakeConnector::start()).await
}

fn rings(key: &str, caller: &str) -> Told {
    let call = json!({ "state": "incoming", "direction": "incoming", "tenantId": TENANT,
        "source": { "identity": { "user": { "id": "1", "displayName": caller } } } });
    Told::call(key, key, "created", call)
}

async fn tells(house: &House, key: &str, id: &str, change: &str, call: Value) {
    let answered = house.ingress.notifies(&Told::call(key, id, change, call)).await;
    assert_eq!(answered, Answered::Accepted);
}

async fn is_established(house: &House, key: &str, id: &str) {
    let call = json!({ "state": "established", "mediaState": { "audio": "active" } });
    tells(house, key, id, "updated", call).await;
}

async fn presses(house: &House, key: &str, number: u64, tone: &str) {
    let call = json!({ "state": "established", "toneInfo": { "sequenceId": number, "tone": tone } });
    tells(house, key, key, "updated", call).await;
}

/// The prompt that was asked last has been played.
async fn is_played(house: &House, graph: &FakeGraph, key: &str) {
    let context = graph.last("playPrompt").body["clientContext"].clone();
    let operation = json!({ "@odata.type": "#microsoft.graph.playPromptOperation", "clientContext": context,
        "status": "completed", "resultInfo": { "code": 200, "subcode": 0 } });
    let told = Told::new(key, key, "deleted", "/operations/1", &operation);
    assert_eq!(house.ingress.notifies(&told).await, Answered::Accepted);
}

async fn is_over(house: &House, key: &str, id: &str) {
    let call = json!({ "state": "terminated", "resultInfo": { "code": 200, "subcode": 4521 } });
    tells(house, key, id, "deleted", call).await;
    wait_for_log(house, 1).await;
}

/// The log of ended calls, once it has that many.
async fn wait_for_log(house: &House, calls: usize) -> Vec<Value> {
    let query = || EndedQuery {
        from_ms: 0,
        until_ms: 1 << 52,
        tenant: None,
        limit: 100,
    };
    let began = std::time::Instant::now();
    loop {
        let found = house.store.calls().ended_calls(query()).await.unwrap();
        if found.len() >= calls {
            return found
                .iter()
                .map(|ended| serde_json::from_slice(&ended.entry).unwrap())
                .collect();
        }
        assert!(began.elapsed() < support::PATIENCE, "{} calls have ended", found.len());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[actix::test]
async fn somebody_calls_is_greeted_presses_a_key_and_the_bot_hangs_up_after_its_farewell() {
    let graph = FakeGraph::start();
    let house = house(&graph).await;
    assert_eq!(house.ingress.notifies(&rings(CALL, "Ines")).await, Answered::Accepted);
    until("the call is answered", || graph.count("answer") == 1).await;
    let answer = graph.last("answer");
    assert_eq!(answer.path, format!("{CALL}/answer"));
    assert_eq!(
        answer.body["callbackUri"],
        format!("https://bot.example/api/calls/{CALL}")
    );
    is_established(&house, CALL, CALL).await;
    until("the bot speaks and listens", || {
        graph.count("playPrompt") == 1 && graph.count("subscribeToTone") == 1
    })
    .await;
    is_played(&house, &graph, CALL).await;
    presses(&house, CALL, 1, "tone9").await;
    until("it says goodbye", || graph.count("playPrompt") == 2).await;
    assert_eq!(graph.count("delete"), 0);
    is_played(&house, &graph, CALL).await;
    until("it hangs up", || graph.count("delete") == 1).await;
    is_over(&house, CALL, CALL).await;
    let log = wait_for_log(&house, 1).await;
    assert_eq!(
        (&log[0]["call"], &log[0]["result"]["subcode"]),
        (&json!(CALL), &json!(4521))
    );
    let began = std::time::Instant::now();
    loop {
        let usage = house.store.calls().call_usage(Month::of_ms(now_ms())).await.unwrap();
        assert_eq!(usage[0].calls, 1);
        if usage[0].in_use == 0 {
            break;
        }
        assert!(began.elapsed() < support::PATIENCE, "the call still counts");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(now.unwrap().as_millis()).unwrap()
}

#[actix::test]
async fn a_handler_s_no_is_a_reject() {
    let graph = FakeGraph::start();
    let house = house(&graph).await;
    house.ingress.notifies(&rings(CALL, "nobody")).await;
    until("the call is rejected", || graph.count("reject") == 1).await;
    assert_eq!(graph.last("reject").body["reason"], "forbidden");
}

#[actix::test]
async fn a_bot_without_calls_refuses_them_and_says_so() {
    let house = House::with(chat()).await;
    let answered = house.ingress.notifies(&rings(CALL, "Ines")).await;
    assert_eq!(answered, Answered::Refused(Reason::UnknownKind));
}

#[actix::test]
async fn what_is_no_notification_is_refused_and_counted_and_what_is_of_another_tenant_is_dropped_and_counted() {
    let graph = FakeGraph::start();
    let house = house(&graph).await;
    let nothing = Told {
        body: json!(7),
        ..rings(CALL, "Ines")
    };
    let refused = Answered::Refused(Reason::Malformed);
    assert_eq!(
        house.ingress.notifies(&nothing).await,
        refused,
        "as Microsoft's SDK does"
    );
    assert_eq!(house.ingress.notifies(&rings(CALL, "Ines")).await, Answered::Accepted);
    until("the call is answered", || graph.count("answer") == 1).await;
    let of_another = Told::call(CALL, MADE, "updated", json!({ "state": "established" }));
    assert_eq!(house.ingress.notifies(&of_another).await, Answered::Accepted);
    assert_eq!(
        house.metric("trunkline_worker_call_notifications_dropped_total", &["test"]),
        2
    );
}

#[actix::test]
async fn a_chat_command_makes_a_call_which_reports_to_the_chat_when_it_is_over() {
    let graph = FakeGraph::start();
    let house = house(&graph).await;
    let said = house.ingress.sends(&Said::message("a:1", "m1", "call")).await;
    assert_eq!(said.status(), Some(200));
    until("the call is made", || graph.count("create") == 1).await;
    let create = graph.last("create");
    let callback = create.body["callbackUri"].as_str().unwrap().to_owned();
    let key = callback.rsplit('/').next().unwrap().to_owned();
    assert_eq!(create.body["targets"][0]["identity"]["user"]["id"], "ada");
    is_established(&house, &key, MADE).await;
    until("the bot speaks", || graph.count("playPrompt") == 1).await;
    assert_eq!(graph.last("playPrompt").path, format!("{MADE}/playPrompt"));
    is_over(&house, &key, MADE).await;
    until("the chat hears of it", || house.connector.texts().len() == 3).await;
    let mut texts = house.connector.texts();
    texts.sort();
    assert_eq!(texts, ["calling", "report 1: over", "the call is over, keys \"\""]);
}

#[actix::test]
async fn a_tenant_has_no_more_calls_than_its_limit() {
    let graph = FakeGraph::start();
    let settings = CallSettings {
        simultaneous: Some(1),
        ..CallSettings::default()
    };
    let house = house_with(&graph, settings).await;
    house.ingress.notifies(&rings(CALL, "Ines")).await;
    until("the first is answered", || graph.count("answer") == 1).await;
    let other = "00000000-894c-409a-b240-bd8beae78896";
    house.ingress.notifies(&rings(other, "Ada")).await;
    until("the second is rejected", || graph.count("reject") == 1).await;
    assert_eq!(graph.last("reject").body["reason"], "busy");
    assert_eq!(house.metric("trunkline_worker_calls_refused_total", &["test"]), 1);
    assert_eq!(house.metric("trunkline_worker_calls", &["test"]), 1);
    is_over(&house, CALL, CALL).await;
    until("the end is counted", || {
        let labels = [r#"bot="test""#, r#"by="person""#, r#"code="200""#];
        let ended = house.metric("trunkline_worker_calls_ended_total", &labels);
        ended == 1 && house.metric("trunkline_worker_calls", &["test"]) == 0
    })
    .await;
    let third = "00000001-894c-409a-b240-bd8beae78896";
    house.ingress.notifies(&rings(third, "Ada")).await;
    until("there is room again", || graph.count("answer") == 2).await;
}

#[actix::test]
async fn an_operator_hangs_up_and_sees_the_call() {
    let graph = FakeGraph::start();
    let house = house(&graph).await;
    house.ingress.notifies(&rings(CALL, "Ines")).await;
    until("the call is answered", || graph.count("answer") == 1).await;
    is_established(&house, CALL, CALL).await;
    let triple = Triple::call("test", CALL);
    let answer = house.operator.ask(triple.clone(), Request::HangUp).await;
    assert!(matches!(answer, Response::Done), "{answer:?}");
    until("graph is told", || graph.count("delete") == 1).await;
    let unknown = Triple::call("test", "no-such-call");
    let answer = house.operator.ask(unknown, Request::HangUp).await;
    assert!(matches!(answer, Response::Unknown), "{answer:?}");
}

#[actix::test]
async fn throttling_is_waited_for_and_a_refusal_is_told() {
    let graph = FakeGraph::start();
    let house = house(&graph).await;
    graph.answer_next([
        (503, json!({})),
        (429, json!({ "error": { "code": "TooManyRequests" } })),
    ]);
    house.ingress.notifies(&rings(CALL, "Ines")).await;
    until("the call is answered in the end", || graph.count("answer") == 3).await;
}

/// Ines has called, and at her wish the bot has called Ada.
async fn has_two_calls(house: &House, graph: &FakeGraph) {
    house.ingress.notifies(&rings(CALL, "Ines")).await;
    until("the call is answered", || graph.count("answer") == 1).await;
    is_established(house, CALL, CALL).await;
    presses(house, CALL, 1, "tone4").await;
    until("ada is called", || graph.count("create") == 1).await;
    let callback = graph.last("create").body["callbackUri"].as_str().unwrap().to_owned();
    let other = callback.rsplit('/').next().unwrap().to_owned();
    is_established(house, &other, MADE).await;
}

#[actix::test]
async fn a_call_is_handed_to_a_person_with_whom_the_bot_has_another_one() {
    let graph = FakeGraph::start();
    let house = house(&graph).await;
    has_two_calls(&house, &graph).await;
    presses(&house, CALL, 2, "tone5").await;
    until("ines is handed on", || graph.count("transfer") == 1).await;
    let transfer = graph.last("transfer");
    assert_eq!(transfer.path, format!("{CALL}/transfer"));
    assert_eq!(transfer.body["transferTarget"]["replacesCallId"], MADE);
}

#[actix::test]
async fn a_person_with_whom_the_bot_has_another_call_is_fetched_from_there() {
    let graph = FakeGraph::start();
    let house = house(&graph).await;
    has_two_calls(&house, &graph).await;
    presses(&house, CALL, 2, "tone6").await;
    until("ada is invited", || graph.count("invite") == 1).await;
    let invite = graph.last("invite");
    assert_eq!(invite.path, format!("{CALL}/participants/invite"));
    assert_eq!(invite.body["participants"][0]["replacesCallId"], MADE);
}
