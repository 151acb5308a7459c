//! What is recorded of calls on a real media host: answers, calls of a policy, and calls that their bot records.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use trunkline_bot::Error;
use trunkline_bot::calls::{Directions, RecordingStatus, WholeCall};
use trunkline_bot::event::{CallRecording, RecordingEnd, RecordingNews, StatusUpdated};
use trunkline_bot::prelude::*;
use trunkline_caller::Sound;

use super::support::{SHARDS, until};
use super::world::{GREETING, PATIENCE, STORY, World};

#[derive(Default, Serialize, Deserialize)]
struct Desk {
    answer: Option<Op<Recording>>,
}

impl State for Desk {}

/// Where the handler puts what it fetched.
type Fetched = Arc<Mutex<Vec<(RecordingEnd, Vec<u8>)>>>;

async fn meet(_: &mut Ringing<Fetched>, _: &mut Desk, _: Invitation) -> Result<Decision> {
    Ok(Decision::Answer(Media::hosted()))
}

async fn ask(call: &mut Call<Fetched>, desk: &mut Desk, _: Connected) -> Result<Then> {
    let record = Record::at_most(Duration::from_secs(60))
        .after(GREETING.prompt())
        .first_silence(Duration::from_secs(60))
        .silence(Duration::from_secs(60))
        .stop_keys("#");
    desk.answer = Some(call.record(record));
    Ok(Then::Stay)
}

async fn keep(call: &mut Call<Fetched>, desk: &mut Desk, recorded: Recorded) -> Result<Then> {
    assert_eq!(desk.answer.as_ref(), Some(&recorded.recording));
    let clip = recorded.clip.expect("something was said");
    let fault = |error: reqwest::Error| Error::fault(error.to_string());
    let request = reqwest::Client::new().get(clip.location());
    let answer = request.bearer_auth(clip.token().expose()).send().await.map_err(fault)?;
    let wav = answer.error_for_status().map_err(fault)?.bytes().await.map_err(fault)?;
    call.app.lock().unwrap().push((recorded.end, wav.to_vec()));
    Ok(Then::HangUp)
}

#[actix::test]
async fn an_answer_is_recorded_by_the_host_and_fetched_by_the_bot() {
    let world = World::new();
    let _host = world.host("media-1").await;
    let fetched = Fetched::default();
    let bot = CallBot::answering("test", fetched.clone(), meet)
        .on(calls::connected(), ask)
        .on(calls::recorded(), keep)
        .build()
        .unwrap();
    let worker = world.worker_of("a", bot).await;
    let caller = world.caller(&worker).await;
    // The prompt, then a beep of 1 kHz.
    caller
        .hears("the beep", PATIENCE, |heard| {
            heard.tone(1_000, 0) >= Duration::from_millis(100)
        })
        .await
        .unwrap();
    caller.say(Sound::Tone(700));
    until("it is recorded", || is_recorded(&world.recordings(), "-answer.opus")).await;
    caller.press("#").unwrap();
    until("the bot hangs up", || world.graph.count("delete") == 1).await;
    assert_eq!(world.graph.count("recordResponse"), 0, "Graph records nothing");

    let fetched = fetched.lock().unwrap();
    let (end, wav) = &fetched[0];
    assert_eq!(*end, RecordingEnd::StopKey);
    let samples: Vec<i16> = wav[44..]
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    // 16 kHz, 20 ms a part.
    let said = samples.chunks_exact(320).filter(|part| crossings(part) == 28).count();
    assert!(said >= 25, "{said} parts of {} are 700 Hz", samples.len() / 320);
}

/// How often a tone changes its sign in 20 ms: 28 times at 700 Hz, give or take the edges.
fn crossings(part: &[i16]) -> usize {
    let count = part.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count();
    // The first or the last may be just outside.
    if (27..=29).contains(&count) { 28 } else { count }
}

async fn policy_asks(_: &mut Ringing<Fetched>, _: &mut Desk, _: RecordingInvitation) -> Result<Decision> {
    Ok(Decision::Answer(Media::hosted()))
}

async fn say_it(call: &mut Call<Fetched>, _: &mut Desk, _: Connected) -> Result<Then> {
    call.recording_status(RecordingStatus::Recording);
    Ok(Then::Stay)
}

