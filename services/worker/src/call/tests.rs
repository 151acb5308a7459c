use proptest::prelude::*;

use super::super::{Answer, Kind, Verdict};
use super::*;

fn person(id: u8, is_muted: bool) -> Present {
    Present {
        id: id.to_string(),
        is_muted,
    }
}

fn in_state(state: State) -> CallRecord {
    CallRecord {
        state: state as i32,
        ..CallRecord::default()
    }
}

#[test]
fn established_before_establishing_stays_established() {
    let mut call = in_state(State::Incoming);
    call.hear(Heard::State(State::Established, None));
    call.hear(Heard::State(State::Establishing, None));
    assert_eq!(call.state(), State::Established);
}

#[test]
fn who_ended_a_call_is_read_from_the_codes() {
    assert_eq!(who(200, 4_521), EndedBy::Person);
    assert_eq!(who(603, 0), EndedBy::Person);
    assert_eq!(who(200, 7_000), EndedBy::Bot);
    assert_eq!(who(0, 7_015), EndedBy::Bot);
    assert_eq!(who(200, 5_014), EndedBy::Service, "nobody can be the host");
    assert_eq!(who(408, 8_537), EndedBy::Service);
}

#[test]
fn a_late_repeat_of_established_does_not_end_a_transfer_and_a_failure_does() {
    let mut call = in_state(State::Transferring);
    assert!(call.hear(Heard::State(State::Established, None)).is_empty());
    assert_eq!(call.state(), State::Transferring);
    let failed = call.hear(Heard::State(State::Established, Some((500, 7_000))));
    assert_eq!(failed, [Happened::TransferFailed(500, 7_000)]);
}

#[test]
fn a_prompt_in_doubt_waits_and_is_given_up_and_a_hang_up_is_asked_again() {
    let mut call = in_state(State::Established);
    call.ask("prompt", Kind::Once, 10);
    call.ask("hang up", Kind::Repeatable, 20);
    assert_eq!(call.answered("prompt", Answer::Doubt).0, Verdict::Waits);
    assert_eq!(call.answered("hang up", Answer::Doubt).0, Verdict::Again);
    assert!(call.give_up(9).is_empty());
    let unknown = Happened::OperationEnded("prompt".to_owned(), Outcome::Unknown);
    assert_eq!(call.give_up(10), [unknown]);
    assert_eq!(call.next_give_up_ms(), Some(20));
}

#[test]
fn a_create_in_doubt_is_not_repeated() {
    let mut call = in_state(State::Establishing);
    call.ask("create", Kind::Create, 30);
    assert_eq!(call.answered("create", Answer::Doubt).0, Verdict::Waits);
    assert_eq!(call.give_up(30), [Happened::InDoubt]);
}

fn news() -> impl Strategy<Value = Heard> {
    let states = [
        State::Establishing,
        State::Established,
        State::Hold,
        State::Transferring,
        State::TransferAccepted,
        State::Terminating,
    ];
    prop_oneof![
        proptest::sample::select(states.to_vec()).prop_map(|state| Heard::State(state, None)),
        Just(Heard::State(State::Established, Some((500, 7_000)))),
        any::<bool>().prop_map(Heard::Audio),
        (0_i64..5).prop_map(|number| Heard::Tone(number, "tone1".to_owned())),
        proptest::collection::btree_map(0_u8..5, any::<bool>(), 0..5)
            .prop_map(|all| Heard::Roster(all.into_iter().map(|(id, muted)| person(id, muted)).collect())),
        Just(Heard::OperationEnded("prompt".to_owned(), Outcome::Completed)),
    ]
}

proptest! {
    #[test]
    fn whatever_is_swapped_repeated_or_lost_a_call_ends_once_and_in_the_same_record(
        before in proptest::collection::vec(news(), 0..20),
        after in proptest::collection::vec(news(), 0..10),
    ) {
        let mut call = in_state(State::Incoming);
        call.ask("prompt", Kind::Once, 10);
        let end = Heard::State(State::Terminated, Some((200, 4_521)));
        let all = before.into_iter().chain([end.clone()]).chain(after).chain([end]);
        let happened: Vec<Happened> = all.flat_map(|heard| call.hear(heard)).collect();
        let count = |wanted: fn(&Happened) -> bool| happened.iter().filter(|it| wanted(it)).count();
        prop_assert_eq!(count(|it| matches!(it, Happened::Ended(EndedBy::Person))), 1);
        prop_assert_eq!(happened.last(), Some(&Happened::Ended(EndedBy::Person)));
        prop_assert!(count(|it| *it == Happened::Connected) <= 1);
        prop_assert_eq!(count(|it| matches!(it, Happened::OperationEnded(..))), 1);
        let ended = CallRecord { was_connected: false, last_tone: None, ..call };
        let expected = CallRecord {
            code: 200,
            subcode: 4_521,
            ended_by: EndedBy::Person as i32,
            ..in_state(State::Terminated)
        };
        prop_assert_eq!(ended, expected);
    }

    #[test]
    fn differences_of_the_roster_sum_up_to_it(
        all in proptest::collection::vec(proptest::collection::btree_map(0_u8..6, any::<bool>(), 0..6), 1..12),
    ) {
        let mut call = in_state(State::Established);
        let mut known = std::collections::BTreeMap::new();
        for roster in all {
            let present = roster.iter().map(|(id, muted)| person(*id, *muted)).collect();
            for happened in call.hear(Heard::Roster(present)) {
                let Happened::Roster { joined, left, changed } = happened else { continue };
                for one in left {
                    prop_assert!(known.remove(&one.id).is_some());
                }
                for one in joined.into_iter().chain(changed) {
                    known.insert(one.id, one.is_muted);
                }
            }
            let expected = roster.into_iter().map(|(id, muted)| (id.to_string(), muted)).collect();
            prop_assert_eq!(&known, &expected);
        }
    }
}
