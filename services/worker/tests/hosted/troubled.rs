//! Trouble with the sound of a call, as its bot and its operator hear of it.

use std::sync::{Arc, Mutex};

use trunkline_bot::event::{Trouble, TroubleKind};
use trunkline_bot::prelude::*;
use trunkline_caller::Sound;
use trunkline_proto::admin::ShowCallRequest;
use trunkline_proto::admin::admin_client::AdminClient;

use super::support::node::Node;
use super::support::{until, until_it_is};
use super::world::{CALL, World};

#[derive(Default, Serialize, Deserialize)]
struct Desk {}

impl State for Desk {}

/// What was told of trouble: its kind, and whether it was over.
type App = Arc<Mutex<Vec<(TroubleKind, bool)>>>;

async fn meet(_: &mut Ringing<App>, _: &mut Desk, _: Invitation) -> Result<Decision> {
    Ok(Decision::Answer(Media::hosted()))
}

/// Waits for whoever has vanished, and ends the call once they are back.
async fn troubled(call: &mut Call<App>, _: &mut Desk, trouble: Trouble) -> Result<Then> {
    call.app.lock().unwrap().push((trouble.kind, trouble.is_over));
    Ok(if trouble.is_over { Then::HangUp } else { Then::Stay })
}

#[actix::test]
async fn a_caller_who_sends_nothing_is_told_to_the_bot_and_stands_in_the_story_of_the_call() {
    let world = World::new();
    let _host = world.host("media-1").await;
    let told = App::default();
    let bot = CallBot::answering("test", told.clone(), meet)
        .on(calls::trouble(), troubled)
        .build()
        .unwrap();
    let worker = world.worker_of("a", bot).await;
    let caller = world.caller(&worker).await;
    caller.say(Sound::Nothing);
    until("the bot hears that nothing comes", || !told.lock().unwrap().is_empty()).await;
    caller.say(Sound::Silence);
    until("the bot hangs up as they are back", || world.graph.count("delete") == 1).await;
    let kind = TroubleKind::NothingComes;
    assert_eq!(*told.lock().unwrap(), [(kind, false), (kind, true)]);

    for said in [
        "alarm: nothing comes from the peer",
        "no alarm any more: the peer sends again",
    ] {
        let is_there = async || timeline(&worker).await.iter().any(|what| what.contains(said));
        until_it_is(said, is_there).await;
    }
}

/// What `trunkline call show` tells of the call.
async fn timeline(worker: &Node) -> Vec<String> {
    let mut operator = AdminClient::connect(format!("http://{}", worker.address))
        .await
        .unwrap();
    let request = ShowCallRequest {
        bot: "test".to_owned(),
        key: CALL.to_owned(),
    };
    let shown = operator.show_call(request).await.unwrap().into_inner();
    shown.timeline.into_iter().map(|moment| moment.what).collect()
}
