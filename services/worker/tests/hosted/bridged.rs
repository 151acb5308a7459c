//! Two calls of a bot whose people hear each other.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use trunkline_bot::calls::CallLeg;
use trunkline_bot::event::{BridgeEnded, OperationEnded};
use trunkline_bot::logic::Logic;
use trunkline_bot::prelude::*;
use trunkline_caller::{Caller, CallerSettings, Codec, Heard, Sound};

use super::support::node::Node;
use super::support::{until, until_it_is};
use super::world::{CALL, PATIENCE, World};

/// Graph's id of the second call.
const OTHER: &str = "68ebc9c2-9a5d-412b-b341-ce9cf9bf9a07";

#[derive(Default, Serialize, Deserialize)]
struct Desk {}

impl State for Desk {}

/// Where the sound of the first call is, and what was told of bridges.
#[derive(Default)]
struct Switchboard {
    first: Mutex<Option<CallLeg>>,
    /// The second call goes to any host.
    is_apart: bool,
    told: Mutex<Vec<String>>,
}

type App = Arc<Switchboard>;

async fn meet(ringing: &mut Ringing<App>, _: &mut Desk, _: Invitation) -> Result<Decision> {
    let media = Media::hosted();
    let first = ringing.app.first.lock().unwrap();
    Ok(Decision::Answer(match &*first {
        Some(first) if !ringing.app.is_apart => media.near(first),
        _ => media,
    }))
}

/// The first call waits; the second is bridged with it.
async fn connect(call: &mut Call<App>, _: &mut Desk, _: Connected) -> Result<Then> {
    let own = call.leg().cloned();
    let first = {
        let mut first = call.app.first.lock().unwrap();
        if first.is_none() {
            *first = own;
            return Ok(Then::Stay);
        }
        first.clone()
    };
    if let Some(first) = first {
        call.bridge(&first);
    }
    Ok(Then::Stay)
}

async fn done(call: &mut Call<App>, _: &mut Desk, ended: OperationEnded) -> Result<Then> {
    if ended.operation == "bridge" {
        call.app.told.lock().unwrap().push(format!("bridged: {:?}", ended.done));
    }
    Ok(Then::Stay)
}

async fn over(call: &mut Call<App>, _: &mut Desk, _: BridgeEnded) -> Result<Then> {
    call.app.told.lock().unwrap().push("over".to_owned());
    Ok(Then::HangUp)
}

async fn hears(caller: &Caller, hz: u16) {
    let half = |heard: &Heard| heard.tone(hz, 0) >= Duration::from_millis(500);
    caller
        .hears(&format!("{hz} Hz of the other"), PATIENCE, half)
        .await
        .unwrap();
}

fn bot(app: &App) -> Arc<dyn Logic> {
    CallBot::answering("test", app.clone(), meet)
        .on(calls::connected(), connect)
        .on(calls::operation_ended(), done)
        .on(calls::bridge_ended(), over)
        .build()
        .unwrap()
}

async fn first_call(world: &World, worker: &Node, app: &App) -> Caller {
    let settings = CallerSettings::default();
    let caller = world.caller_as(CALL, worker, &json!({}), settings).await;
    until("the first call has its leg", || app.first.lock().unwrap().is_some()).await;
    caller
}

#[actix::test]
async fn two_callers_of_different_codecs_hear_each_other_until_one_hangs_up() {
    let world = World::new();
    let _host = world.host("media-1").await;
    let app = App::default();
    let worker = world.worker_of("a", bot(&app)).await;
    let one = first_call(&world, &worker, &app).await;
    let in_pcmu = CallerSettings {
        codec: Codec::Pcmu,
        ..CallerSettings::default()
    };
    let other = world.caller_as(OTHER, &worker, &json!({}), in_pcmu).await;
    one.say(Sound::Tone(700));
    other.say(Sound::Tone(1_200));
    hears(&one, 1_200).await;
    hears(&other, 700).await;
    until("the bot is told", || app.told.lock().unwrap().len() == 1).await;
    assert_eq!(*app.told.lock().unwrap(), ["bridged: Ok(())"]);
    one.press("5").unwrap();
    other
        .hears("the key", PATIENCE, |heard| heard.keys() == "5")
        .await
        .unwrap();

    assert_eq!(one.hang_up().await.unwrap(), 200);
    until("the other call is told and ends, too", || {
        world.graph.count("delete") == 2
    })
    .await;
    assert_eq!(app.told.lock().unwrap()[1..], ["over"]);
}

#[actix::test]
async fn two_callers_at_different_hosts_are_not_bridged_and_stay() {
    let world = World::new();
    let _one = world.host("media-1").await;
    let app = App::new(Switchboard {
        is_apart: true,
        ..Switchboard::default()
    });
    let worker = world.worker_of("a", bot(&app)).await;
    let one = first_call(&world, &worker, &app).await;
    // The next call goes to whoever has fewer.
    let _other = world.host("media-2").await;
    until_it_is("a host with a call and one without", async || {
        let mut legs = world.legs().await;
        legs.sort_unstable();
        legs == [0, 1]
    })
    .await;
    let settings = CallerSettings::default();
    let other = world.caller_as(OTHER, &worker, &json!({}), settings).await;
    until("the bot is told", || app.told.lock().unwrap().len() == 1).await;
    let told = app.told.lock().unwrap()[0].clone();
    assert!(told.contains("TRUNKLINE_LEG_REFUSED"), "{told}");
    assert!(!one.has_ended() && !other.has_ended());
}
