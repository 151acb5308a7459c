//! Those who take part, and what a bot asks of them.

use trunkline_bot::Tones;
use trunkline_bot::event::{
    Invited, Lobby, Muted, OperationEnded, RecordedJoins, RecordedLeft, SharingEnded, SharingStarted, participant_name,
};
use trunkline_bot::logic::{Effect, EndedBy};
use trunkline_bot::prelude::*;
use trunkline_bot::test::Phone;
use trunkline_teams::graph::Operation;

use crate::{Notes, at, bot, notes};

#[test]
fn people_come_and_go_as_the_roster_says() {
    async fn joined(call: &mut Call, notes: &mut Notes, joined: Joined) -> Result<Then> {
        let names: Vec<&str> = joined.people.iter().map(participant_name).collect();
        notes
            .lines
            .push(format!("+{} of {}", names.join(","), call.present().len()));
        Ok(Then::Stay)
    }
    async fn left(call: &mut Call, notes: &mut Notes, left: Left) -> Result<Then> {
        notes.lines.push(format!("-{}", participant_name(&left.people[0])));
        Ok(if call.present().is_empty() {
            Then::HangUp
        } else {
            Then::Stay
        })
    }
    async fn muted(call: &mut Call, notes: &mut Notes, muted: Muted) -> Result<Then> {
        notes.lines.push(format!("muted {:?}", muted.people[0].is_muted));
        call.unmute();
        Ok(Then::Stay)
    }
    async fn lobby(_: &mut Call, notes: &mut Notes, lobby: Lobby) -> Result<Then> {
        notes.lines.push(format!("lobby {}", lobby.waits));
        Ok(Then::Stay)
    }
    let people = bot()
        .on(calls::joined(), joined)
        .on(calls::left(), left)
        .on(calls::muted(), muted);
    let mut phone = Phone::with(people.on(calls::lobby(), lobby));
    phone.rings().waits_in_lobby().is_let_in().joins("Ada").joins("Grace");
    phone.mutes("Grace").leaves("Ada").leaves("Grace");
    let expected = [
        "lobby true",
        "lobby false",
        "+Ada of 1",
        "+Grace of 2",
        "muted Some(true)",
        "-Ada",
        "-Grace",
    ];
    assert_eq!(notes(&phone)[1..8], expected);
    assert_eq!(phone.end().unwrap().by, EndedBy::Bot);
}

