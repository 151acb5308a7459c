//! Calls that are recorded whole.

use trunkline_bot::calls::{Directions, WholeCall};
use trunkline_bot::event::{CallRecording, RecordingNews};
use trunkline_bot::prelude::*;
use trunkline_bot::test::Phone;

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    lines: Vec<String>,
    recording: Option<Op<WholeCall>>,
}

impl State for Kept {}

async fn hosted(_: &mut Ringing, _: &mut Kept, _: Invitation) -> Result<Decision> {
    Ok(Decision::Answer(Media::hosted()))
}

async fn by_graph(_: &mut Ringing, _: &mut Kept, _: Invitation) -> Result<Decision> {
    Ok(Decision::answer())
}

async fn begin(call: &mut Call, kept: &mut Kept, _: Connected) -> Result<Then> {
    kept.recording = Some(call.record_call(Directions::Both));
    Ok(Then::Stay)
}

async fn stop(call: &mut Call, kept: &mut Kept, _: Tone) -> Result<Then> {
    if let Some(recording) = &kept.recording {
        call.stop_recording(recording);
    }
    Ok(Then::Stay)
}

async fn told(_: &mut Call, kept: &mut Kept, told: CallRecording) -> Result<Then> {
    assert_eq!(kept.recording.as_ref(), Some(&told.recording));
    kept.lines.push(match told.news {
        RecordingNews::Started { .. } => "started".to_owned(),
        RecordingNews::Gap { direction, packets } => format!("{packets} packets of {direction} are missing"),
        RecordingNews::Finished { files } => format!("{} files", files.len()),
        RecordingNews::Failed { reason, .. } => reason,
        RecordingNews::CallEnded { .. } => "the call ended first".to_owned(),
        other => format!("{other:?}"),
    });
    Ok(Then::Stay)
}

fn listening(bot: CallBot<Kept>) -> Phone<Kept> {
    Phone::with(
        bot.on(calls::connected(), begin)
            .on(calls::tone(), stop)
            .on(calls::call_recording(), told),
    )
}

fn phone() -> Phone<Kept> {
    listening(CallBot::answering("keeper", (), hosted))
}

#[test]
fn a_bot_hears_when_its_recording_starts_has_a_gap_and_where_its_files_are() {
    let mut phone = phone();
    phone.rings().recording_lacks("received", 3).keys("0");
    let expected = ["started", "3 packets of received are missing", "2 files"];
    assert_eq!(phone.state().lines, expected);
}

#[test]
fn both_directions_may_be_in_one_file() {
    async fn mixed(call: &mut Call, kept: &mut Kept, _: Connected) -> Result<Then> {
        kept.recording = Some(call.record_call(Directions::Mixed));
        Ok(Then::Stay)
    }
    let bot = CallBot::answering("keeper", (), hosted);
    let mut phone = Phone::with(
        bot.on(calls::connected(), mixed)
            .on(calls::tone(), stop)
            .on(calls::call_recording(), told),
    );
    phone.rings().keys("0");
    assert_eq!(phone.state().lines, ["started", "1 files"]);
}

#[test]
fn a_recording_ends_with_its_call_its_media_host_or_a_full_disk() {
    let mut first = phone();
    first.rings().hangs_up();
    assert_eq!(first.state().lines, ["started", "the call ended first"]);
    let mut second = phone();
    second.rings().recording_fails("the disk is full");
    assert_eq!(second.state().lines, ["started", "the disk is full"]);
    let mut third = phone();
    third.rings().loses_media();
    assert_eq!(third.state().lines, ["started", "the media host is gone"]);
}

#[test]
fn a_call_whose_sound_graph_carries_is_not_recorded() {
    let mut phone = listening(CallBot::answering("keeper", (), by_graph));
    phone.rings();
    assert_eq!(phone.state().lines, ["no media host carries the sound of this call"]);
}

#[test]
fn what_a_policy_records_is_not_recorded_beside_its_word() {
    async fn policy(_: &mut Ringing, _: &mut Kept, _: RecordingInvitation) -> Result<Decision> {
        Ok(Decision::Answer(Media::hosted()))
    }
    let mut phone = listening(CallBot::calling("keeper", ()).recording_asked(policy));
    phone.asks_to_record("Ada", "policy");
    let failure = phone.failure().unwrap_or_default();
    assert!(failure.contains("recording_status(Recording)"), "{failure}");
}
