//! What a turn of the echo bot costs apart from HTTP, store and network: read the state, route, run, render, write the state.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use futures_util::future::{FutureExt, LocalBoxFuture, ready};
use trunkline_bot::Address;
use trunkline_bot::logic::{Begin, End, Input, KeptStep, Partial, Port, PortError, StoredState, UserSnapshot};
use trunkline_teams::activity::Activity;

/// Echo asks for nothing while it runs.
struct Idle;

impl Port for Idle {
    fn keep_step(&mut self, _: KeptStep) -> LocalBoxFuture<'_, Result<(), PortError>> {
        ready(Ok(())).boxed_local()
    }
    fn send_now(&mut self, _: Bytes) -> LocalBoxFuture<'_, Result<String, PortError>> {
        ready(Ok(String::new())).boxed_local()
    }
    fn typing(&mut self) {}
    fn partial(&mut self, _: &str, _: Partial) -> Result<(), PortError> {
        Ok(())
    }
    fn user<'a>(&'a mut self, _: &'a str, _: &'a str) -> LocalBoxFuture<'a, Result<UserSnapshot, PortError>> {
        ready(Ok(UserSnapshot::default())).boxed_local()
    }
    fn blocking(&mut self, _: Box<dyn FnOnce() + Send>) -> LocalBoxFuture<'_, Result<(), PortError>> {
        ready(Ok(())).boxed_local()
    }
    fn remaining(&self) -> Duration {
        Duration::from_secs(15)
    }
}

const BODY: &str = r#"{"type":"message","id":"1767603600123","timestamp":"2026-01-05T09:00:00.1234567Z","channelId":"msteams",
"serviceUrl":"https://smba.trafficmanager.net/emea/00000000-0000-0000-0000-00000000c0de/",
"from":{"id":"29:1example-of-a-person-with-an-id-of-the-usual-length-0123456789012345678901234567","name":"Ada Lovelace",
"aadObjectId":"00000000-0000-0000-0000-000000000001"},
"recipient":{"id":"28:00000000-0000-0000-0000-0000000000b0","name":"Echo"},
"conversation":{"conversationType":"personal","tenantId":"00000000-0000-0000-0000-00000000c0de","id":"a:1example"},
"text":"hello there","textFormat":"plain","locale":"en-GB","localTimezone":"Europe/London",
"entities":[{"type":"clientInfo","locale":"en-GB","country":"GB","platform":"Web","timezone":"Europe/London"}],
"channelData":{"tenant":{"id":"00000000-0000-0000-0000-00000000c0de"}}}"#;

fn begin() -> Begin {
    Begin {
        call: None,
        input: Input::Activity(Box::new(Activity::parse(BODY.as_bytes()).unwrap())),
        here: Address::Conversation {
            tenant: "00000000-0000-0000-0000-00000000c0de".to_owned(),
            service_url: "https://smba.trafficmanager.net/emea/00000000-0000-0000-0000-00000000c0de/".to_owned(),
            conversation: "a:1example".to_owned(),
        },
        state: Some(StoredState {
            version: 1,
            bytes: Bytes::from_static(b"{\"heard\":41}"),
        }),
        steps: Vec::new(),
        now: SystemTime::UNIX_EPOCH,
        seed: "turn".to_owned(),
        attempt: 1,
        locale: Some("en-GB".to_owned()),
        next_sequence: 1,
    }
}

fn echo_turn(criterion: &mut Criterion) {
    let logic = trunkline_example_bots::echo::bot().build().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    criterion.bench_function("turn of echo", |bencher| {
        bencher.iter_batched(
            begin,
            |begin| {
                let mut turn = pin!(logic.run(begin, Box::new(Idle)));
                let end: std::task::Poll<End> = turn.as_mut().poll(&mut context);
                black_box(end)
            },
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, echo_turn);
criterion_main!(benches);
