//! Calling bots at the boundary to the worker: what a turn asks for, word by word.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use trunkline_bot::calls::{CallState, Participant, RecordingStatus, ResultInfo};
use trunkline_bot::event::{NotDone, OperationEnded, StatusUpdated};
use trunkline_bot::logic::{
    Begin, CallAbout, CallEnd, CallEvent, CallNow, Effect, End, EndedBy, Input, KeptStep, Logic, OperationEnd,
    OperationOutcome, Outcome, Partial, Port, PortError, StoredState, UserSnapshot,
};
use trunkline_bot::prelude::*;
use trunkline_bot::{BotError, CallProblem};
use trunkline_teams::calls::{CommsOperation, IncomingContext, Tone as Key};
use trunkline_teams::graph::{Operation, OperationKind};

const NOON: u64 = 1_000_000;

/// A port that nothing is asked of.
struct Nothing;

impl Port for Nothing {
    fn keep_step(&mut self, _: KeptStep) -> LocalBoxFuture<'_, Result<(), PortError>> {
        ready(Ok(())).boxed_local()
    }
    fn send_now(&mut self, _: Bytes) -> LocalBoxFuture<'_, Result<String, PortError>> {
        ready(Err(PortError::NotSent("there is nobody".to_owned()))).boxed_local()
    }
    fn typing(&mut self) {}
    fn partial(&mut self, _: &str, _: Partial) -> Result<(), PortError> {
        Ok(())
    }
    fn user<'a>(&'a mut self, _: &'a str, _: &'a str) -> LocalBoxFuture<'a, Result<UserSnapshot, PortError>> {
        ready(Ok(UserSnapshot::default())).boxed_local()
    }
    fn blocking(&mut self, work: Box<dyn FnOnce() + Send>) -> LocalBoxFuture<'_, Result<(), PortError>> {
        work();
        ready(Ok(())).boxed_local()
    }
    fn remaining(&self) -> Duration {
        Duration::from_secs(60)
    }
}

/// A call whose turns are run one by one.
struct Stage {
    logic: Arc<dyn Logic>,
    call: CallNow,
    state: Option<StoredState>,
    now: SystemTime,
    turns: u32,
}

impl Stage {
    fn new<S: State, A: Send + Sync + 'static>(bot: CallBot<S, A>) -> Self {
        Self {
            logic: bot.build().unwrap(),
            call: CallNow {
                key: "k".to_owned(),
                id: Some("k".to_owned()),
                tenant: "t".to_owned(),
                state: CallState::Established,
                is_audio_active: true,
                decide_within: None,
                about: CallAbout::default(),
                present: Vec::new(),
            },
            state: None,
            now: UNIX_EPOCH + Duration::from_secs(NOON),
            turns: 0,
        }
    }

    fn in_state(mut self, state: CallState) -> Self {
        self.call.state = state;
        self
    }

    fn end(&mut self, input: Input) -> End {
        self.turns += 1;
        let here = Address::Call {
            tenant: "t".to_owned(),
            service_url: String::new(),
            call: "k".to_owned(),
        };
        let begin = Begin {
            input,
            here,
            state: self.state.clone(),
            steps: Vec::new(),
            now: self.now,
            seed: format!("turn {}", self.turns),
            attempt: 1,
            locale: None,
            next_sequence: 1,
            call: Some(Box::new(self.call.clone())),
        };
        self.logic.run(begin, Box::new(Nothing)).now_or_never().unwrap()
    }

    fn gets(&mut self, input: Input) -> Vec<Effect> {
        match self.end(input) {
            End::Commit(Outcome { state, effects, .. }) => {
                self.state = state.or(self.state.take());
                effects
            }
            other => panic!("the turn ended otherwise: {other:?}"),
        }
    }

    fn happens(&mut self, event: CallEvent) -> Vec<Effect> {
        self.gets(Input::Call(Box::new(event)))
    }

    fn fails(&mut self, event: CallEvent) -> String {
        match self.end(Input::Call(Box::new(event))) {
            End::Failed(error) => {
                assert!(error.is_final, "another attempt would not help: {}", error.message);
                error.message
            }
            other => panic!("the turn did not fail: {other:?}"),
        }
    }

    fn presses(&mut self, keys: &str) -> Vec<Effect> {
        keys.chars()
            .flat_map(|key| self.happens(CallEvent::Tone(Key::from_key(key).unwrap())))
            .collect()
    }

    fn operation_ends(&mut self, key: &str, kind: OperationKind, outcome: OperationOutcome) -> Vec<Effect> {
        self.happens(CallEvent::OperationEnded(Box::new(OperationEnd {
            key: key.to_owned(),
            operation: kind.name().to_owned(),
            outcome,
        })))
    }

    fn timer(&mut self, key: &str) -> Vec<Effect> {
        self.gets(Input::Signal {
            name: "trunkline:gather".to_owned(),
            key: key.to_owned(),
            payload: Bytes::from_static(b"null"),
        })
    }

    fn stored(&self) -> String {
        let stored = self.state.as_ref().map(|state| state.bytes.to_vec());
        String::from_utf8(stored.unwrap_or_default()).unwrap()
    }
}

