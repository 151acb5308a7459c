//! Calls that a bot begins, and what decides about those that come in.

use trunkline_bot::Error;
use trunkline_bot::calls::RecordingStatus;
use trunkline_bot::event::StatusUpdated;
use trunkline_bot::logic::EndedBy;
use trunkline_bot::prelude::*;
use trunkline_bot::test::{Crash, Phone};
use trunkline_teams::calls::is_own_key;

use crate::{Notes, bot, greet, notes, over};

#[derive(Serialize, Deserialize)]
struct Hello {
    to: String,
}

impl Signal for Hello {
    const NAME: &'static str = "hello";
}

fn caller() -> CallBot<Notes> {
    async fn hello(_: &mut Call, notes: &mut Notes, hello: Hello) -> Result<Then> {
        notes.lines.push(hello.to);
        Ok(Then::Stay)
    }
    async fn doubt(_: &mut Call, notes: &mut Notes, _: InDoubt) -> Result<Then> {
        notes.lines.push("in doubt".to_owned());
        Ok(Then::Stay)
    }
    CallBot::calling("caller", ())
        .on(calls::signal::<Hello>(), hello)
        .on(calls::connected(), greet)
        .on(calls::in_doubt(), doubt)
        .ended(over)
}

#[test]
fn a_call_that_the_bot_begins_is_answered_declined_unanswered_or_in_doubt() {
    let mut phone = Phone::with(caller());
    let hello = || Hello { to: "Ada".to_owned() };
    phone.starts(hello()).answers().listens().hangs_up();
    assert_eq!(phone.heard(), ["hello.wav"]);
    phone.starts(hello()).declines();
    assert_eq!(notes(&phone), ["Ada", "ended by Person"]);
    phone.starts(hello()).does_not_answer();
    assert_eq!(notes(&phone), ["Ada", "ended by Service"]);
    phone.starts(hello()).is_in_doubt().ends(EndedBy::Unknown, 0, 0);
    assert_eq!(notes(&phone), ["Ada", "in doubt", "ended by Unknown"]);
    phone.rings();
    assert!(
        phone.transcript().ends_with("bot rejects the call: forbidden\n"),
        "{}",
        phone.transcript()
    );
}

#[test]
fn a_chat_begins_a_call_once_and_the_call_tells_the_chat() {
    #[derive(Default, Serialize, Deserialize)]
    struct Desk {
        call: Option<CallKey>,
    }
    impl State for Desk {}
    async fn ring(turn: &mut Turn, desk: &mut Desk, message: Message) -> Result {
        let hello = Hello {
            to: message.text().to_owned(),
        };
        desk.call = Some(turn.start_call(Outgoing::to_user("user-ada"), hello)?);
        Ok(())
    }
    let mut chat = trunkline_bot::test::Chat::with(Bot::<Desk>::new("desk").on(message(), ring));
    chat.crashes(Crash::BeforeCommit).says("Ada");
    assert!(
        chat.transcript().ends_with("bot calls user-ada\n"),
        "{}",
        chat.transcript()
    );
    let mut phone = Phone::with(caller());
    phone.starts_as(chat.effects()).answers();
    let Address::Call { call, .. } = phone.address() else {
        panic!("no call")
    };
    assert_eq!(call, chat.state().call.unwrap().as_str());
    assert!(is_own_key(&call), "the ingress would not know it: {call}");
    assert_eq!(notes(&phone), ["Ada"]);
}

#[test]
fn a_handler_that_is_late_or_fails_leaves_the_decision_to_the_bots_default() {
    async fn broken(_: &mut Ringing, _: &mut Notes, _: Invitation) -> Result<Decision> {
        Err(Error::fault("no"))
    }
    let broken = || CallBot::<Notes>::answering("broken", (), broken);
    let mut phone = Phone::with(broken());
    phone.rings();
    assert!(
        phone.transcript().ends_with("(failed)\nbot rejects the call: busy\n"),
        "{}",
        phone.transcript()
    );
    assert_eq!(phone.failure(), Some("no"));
    let mut phone = Phone::with(broken().if_late(Decision::redirect(Callee::user("desk"))));
    phone.rings_in_vain();
    assert!(
        phone.transcript().ends_with("bot redirects to desk\n"),
        "{}",
        phone.transcript()
    );
}

#[test]
fn a_recorder_is_asked_by_its_policy_and_hears_whether_its_word_was_taken() {
    async fn asked(_: &mut Ringing, notes: &mut Notes, invitation: RecordingInvitation) -> Result<Decision> {
        notes.lines.push(invitation.policy().unwrap_or_default().to_owned());
        Ok(Decision::answer())
    }
    async fn says(call: &mut Call, _: &mut Notes, _: Connected) -> Result<Then> {
        call.recording_status(RecordingStatus::Recording);
        Ok(Then::Stay)
    }
    async fn taken(_: &mut Call, notes: &mut Notes, updated: StatusUpdated) -> Result<Then> {
        notes.lines.push(format!("{}", updated.done.is_ok()));
        Ok(Then::Stay)
    }
    let bot = || {
        bot()
            .recording_asked(asked)
            .on(calls::connected(), says)
            .on(calls::status_updated(), taken)
    };
    let mut phone = Phone::with(bot());
    phone.asks_to_record("Ada", "trading desk");
    assert_eq!(notes(&phone), ["trading desk", "true"]);
    let mut phone = Phone::with(bot());
    phone.rings();
    assert_eq!(
        notes(&phone),
        ["Ada", "false"],
        "Graph takes it only in calls of a policy"
    );
}
