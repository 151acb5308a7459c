//! Recorder: takes part in calls of people whom a recording policy names, says that it records before anything is kept, and
//! keeps who took part and when.
//!
//! Microsoft's rule (Graph, `call: updateRecordingStatus`): nothing of a call may be kept, nor anything derived from it, before
//! Graph has taken the word `recording`; and recording must have stopped before `notRecording` is said. What is kept here is
//! metadata: Graph's hosted media play and record short answers only, and a recorder of sound needs Microsoft's media library on
//! Windows.

mod ledger;

use std::path::PathBuf;
use std::time::SystemTime;

use trunkline_bot::calls::{Participant, RecordingStatus, Status};
use trunkline_bot::event::{StatusUpdated, participant_name};
use trunkline_bot::prelude::*;

pub use ledger::{Entry, FileLedger, Ledger, LedgerError, What};

/// What the recorder is told by its configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Policies that it records for, as Teams names them; all others are refused. None means every policy.
    pub policies: Vec<String>,
    /// How many people of one meeting one call serves, 1 for a call each.
    pub capacity: u32,
    /// File that keeps who took part and when.
    pub ledger: PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            policies: Vec::new(),
            capacity: 1,
            ledger: "recordings.jsonl".into(),
        }
    }
}

/// What one call remembers.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorder {
    /// The policy that asked.
    pub policy: String,
    /// The participant who is recorded.
    pub observed: String,
    /// The word to Graph that it waits for.
    pub status: Option<Op<Status>>,
    /// Graph has taken the word: what happens is kept from then on.
    pub is_recording: bool,
}

impl State for Recorder {}

/// The operator ends a recording.
#[derive(Debug, Serialize, Deserialize)]
pub struct StopRecording;

impl Signal for StopRecording {
    const NAME: &'static str = "stop-recording";
}

/// What the recorder works with.
pub struct App {
    settings: Settings,
    ledger: Box<dyn Ledger>,
}

/// The bot, with its ledger in a file.
pub fn bot(settings: Settings) -> CallBot<Recorder, App> {
    let ledger = FileLedger::new(&settings.ledger);
    with_ledger(settings, Box::new(ledger))
}

/// The bot, with the ledger of somebody else.
pub fn with_ledger(settings: Settings, ledger: Box<dyn Ledger>) -> CallBot<Recorder, App> {
    CallBot::calling("recorder", App { settings, ledger })
        .recording_asked(asked)
        .on(calls::connected(), connected)
        .on(calls::status_updated(), updated)
        .on(calls::joined(), joined)
        .on(calls::left(), left)
        .on(calls::signal::<StopRecording>(), stop)
        .ended(ended)
}

async fn asked(
    ringing: &mut Ringing<App>,
    recorder: &mut Recorder,
    invitation: RecordingInvitation,
) -> Result<Decision> {
    let policies = &ringing.app.settings.policies;
    let policy = invitation.policy().unwrap_or_default();
    if !policies.is_empty() && !policies.iter().any(|known| known == policy) {
        return Ok(Decision::Reject(RejectReason::Forbidden));
    }
    policy.clone_into(&mut recorder.policy);
    invitation.observed_participant().clone_into(&mut recorder.observed);
    Ok(Decision::Answer(Media::audio().capacity(ringing.app.settings.capacity)))
}

async fn connected(call: &mut Call<App>, recorder: &mut Recorder, _: Connected) -> Result<Then> {
    recorder.status = Some(call.recording_status(RecordingStatus::Recording));
    Ok(Then::Stay)
}

async fn updated(call: &mut Call<App>, recorder: &mut Recorder, updated: StatusUpdated) -> Result<Then> {
    if recorder.status.as_ref() != Some(&updated.status) {
        return Ok(Then::Stay);
    }
    recorder.status = None;
    match updated.done {
        Ok(()) => {
            recorder.is_recording = true;
            let present = call.present().iter().map(who).collect();
            keep(call, recorder, What::Began { present }).await?;
        }
        // Not allowed to record: Teams is told so, as its rules demand, and the bot stays silent.
        Err(_) => drop(call.recording_status(RecordingStatus::Failed)),
    }
    Ok(Then::Stay)
}

async fn joined(call: &mut Call<App>, recorder: &mut Recorder, joined: Joined) -> Result<Then> {
    let people = joined.people.iter().map(who).collect();
    keep(call, recorder, What::Joined { people }).await?;
    Ok(Then::Stay)
}

async fn left(call: &mut Call<App>, recorder: &mut Recorder, left: Left) -> Result<Then> {
    let people = left.people.iter().map(who).collect();
    keep(call, recorder, What::Left { people }).await?;
    Ok(Then::Stay)
}

async fn stop(call: &mut Call<App>, recorder: &mut Recorder, _: StopRecording) -> Result<Then> {
    keep(call, recorder, What::Stopped).await?;
    // Nothing is kept from here on; only then is it said.
    recorder.is_recording = false;
    call.recording_status(RecordingStatus::NotRecording);
    Ok(Then::Stay)
}

/// Keeps something of the call, once and only while Graph knows that it is recorded.
async fn keep(call: &mut Call<App>, recorder: &Recorder, what: What) -> Result {
    if !recorder.is_recording {
        return Ok(());
    }
    let entry = entry(call.call_key().as_str(), recorder, call.now(), what);
    call.once("keep", async |key| Ok(call.app.ledger.append(&entry, key.as_str())?))
        .await
}

async fn ended(turn: &mut Turn<App>, recorder: &mut Recorder, ended: Ended) -> Result {
    let (true, Address::Call { call, .. }) = (recorder.is_recording, turn.here()) else {
        return Ok(());
    };
    let result = ended.result.map(|result| (result.code(), result.subcode()));
    let entry = entry(&call, recorder, turn.now(), What::Ended { result });
    turn.once("keep", async |key| Ok(turn.app.ledger.append(&entry, key.as_str())?))
        .await
}

fn entry(call: &str, recorder: &Recorder, at: SystemTime, what: What) -> Entry {
    Entry {
        call: call.to_owned(),
        policy: recorder.policy.clone(),
        observed: recorder.observed.clone(),
        at,
        what,
    }
}

fn who(participant: &Participant) -> String {
    participant_name(participant).to_owned()
}