/// The key `0` ends the recording.
async fn stop(call: &mut Call<Fetched>, _: &mut Desk, _: Tone) -> Result<Then> {
    call.recording_status(RecordingStatus::NotRecording);
    Ok(Then::Stay)
}

async fn status(call: &mut Call<Fetched>, _: &mut Desk, updated: StatusUpdated) -> Result<Then> {
    assert_eq!(updated.done, Ok(()));
    call.app.lock().unwrap().push((RecordingEnd::Other, Vec::new()));
    Ok(Then::Stay)
}

/// The files of recordings with that ending.
fn files(below: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(below)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
    {
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Whether half a second of 700 Hz is in a recording that is still being written.
fn is_recorded(below: &Path, ending: &str) -> bool {
    let spectra = files(below, ending)
        .first()
        .and_then(|file| trunkline_caller::recorded(&std::fs::read(file).ok()?).ok());
    spectra.is_some_and(|spectra| spectra.iter().filter(|part| part.has(700)).count() >= 25)
}

#[actix::test]
async fn a_call_of_a_policy_is_recorded_from_the_confirmation_until_another_word() {
    let world = World::new();
    let _host = world.host("media-1").await;
    let words = Fetched::default();
    let bot = CallBot::calling("test", words.clone())
        .recording_asked(policy_asks)
        .on(calls::connected(), say_it)
        .on(calls::status_updated(), status)
        .on(calls::tone(), stop)
        .build()
        .unwrap();
    let worker = world.worker_of("a", bot).await;
    let policy = json!({ "incomingContext": { "observedParticipantId": "p", "sourceParticipantId": "s" } });
    let caller = world.caller_with(&worker, &policy).await;
    caller.say(Sound::Tone(700));
    until("the bot is told that it records", || words.lock().unwrap().len() == 1).await;
    assert_eq!(world.graph.last("updateRecordingStatus").body["status"], "recording");
    let received = files(&world.recordings(), "-received.opus");
    assert_eq!(received.len(), 1, "{received:?}");
    until("it is recorded", || is_recorded(&world.recordings(), "-received.opus")).await;
    caller.press("0").unwrap();
    until("the bot is told that it records no more", || {
        words.lock().unwrap().len() == 2
    })
    .await;
    assert_eq!(world.graph.last("updateRecordingStatus").body["status"], "notRecording");

    until("the manifests are there", || {
        files(&world.recordings(), ".json").len() == 2
    })
    .await;
    let spectra = trunkline_caller::recorded(&std::fs::read(&received[0]).unwrap()).unwrap();
    let said = spectra.iter().filter(|part| part.has(700)).count();
    assert!(said >= 25, "{said} parts of {} are what was said", spectra.len());
    let manifest = std::fs::read_to_string(&files(&world.recordings(), "-received.opus.json")[0]).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["confirmed_by"], "0fe0623f-d628-42ed-b4bd-8ac290072cc5");
}

/// What the bot that records its call remembers, and what it was told.
#[derive(Default, Serialize, Deserialize)]
struct Keeper {
    recording: Option<Op<WholeCall>>,
}

impl State for Keeper {}

type Heard = Arc<Mutex<Vec<RecordingNews>>>;

async fn answer(_: &mut Ringing<Heard>, _: &mut Keeper, _: Invitation) -> Result<Decision> {
    Ok(Decision::Answer(Media::hosted()))
}

async fn record(call: &mut Call<Heard>, keeper: &mut Keeper, _: Connected) -> Result<Then> {
    keeper.recording = Some(call.record_call(Directions::Both));
    call.play(STORY.prompt());
    Ok(Then::Stay)
}

/// Any key ends the recording.
async fn enough(call: &mut Call<Heard>, keeper: &mut Keeper, _: Tone) -> Result<Then> {
    call.stop_recording(keeper.recording.as_ref().expect("it records"));
    Ok(Then::Stay)
}

async fn hear(call: &mut Call<Heard>, keeper: &mut Keeper, told: CallRecording) -> Result<Then> {
    assert_eq!(keeper.recording.as_ref(), Some(&told.recording));
    call.app.lock().unwrap().push(told.news);
    Ok(Then::Stay)
}

fn keeper(heard: &Heard) -> Arc<dyn trunkline_bot::logic::Logic> {
    CallBot::answering("test", heard.clone(), answer)
        .on(calls::connected(), record)
        .on(calls::tone(), enough)
        .on(calls::call_recording(), hear)
        .build()
        .unwrap()
}

/// Whether half a second of a tone is in a recording.
fn holds(file: &Path, hz: u16) -> bool {
    let spectra = std::fs::read(file)
        .ok()
        .and_then(|bytes| trunkline_caller::recorded(&bytes).ok());
    spectra.is_some_and(|spectra| spectra.iter().filter(|part| part.has(hz)).count() >= 25)
}

#[actix::test]
async fn a_bot_records_its_call_and_the_recording_outlives_the_worker_that_began_it() {
    let world = World::new();
    let _host = world.host("media-1").await;
    let heard = Heard::default();
    let first = world.worker_of("a", keeper(&heard)).await;
    let caller = world.caller(&first).await;
    caller.say(Sound::Tone(700));
    until("the bot is told that it records", || {
        matches!(heard.lock().unwrap().as_slice(), [RecordingNews::Started { .. }])
    })
    .await;
    until("it is recorded", || is_recorded(&world.recordings(), "-received.opus")).await;
    let is_told = |heard: &trunkline_caller::Heard| heard.tone(STORY.hz, 0) >= Duration::from_secs(1);
    caller.hears("the story", PATIENCE, is_told).await.unwrap();

    first.kill().await;
    let second = world.worker_of("b", keeper(&heard)).await;
    until("the next worker serves everything", || {
        second.serving() == SHARDS as usize
    })
    .await;
    caller.press("0").unwrap();
    until("the bot is told of its files", || heard.lock().unwrap().len() == 2).await;
    let heard = heard.lock().unwrap();
    let RecordingNews::Finished { files: told } = &heard[1] else {
        panic!("{heard:?}")
    };
    let path = |file: &str| world.recordings().join(file);
    for (direction, hz) in [("received", 700), ("sent", STORY.hz)] {
        let file = told.iter().find(|file| file.direction == direction).expect(direction);
        assert!(holds(&path(&file.file), hz), "{direction} lacks {hz} Hz");
        let manifest = std::fs::read_to_string(path(&file.manifest())).unwrap();
        assert!(manifest.contains(&file.sha256), "{manifest}");
    }
    assert_eq!(files(&world.recordings(), ".opus").len(), 2, "it was recorded twice");
    assert_eq!(
        world.graph.count("updateRecordingStatus"),
        0,
        "Graph hears nothing of it"
    );
}

async fn record_in_one(call: &mut Call<Heard>, keeper: &mut Keeper, _: Connected) -> Result<Then> {
    keeper.recording = Some(call.record_call(Directions::Mixed));
    call.play(STORY.prompt());
    Ok(Then::Stay)
}

#[actix::test]
async fn a_bot_records_its_call_with_both_directions_in_one_file() {
    let world = World::new();
    let _host = world.host("media-1").await;
    let heard = Heard::default();
    let bot = CallBot::answering("test", heard.clone(), answer)
        .on(calls::connected(), record_in_one)
        .on(calls::tone(), enough)
        .on(calls::call_recording(), hear)
        .build()
        .unwrap();
    let worker = world.worker_of("a", bot).await;
    let caller = world.caller(&worker).await;
    caller.say(Sound::Tone(700));
    let is_told = |heard: &trunkline_caller::Heard| heard.tone(STORY.hz, 0) >= Duration::from_secs(2);
    caller.hears("the story", PATIENCE, is_told).await.unwrap();
    caller.press("0").unwrap();
    until("the bot is told of its file", || heard.lock().unwrap().len() == 2).await;
    let heard = heard.lock().unwrap();
    let [RecordingNews::Started { .. }, RecordingNews::Finished { files }] = heard.as_slice() else {
        panic!("{heard:?}")
    };
    assert_eq!((files.len(), files[0].direction.as_str()), (1, "mixed"));
    let file = world.recordings().join(&files[0].file);
    assert!(holds(&file, 700) && holds(&file, STORY.hz), "both are in it");
}