fn completed() -> OperationOutcome {
    OperationOutcome::Completed(Box::default())
}

fn operations(effects: &[Effect]) -> Vec<OperationKind> {
    let asked = effects.iter().filter_map(|effect| match effect {
        Effect::Call { operation, .. } => Some(operation.kind()),
        _ => None,
    });
    asked.collect()
}

fn key_of(effect: &Effect) -> &str {
    match effect {
        Effect::Call { key, .. } => key,
        other => panic!("no operation: {other:?}"),
    }
}

#[derive(Default, Debug, Serialize, Deserialize)]
struct Notes {
    prompt: Option<Op<Voice>>,
    lines: Vec<String>,
}

impl State for Notes {}

async fn take(_: &mut Ringing, _: &mut Notes, _: Invitation) -> Result<Decision> {
    Ok(Decision::answer())
}

fn bot() -> CallBot<Notes> {
    CallBot::answering("notes", (), take)
}

fn at(name: &str) -> Prompt {
    Prompt::at(format!("https://bot.example/{name}.wav"))
}

fn observed() -> CallAbout {
    CallAbout {
        incoming_context: Some(IncomingContext {
            observed_participant_id: Some("p".to_owned()),
            ..IncomingContext::default()
        }),
        ..CallAbout::default()
    }
}

#[test]
fn a_call_is_met_with_what_its_handler_returns() {
    let effects = Stage::new(bot())
        .in_state(CallState::Incoming)
        .happens(CallEvent::Incoming);
    assert_eq!(operations(&effects), [OperationKind::Answer]);
    let key = key_of(&effects[0]);
    assert!(key.len() == 33 && key.starts_with('o'), "{key}");
}

#[test]
fn calls_that_nobody_meets_are_forbidden() {
    let caller = CallBot::<Notes>::calling("notes", ());
    assert!(!caller.build().unwrap().describe().calls.unwrap().answers);
    let mut calling = Stage::new(CallBot::<Notes>::calling("notes", ())).in_state(CallState::Incoming);
    let mut recorded = Stage::new(bot()).in_state(CallState::Incoming);
    recorded.call.about = observed();
    for stage in [&mut calling, &mut recorded] {
        let effects = stage.happens(CallEvent::Incoming);
        let Effect::Call {
            operation: Operation::Reject(reject),
            ..
        } = &effects[0]
        else {
            panic!("not rejected: {effects:?}")
        };
        assert_eq!(reject.reason, Some(RejectReason::Forbidden));
        let late = stage.logic.late_decision(&stage.call);
        assert_eq!(
            late,
            Some(Operation::Reject(reject.clone())),
            "late, it is forbidden as well"
        );
    }
}

