//! A bot that hears and speaks itself.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, ready};
use trunkline_bot::Sound;
use trunkline_bot::logic::{Said, SoundEnds, SoundFrame};
use trunkline_bot::prelude::*;

use super::bot;

#[derive(Serialize, Deserialize)]
struct Heard {
    loud: u32,
}

impl Signal for Heard {
    const NAME: &'static str = "heard";
}

/// What a bot said and told.
#[derive(Default)]
struct Call(Mutex<Vec<String>>);

impl Said for Call {
    fn say(&self, samples: Vec<i16>) -> BoxFuture<'_, bool> {
        let silent = samples.iter().rev().take_while(|sample| **sample == 0).count();
        self.0
            .lock()
            .unwrap()
            .push(format!("says {} and {silent} zeros", samples.len() - silent));
        ready(true).boxed()
    }

    fn signal(&self, name: String, key: String, payload: Bytes) -> BoxFuture<'_, std::result::Result<(), String>> {
        let payload = String::from_utf8(payload.to_vec()).unwrap();
        self.0.lock().unwrap().push(format!("tells {name} {key:?} {payload}"));
        ready(Err("the call is over".to_owned())).boxed()
    }
}

fn frame(number: u64, level: u8) -> SoundFrame {
    SoundFrame {
        number,
        level,
        is_concealed: false,
        dropped_before: 0,
        samples: vec![0; 320],
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    clippy::ignored_unit_patterns,
    reason = "the app of a bot without one"
)]
async fn listen(mut sound: Sound, _: &'static ()) {
    assert_eq!(sound.call_key().as_str(), "k");
    let mut loud = 0;
    while let Some(frame) = sound.next().await {
        loud += u32::from(frame.level < 40);
    }
    let speaker = sound.speaker();
    assert!(speaker.say(&[7; 400]).await);
    assert!(speaker.tell(Heard { loud }).await.is_err(), "what is not heard is said");
}

#[test]
fn a_bot_hears_what_is_said_speaks_in_frames_and_tells_its_call() {
    let logic = bot().listens(listen).build().unwrap();
    assert!(logic.describe().calls.unwrap().listens);
    let call = Arc::new(Call::default());
    let ends = || SoundEnds {
        call: "k".to_owned(),
        heard: futures_util::stream::iter([frame(0, 20), frame(1, 90), frame(2, 30)]).boxed(),
        said: call.clone(),
    };
    logic.listen(ends()).unwrap().now_or_never().unwrap();
    assert_eq!(
        *call.0.lock().unwrap(),
        [
            "says 320 and 0 zeros",
            "says 80 and 240 zeros",
            "tells heard \"\" {\"loud\":2}"
        ]
    );
    let deaf = bot().build().unwrap();
    assert!(!deaf.describe().calls.unwrap().listens && deaf.listen(ends()).is_none());
}