#[test]
fn every_operation_ends_with_an_event_of_its_own_or_the_common_one() {
    async fn key(call: &mut Call, notes: &mut Notes, Tone(key): Tone) -> Result<Then> {
        match key {
            '1' => drop(call.mute()),
            '2' => drop(call.invite([Callee::user("user-grace")])),
            '3' => drop(call.send_tones(Tones::keys("12#"))),
            '4' => drop(call.start_hold_music("participant-grace", Some(&at("music")))),
            '5' => drop(call.gallery()),
            '6' => return Ok(Then::Transfer(Callee::user("user-grace"))),
            _ => notes.lines.clear(),
        }
        Ok(Then::Stay)
    }
    async fn ended(_: &mut Call, notes: &mut Notes, ended: OperationEnded) -> Result<Then> {
        notes.lines.push(format!("{} {:?}", ended.operation, ended.done));
        Ok(Then::Stay)
    }
    async fn invited(_: &mut Call, notes: &mut Notes, invited: Invited) -> Result<Then> {
        notes.lines.push(format!("invited {}", invited.done.is_ok()));
        Ok(Then::Stay)
    }
    async fn failed(_: &mut Call, notes: &mut Notes, failed: TransferFailed) -> Result<Then> {
        notes
            .lines
            .push(format!("{}/{}", failed.result.code(), failed.result.subcode()));
        Ok(Then::Stay)
    }
    let bot = bot()
        .on(calls::tone(), key)
        .on(calls::invited(), invited)
        .on(calls::transfer_failed(), failed);
    let mut phone = Phone::with(bot.on(calls::operation_ended(), ended));
    phone
        .rings()
        .keys("061")
        .transfer_fails()
        .keys("2")
        .does_not_come()
        .keys("2")
        .comes("Grace");
    phone.refuses("addLargeGalleryView", 403, "7504").keys("1345");
    let refused = |status: u16, code: &str| {
        format!(r#"Err(Refused {{ status: {status}, code: "{code}", message: "refused by the test" }})"#)
    };
    assert_eq!(
        notes(&phone),
        [
            format!("mute {}", refused(400, "8548")),
            "500/7000".to_owned(),
            "invited false".to_owned(),
            "invited true".to_owned(),
            "mute Ok(())".to_owned(),
            "sendDtmfTones Ok(())".to_owned(),
            "startHoldMusic Ok(())".to_owned(),
            format!("addLargeGalleryView {}", refused(403, "7504")),
        ]
    );
}

#[test]
fn a_person_whom_the_bot_has_asked_in_another_call_is_fetched_from_there() {
    #[derive(Serialize, Deserialize)]
    struct Aside;
    impl Signal for Aside {
        const NAME: &'static str = "aside";
    }
    #[derive(Default, Serialize, Deserialize)]
    struct Desk {
        aside: Option<CallKey>,
        came: bool,
    }
    impl State for Desk {}
    async fn meet(_: &mut Ringing, _: &mut Desk, _: Invitation) -> Result<Decision> {
        Ok(Decision::answer())
    }
    async fn key(call: &mut Call, desk: &mut Desk, Tone(key): Tone) -> Result<Then> {
        let grace = || Callee::user("user-grace");
        match (key, &desk.aside) {
            ('1', _) => desk.aside = Some(call.start_call(Outgoing::to_user("user-grace"), Aside)?),
            (_, Some(aside)) => drop(call.invite_from(grace(), &aside.clone())),
            _ => {}
        }
        Ok(Then::Stay)
    }
    async fn invited(_: &mut Call, desk: &mut Desk, invited: Invited) -> Result<Then> {
        desk.came = invited.done.is_ok();
        Ok(Then::HangUp)
    }
    let mut phone = Phone::with(
        CallBot::answering("desk", (), meet)
            .on(calls::tone(), key)
            .on(calls::invited(), invited),
    );
    phone.rings().keys("1").keys("2");
    let aside = phone.state().aside.unwrap();
    let [
        Effect::Call {
            operation: Operation::Invite(invite),
            replaces,
            ..
        },
    ] = phone.effects()
    else {
        panic!("{:?}", phone.effects())
    };
    assert_eq!(invite.participants.len(), 1, "Graph reads only the first");
    assert_eq!(replaces.as_deref(), Some(aside.as_str()));
    assert!(
        phone
            .transcript()
            .ends_with(&format!("bot invites user-grace\n(in place of the call {aside})\n")),
        "{}",
        phone.transcript()
    );
    phone.comes("Grace");
    assert!(phone.state().came && phone.end().is_some());
}

#[test]
fn sound_is_led_to_some_and_back_to_all() {
    async fn key(call: &mut Call, _: &mut Notes, Tone(key): Tone) -> Result<Then> {
        match key {
            '1' => drop(call.route_audio("coach", ["participant-ada"], ["participant-grace"])),
            '2' => drop(call.change_audio_route("coach", ["participant-ada"], ["participant-grace", "participant-bo"])),
            '3' => drop(call.end_audio_route("coach")),
            _ => drop(call.route_audio("coach", ["participant-ada"], Vec::<String>::new())),
        }
        Ok(Then::Stay)
    }
    async fn ended(_: &mut Call, notes: &mut Notes, ended: OperationEnded) -> Result<Then> {
        notes.lines.push(format!("{} {}", ended.operation, ended.done.is_ok()));
        Ok(Then::Stay)
    }
    let mut phone = Phone::with(bot().on(calls::tone(), key).on(calls::operation_ended(), ended));
    phone.rings().keys("1").joins("Ada").joins("Grace").keys("123");
    assert_eq!(
        notes(&phone)[1..],
        [
            "createAudioRoutingGroup false",
            "createAudioRoutingGroup true",
            "updateAudioRoutingGroup true",
            "deleteAudioRoutingGroup true"
        ],
        "a call of two has no ways of sound"
    );
    phone.keys("4");
    let why = phone.failure().unwrap();
    assert!(why.contains("the receivers of a way of sound"), "{why}");
}

#[test]
fn shared_content_and_recorded_people_come_and_go() {
    async fn started(_: &mut Call, notes: &mut Notes, started: SharingStarted) -> Result<Then> {
        notes.lines.push(format!("+{}", started.session));
        Ok(Then::Stay)
    }
    async fn stopped(_: &mut Call, notes: &mut Notes, ended: SharingEnded) -> Result<Then> {
        notes.lines.push(format!("-{}", ended.session));
        Ok(Then::Stay)
    }
    async fn joins(_: &mut Call, notes: &mut Notes, joins: RecordedJoins) -> Result<Then> {
        assert!(joins.person().is_some());
        notes.lines.push(format!("records {}", joins.participant()));
        Ok(Then::Stay)
    }
    async fn left(_: &mut Call, notes: &mut Notes, left: RecordedLeft) -> Result<Then> {
        notes.lines.push(format!("no longer {}", left.participant));
        Ok(Then::HangUp)
    }
    let bot = bot()
        .on(calls::sharing_started(), started)
        .on(calls::sharing_ended(), stopped)
        .on(calls::recorded_joins(), joins);
    let mut phone = Phone::with(bot.on(calls::recorded_left(), left));
    phone.rings().shares("s-1").stops_sharing("s-1");
    phone.recorded_joins("Grace").recorded_leaves("Grace");
    assert_eq!(
        notes(&phone)[1..],
        [
            "+s-1",
            "-s-1",
            "records participant-grace",
            "no longer participant-grace",
            "ended by Bot"
        ]
    );
    assert!(phone.end().is_some());
}