#[test]
fn a_recorder_decides_about_invitations_of_its_policy() {
    async fn asked(_: &mut Ringing, notes: &mut Notes, invitation: RecordingInvitation) -> Result<Decision> {
        notes.lines.push(invitation.observed_participant().to_owned());
        Ok(Decision::Answer(Media::app_hosted("blob").capacity(100)))
    }
    let mut stage = Stage::new(CallBot::<Notes>::calling("notes", ()).recording_asked(asked));
    stage.call.about = observed();
    let effects = stage.happens(CallEvent::Incoming);
    let Effect::Call {
        operation: Operation::Answer(answer),
        ..
    } = &effects[0]
    else {
        panic!("not answered: {effects:?}")
    };
    assert_eq!(answer.participant_capacity, Some(100));
    assert!(stage.stored().contains(r#""lines":["p"]"#), "{}", stage.stored());
}

#[test]
fn what_is_done_when_it_is_late_is_the_bots_word_else_busy() {
    let late = |bot: CallBot<Notes>| {
        let stage = Stage::new(bot);
        stage.logic.late_decision(&stage.call).unwrap().kind()
    };
    assert_eq!(late(bot()), OperationKind::Reject);
    assert_eq!(late(bot().if_late(Decision::answer())), OperationKind::Answer);
    let to_nobody = Decision::Redirect {
        to: Vec::new(),
        ring: None,
    };
    let error = bot().if_late(to_nobody).check().unwrap_err();
    assert!(
        matches!(
            error,
            BotError::LateDecision {
                problem: CallProblem::OutOfRange { .. },
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn an_operation_is_known_again_by_the_event_that_ends_it() {
    async fn greet(call: &mut Call, notes: &mut Notes, _: Connected) -> Result<Then> {
        notes.prompt = Some(call.play(at("hello")));
        Ok(Then::Stay)
    }
    async fn ended(_: &mut Call, notes: &mut Notes, ended: PromptEnded) -> Result<Then> {
        let is_mine = notes.prompt.as_ref() == Some(&ended.prompt);
        notes.lines.push(format!("{is_mine} {:?}", ended.done));
        Ok(Then::HangUp)
    }
    let mut stage = Stage::new(bot().on(calls::connected(), greet).on(calls::prompt_ended(), ended));
    let asked = stage.happens(CallEvent::Connected);
    let key = key_of(&asked[0]).to_owned();
    let ended = stage.operation_ends(&key, OperationKind::PlayPrompt, completed());
    assert_eq!(operations(&ended), [OperationKind::Delete]);
    assert!(
        stage.stored().contains(r#""lines":["true Ok(())"]"#),
        "{}",
        stage.stored()
    );
}

#[test]
fn a_second_run_of_a_turn_asks_under_the_same_names() {
    async fn greet(call: &mut Call, _: &mut Notes, _: Connected) -> Result<Then> {
        call.play(at("one"));
        call.play(at("two"));
        Ok(Then::Stay)
    }
    let asked = |turn| {
        let mut stage = Stage::new(bot().on(calls::connected(), greet));
        stage.turns = turn;
        stage.happens(CallEvent::Connected)
    };
    let first = asked(1);
    assert_eq!(first, asked(1));
    assert_ne!(key_of(&first[0]), key_of(&first[1]));
    assert_ne!(key_of(&first[0]), key_of(&asked(2)[0]));
}

#[test]
fn a_hang_up_waits_for_its_prompt_and_a_transfer_names_the_other_call() {
    async fn key(call: &mut Call, _: &mut Notes, Tone(key): Tone) -> Result<Then> {
        let call_of_heidi = serde_json::from_value(serde_json::json!("c1"))?;
        Ok(match key {
            '1' => Then::HangUpAfter(call.play(at("bye"))),
            '2' => Then::Transfer(Callee::user("u")),
            '3' => Then::TransferTo(Callee::user("u"), call_of_heidi),
            _ => Then::HandOver {
                who: Callee::user("a"),
                to: Callee::user("u"),
            },
        })
    }
    let mut stage = Stage::new(bot().on(calls::tone(), key));
    let asked = stage.presses("1");
    let [
        prompt,
        Effect::Call {
            operation: Operation::Delete,
            after,
            ..
        },
    ] = asked.as_slice()
    else {
        panic!("{asked:?}")
    };
    assert_eq!(after.as_deref(), Some(key_of(prompt)));
    let transfers = stage.presses("23");
    let [
        Effect::Call { replaces: None, .. },
        Effect::Call {
            replaces: Some(other), ..
        },
    ] = transfers.as_slice()
    else {
        panic!("{transfers:?}")
    };
    assert_eq!(other, "c1");
    assert!(stage.fails(CallEvent::Tone(Key::Tone4)).contains("Then::Transfer"));
    stage.call.present = vec![Participant::default(); 3];
    assert_eq!(operations(&stage.presses("4")), [OperationKind::Transfer]);
    assert!(stage.fails(CallEvent::Tone(Key::Tone2)).contains("Then::HandOver"));
}

#[test]
fn what_graph_would_refuse_fails_the_turn_by_its_reason() {
    async fn key(call: &mut Call, _: &mut Notes, Tone(key): Tone) -> Result<Then> {
        match key {
            '1' => drop(call.play(vec![at("a"); 21])),
            '2' => drop(call.invite(vec![Callee::user("u"); 6])),
            '3' => drop(call.record(Record::at_most(Duration::from_secs(121)))),
            '4' => drop(call.remove("")),
            '5' => drop(call.gather(Digits::up_to(4))),
            '6' => return Err(tell("nobody reads this")),
            _ => drop(call.send(&call.here(), "nor this")),
        }
        Ok(Then::Stay)
    }
    let mut stage = Stage::new(bot().on(calls::tone(), key));
    for (key, why) in [
        (Key::Tone1, "the prompts of one play can be 1 to 20, not 21"),
        (Key::Tone2, "the people of one invitation can be 1 to 5, not 6"),
        (
            Key::Tone3,
            "the length of a recording in seconds can be 1 to 120, not 121",
        ),
        (Key::Tone4, "the id of the participant is empty"),
        (Key::Tone5, "calls::gathered()"),
        (Key::Tone6, "nobody reads"),
        (Key::Tone7, "a call cannot be written to"),
    ] {
        let said = stage.fails(CallEvent::Tone(key));
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn nothing_is_played_before_the_call_is_established() {
    #[derive(Serialize, Deserialize)]
    struct Hello;
    impl Signal for Hello {
        const NAME: &'static str = "hello";
    }
    async fn hello(call: &mut Call, _: &mut Notes, _: Hello) -> Result<Then> {
        call.play(at("hello"));
        Ok(Then::Stay)
    }
    let mut stage = Stage::new(bot().on(calls::signal::<Hello>(), hello)).in_state(CallState::Establishing);
    let input = Input::Signal {
        name: "hello".to_owned(),
        key: String::new(),
        payload: Bytes::from_static(b"null"),
    };
    let End::Failed(error) = stage.end(input.clone()) else {
        panic!("it played")
    };
    assert!(error.message.contains("this one is establishing"), "{}", error.message);
    stage.call.state = CallState::Established;
    assert_eq!(operations(&stage.gets(input)), [OperationKind::PlayPrompt]);
}

async fn ask_for_number(call: &mut Call, _: &mut Notes, _: Connected) -> Result<Then> {
    call.gather(Digits::up_to(4).after(at("number")));
    Ok(Then::Stay)
}

async fn number(_: &mut Call, notes: &mut Notes, gathered: Gathered) -> Result<Then> {
    notes.lines.push(format!("{} {:?}", gathered.keys.len(), gathered.end));
    Ok(Then::HangUp)
}

fn gatherer() -> Stage {
    async fn silence(_: &mut Call, _: &mut Notes, _: PromptEnded) -> Result<Then> {
        Err(trunkline_bot::Error::fault(
            "the prompt of the gathering is nobody's business",
        ))
    }
    let bot = bot()
        .on(calls::connected(), ask_for_number)
        .on(calls::gathered(), number);
    Stage::new(bot.on(calls::prompt_ended(), silence))
}

#[test]
fn keys_become_one_event_and_are_forgotten_with_it() {
    let mut stage = gatherer();
    assert!(stage.logic.describe().calls.unwrap().wants_tones);
    let asked = stage.happens(CallEvent::Connected);
    assert_eq!(operations(&asked), [OperationKind::PlayPrompt]);
    let first = stage.presses("47");
    assert_eq!(
        operations(&first),
        [OperationKind::CancelMediaProcessing],
        "the first key cuts the prompt off"
    );
    assert!(stage.stored().contains("47"), "{}", stage.stored());
    let prompt = key_of(&asked[0]).to_owned();
    assert!(
        stage
            .operation_ends(&prompt, OperationKind::PlayPrompt, OperationOutcome::Unknown)
            .is_empty()
    );
    let over = stage.presses("1#");
    assert_eq!(operations(&over), [OperationKind::Delete]);
    assert_eq!(stage.stored(), r#"{"state":{"prompt":null,"lines":["3 StopKey"]}}"#);
    assert!(
        stage
            .operation_ends(&prompt, OperationKind::PlayPrompt, completed())
            .is_empty()
    );
}

#[test]
fn nobody_presses_until_the_patience_after_the_prompt_is_over() {
    let mut stage = gatherer();
    let asked = stage.happens(CallEvent::Connected);
    stage.now += Duration::from_secs(20);
    let prompt = key_of(&asked[0]).to_owned();
    let waits = stage.operation_ends(&prompt, OperationKind::PlayPrompt, completed());
    let [Effect::SetTimer { key, at, .. }] = waits.as_slice() else {
        panic!("{waits:?}")
    };
    assert_eq!(*at, stage.now + Duration::from_secs(10));
    assert!(stage.timer(key).is_empty(), "too early");
    assert!(stage.timer("another").is_empty());
    stage.now += Duration::from_secs(10);
    let over = stage.timer(key);
    assert!(
        over.iter().any(|effect| matches!(effect, Effect::ForgetTimer { .. })),
        "{over:?}"
    );
    assert_eq!(stage.stored(), r#"{"state":{"prompt":null,"lines":["0 TimedOut"]}}"#);
}

#[test]
fn turns_run_only_for_what_somebody_listens_to() {
    async fn tone(_: &mut Call, _: &mut Notes, _: Tone) -> Result<Then> {
        Ok(Then::Stay)
    }
    let logic = bot()
        .on(calls::tone().when(|Tone(key)| *key == '1'), tone)
        .build()
        .unwrap();
    let handles = |event| logic.handles_call_event(&event);
    assert!(handles(CallEvent::Incoming));
    assert!(handles(CallEvent::Tone(Key::Tone1)));
    for event in [
        CallEvent::Tone(Key::Tone2),
        CallEvent::Connected,
        CallEvent::Joined(Vec::new()),
        CallEvent::Ended(CallEnd {
            by: EndedBy::Bot,
            result: None,
        }),
    ] {
        assert!(!handles(event.clone()), "{event:?}");
    }
}

#[test]
fn routes_that_nothing_reaches_are_refused() {
    async fn any(_: &mut Call, _: &mut Notes, _: CallEvent) -> Result<Then> {
        Ok(Then::Stay)
    }
    async fn operation(_: &mut Call, _: &mut Notes, _: OperationEnded) -> Result<Then> {
        Ok(Then::Stay)
    }
    async fn status(_: &mut Call, _: &mut Notes, _: StatusUpdated) -> Result<Then> {
        Ok(Then::Stay)
    }
    let error = |bot: CallBot<Notes>| bot.check().unwrap_err().to_string();
    assert!(
        error(
            bot()
                .on(calls::operation_ended(), operation)
                .on(calls::status_updated(), status)
        )
        .contains("status_updated() can never be reached, operation_ended()")
    );
    assert!(error(bot().on(calls::any(), any).on(calls::operation_ended(), operation)).contains("any()"));
    let fine = bot().on(calls::any(), any).on(calls::gathered(), number);
    assert!(fine.check().is_ok(), "gathered keys do not come as an event of Graph");
}

#[test]
fn the_end_is_told_in_a_turn_that_has_no_operations() {
    async fn over(turn: &mut Turn, notes: &mut Notes, ended: Ended) -> Result {
        notes.lines.push(format!("{:?} {}", ended.by, ended.is_failure()));
        let chat = turn.here().person(&Person::new("29:1", "Ada"));
        turn.send(&chat, "It is over.");
        Ok(())
    }
    let mut stage = Stage::new(bot().ended(over)).in_state(CallState::Terminated);
    let end = CallEnd {
        by: EndedBy::Person,
        result: Some(ResultInfo::new(487, 10_004)),
    };
    let effects = stage.happens(CallEvent::Ended(end));
    assert!(
        matches!(
            effects.as_slice(),
            [Effect::Send {
                to: Address::Person { .. },
                ..
            }]
        ),
        "{effects:?}"
    );
    assert!(stage.stored().contains("Person true"));
}

#[test]
fn a_recorder_hears_whether_its_word_was_taken() {
    async fn connected(call: &mut Call, _: &mut Notes, _: Connected) -> Result<Then> {
        call.recording_status(RecordingStatus::Recording);
        Ok(Then::Stay)
    }
    async fn updated(_: &mut Call, notes: &mut Notes, updated: StatusUpdated) -> Result<Then> {
        notes.lines.push(match updated.done {
            Ok(()) => "recording".to_owned(),
            Err(NotDone::Refused { code, .. }) => code,
            Err(other) => other.to_string(),
        });
        Ok(Then::Stay)
    }
    let mut stage = Stage::new(
        bot()
            .on(calls::connected(), connected)
            .on(calls::status_updated(), updated),
    );
    let asked = stage.happens(CallEvent::Connected);
    let key = key_of(&asked[0]).to_owned();
    let outcomes = [
        completed(),
        OperationOutcome::Refused {
            status: 400,
            code: "8506".to_owned(),
            message: String::new(),
        },
        OperationOutcome::Failed(Box::new(CommsOperation {
            result_info: Some(ResultInfo::new(500, 9_999)),
            ..CommsOperation::default()
        })),
    ];
    for outcome in outcomes {
        stage.operation_ends(&key, OperationKind::UpdateRecordingStatus, outcome);
    }
    assert!(
        stage
            .stored()
            .contains(r#"["recording","8506","it failed with 500/9999: "]"#),
        "{}",
        stage.stored()
    );
}

#[test]
fn every_state_that_was_stored_can_be_read_by_a_newer_bot() {
    #[derive(Default, Serialize, Deserialize)]
    struct Newer {
        heard: usize,
    }
    impl State for Newer {
        const VERSION: u32 = 2;
        fn upgrade(_: u32, stored: serde_json::Value) -> Result<Self> {
            let heard = stored["lines"].as_array().map_or(0, Vec::len);
            Ok(Self { heard })
        }
    }
    async fn meet(_: &mut Ringing, _: &mut Newer, _: Invitation) -> Result<Decision> {
        Ok(Decision::answer())
    }
    async fn gathered(_: &mut Call, newer: &mut Newer, gathered: Gathered) -> Result<Then> {
        newer.heard += gathered.keys.len();
        Ok(Then::Stay)
    }
    let mut old = gatherer();
    old.happens(CallEvent::Connected);
    old.presses("47");
    let mut new = Stage::new(CallBot::answering("notes", (), meet).on(calls::gathered(), gathered));
    new.state = old.state;
    new.presses("1#");
    assert_eq!(new.stored(), r#"{"state":{"heard":3}}"#);
}
