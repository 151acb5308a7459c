//! A prompt that takes long to load: its leg hears everything else meanwhile, and what waits for it keeps its order.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use trunkline_proto::media::acknowledgement::What as Ack;
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::{
    Attach, Attached, Close, Finished, Play, RecordAnswer, Relay, SendTones, Statistics, StopPlaying,
};

use crate::support::{PATIENCE, until};
use crate::world::{Worker, World, run, wav};

/// A prompt whose file has an end only when the test says so, or is over. Somebody must ask for it.
struct Slow {
    file: File,
    path: PathBuf,
}

impl Slow {
    fn prompt(world: &World, name: &str) -> Self {
        let path = world.directory.path().join("prompts").join(name);
        let made = Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        // Whoever reads waits as long as somebody could write.
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        Self { file, path }
    }

    /// Whoever reads has the whole file.
    fn comes(mut self) {
        self.file.write_all(&wav()).unwrap();
    }

    fn is_read(&self) -> bool {
        let open = std::fs::read_dir("/proc/self/fd").unwrap();
        let links = open.filter_map(|descriptor| std::fs::read_link(descriptor.ok()?.path()).ok());
        links.filter(|link| *link == self.path).count() > 1
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        // Whoever comes to read after the last writer has gone would wait for ever.
        let until = Instant::now() + PATIENCE;
        while !self.is_read() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn play(name: &str) -> What {
    What::Play(Play {
        prompts: vec![name.to_owned()],
        repeat: false,
        stops_at_tone: false,
    })
}

fn stop(of: u64) -> What {
    What::StopPlaying(StopPlaying { of })
}

/// What was sent so far; its answer says that the leg heard everything before it.
async fn sent_packets(worker: &mut Worker, leg: &str) -> u64 {
    match worker.does(leg, What::Statistics(Statistics {})).await.1 {
        Ack::Figures(figures) => figures.sent_packets,
        other => panic!("{other:?}"),
    }
}

async fn finished(worker: &mut Worker, leg: &str) -> Finished {
    match worker.event(leg, |told| matches!(told, Told::Finished(_))).await {
        Told::Finished(finished) => finished,
        other => panic!("{other:?}"),
    }
}

fn is_started(told: &Told) -> bool {
    matches!(told, Told::Started(_))
}

fn is_gone(ack: &Ack) -> bool {
    matches!(ack, Ack::Refused(refused) if refused.reason().as_str_name() == "REASON_GONE")
}

#[test]
fn a_leg_is_taken_over_while_it_loads_and_its_new_owner_hears_of_the_play() {
    run(async {
        let mut world = World::start(10).await;
        let slow = Slow::prompt(&world, "slow.wav");
        let mut old = world.worker().await;
        let (leg, _caller, _) = world.call(&mut old).await;
        let before = old.accepts(&leg, What::Relay(Relay { echo: false })).await;
        let operation = old.tell(&leg, play("slow.wav")).await;
        // The leg has the command: it answered what came after it.
        sent_packets(&mut old, &leg).await;

        let mut new = world.worker().await;
        new.epoch = 2;
        let (_, ack) = new.send(&leg, 1 << 63, What::Attach(Attach { last_event: 0 })).await;
        let Ack::Attached(Attached { last_operation, .. }) = ack else {
            panic!("{ack:?}")
        };
        assert_eq!(last_operation, before, "what is not done yet is asked again");
        let (_, fenced) = old.does(&leg, What::Close(Close {})).await;
        assert_eq!(fenced, Ack::Fenced(2));
        // Asked again, by both: the one is not asked any more, the other waits for it as the first did.
        new.tell_again(&leg, operation, play("slow.wav")).await;
        assert_eq!(sent_packets(&mut new, &leg).await, 0);
        assert!(!new.is_acknowledged(operation) && !old.is_acknowledged(operation));

        slow.comes();
        assert!(matches!(new.acknowledged(operation).await.1, Ack::Accepted(_)));
        assert!(matches!(old.acknowledged(operation).await.1, Ack::Accepted(_)));
        let finished = finished(&mut new, &leg).await;
        assert_eq!(
            (finished.operation, finished.reason.as_str(), finished.packets),
            (operation, "played", 50)
        );
        // It is done, and is not done again.
        let (_, ack) = new.send(&leg, operation, play("slow.wav")).await;
        assert!(matches!(ack, Ack::Accepted(_)), "{ack:?}");
        assert_eq!(sent_packets(&mut new, &leg).await, 50);
    });
}

#[test]
fn what_is_stopped_while_it_loads_is_never_heard() {
    run(async {
        let mut world = World::start(10).await;
        std::fs::write(world.directory.path().join("prompts/hello.wav"), wav()).unwrap();
        let slow = Slow::prompt(&world, "slow.wav");
        let mut worker = world.worker().await;
        let (leg, _caller, _) = world.call(&mut worker).await;
        let first = worker.tell(&leg, play("slow.wav")).await;
        let second = worker.tell(&leg, play("hello.wav")).await;
        let third = worker.tell(&leg, play("hello.wav")).await;

        worker.accepts(&leg, stop(second)).await;
        worker.accepts(&leg, stop(first)).await;
        for operation in [second, first] {
            assert!(matches!(worker.acknowledged(operation).await.1, Ack::Accepted(_)));
            let finished = finished(&mut worker, &leg).await;
            assert_eq!(
                (finished.operation, finished.reason.as_str(), finished.packets),
                (operation, "stopped", 0)
            );
        }
        // What waited behind it is heard, though the file has still no end.
        assert!(matches!(worker.acknowledged(third).await.1, Ack::Accepted(_)));
        slow.comes();
        let started = worker.event(&leg, is_started).await;
        assert_eq!(started, Told::Started(third));
        assert_eq!(finished(&mut worker, &leg).await.operation, third);
        assert_eq!(sent_packets(&mut worker, &leg).await, 50);
        // Nothing plays or loads: there is nothing to stop.
        for of in [0, first] {
            let (_, ack) = worker.does(&leg, stop(of)).await;
            assert!(matches!(ack, Ack::Refused(_)), "{ack:?}");
        }
    });
}

#[test]
fn what_comes_after_a_prompt_that_loads_waits_for_its_turn() {
    run(async {
        let mut world = World::start(10).await;
        std::fs::write(world.directory.path().join("prompts/hello.wav"), wav()).unwrap();
        let slow = Slow::prompt(&world, "slow.wav");
        let mut worker = world.worker().await;
        let (leg, mut caller, _) = world.call(&mut worker).await;
        let first = worker.tell(&leg, play("slow.wav")).await;
        let echo = worker.tell(&leg, What::Relay(Relay { echo: true })).await;
        let second = worker.tell(&leg, play("hello.wav")).await;
        let missing = worker.tell(&leg, play("missing.wav")).await;
        let keys = worker
            .tell(
                &leg,
                What::SendTones(SendTones {
                    keys: "nothing".to_owned(),
                }),
            )
            .await;

        assert_eq!(sent_packets(&mut worker, &leg).await, 0);
        caller.say(b"not yet");
        // Read by the leg before the file has its end: otherwise it would be the echo's.
        until(async || {
            let (_, ack) = worker.does(&leg, What::Statistics(Statistics {})).await;
            let Ack::Figures(figures) = ack else { panic!("{ack:?}") };
            assert_eq!(figures.sent_packets, 0, "nothing is relayed before its turn");
            let has_come = figures.received_packets > 0;
            has_come
                .then_some(())
                .ok_or_else(|| "the packet does not come".to_owned())
        })
        .await;
        assert!(
            ![first, echo, second, missing, keys]
                .iter()
                .any(|it| worker.is_acknowledged(*it))
        );

        slow.comes();
        for operation in [first, echo, second] {
            assert!(matches!(worker.acknowledged(operation).await.1, Ack::Accepted(_)));
        }
        for (operation, why) in [(missing, "missing.wav"), (keys, "keys are digits")] {
            let ack = worker.acknowledged(operation).await.1;
            assert!(
                matches!(&ack, Ack::Refused(refused) if refused.detail.contains(why)),
                "{ack:?}"
            );
        }
        for operation in [first, second] {
            assert_eq!(worker.event(&leg, is_started).await, Told::Started(operation));
            assert_eq!(finished(&mut worker, &leg).await.operation, operation);
        }
    });
}

#[test]
fn a_leg_that_is_closed_while_it_loads_ends_with_all_that_waits() {
    run(async {
        let mut world = World::start(10).await;
        let slow = Slow::prompt(&world, "slow.wav");
        let mut worker = world.worker().await;
        let (leg, mut caller, _) = world.call(&mut worker).await;
        let first = worker.tell(&leg, play("slow.wav")).await;
        let second = worker.tell(&leg, What::Relay(Relay { echo: true })).await;

        worker.accepts(&leg, What::Close(Close {})).await;
        for operation in [first, second] {
            let ack = worker.acknowledged(operation).await.1;
            assert!(is_gone(&ack), "{ack:?}");
        }
        let ended = worker.event(&leg, |told| matches!(told, Told::Ended(_))).await;
        assert_eq!(ended, Told::Ended("closed".to_owned()));
        world.is_left_by(&mut caller).await;
        drop(slow);
    });
}

#[test]
fn an_answer_that_is_stopped_while_its_prompt_loads_leaves_no_file() {
    run(async {
        let mut world = World::start(10).await;
        let slow = Slow::prompt(&world, "slow.wav");
        let mut worker = world.worker().await;
        let (leg, _caller, _) = world.call(&mut worker).await;
        let answer = RecordAnswer {
            prompts: vec!["slow.wav".to_owned()],
            first_silence_ms: 20_000,
            silence_ms: 20_000,
            longest_ms: 60_000,
            ..RecordAnswer::default()
        };
        let operation = worker.tell(&leg, What::RecordAnswer(answer)).await;
        worker.accepts(&leg, stop(0)).await;
        assert!(matches!(worker.acknowledged(operation).await.1, Ack::Accepted(_)));
        let Told::Answered(answered) = worker.event(&leg, |told| matches!(told, Told::Answered(_))).await else {
            panic!()
        };
        assert_eq!(
            (answered.operation, answered.reason.as_str(), answered.location.as_str()),
            (operation, "stopped", "")
        );

        slow.comes();
        // Its file is made when the prompt is there, and goes again.
        let answers = world.directory.path().join("recordings/answers");
        until(async || match std::fs::read_dir(&answers).map(Iterator::count) {
            Ok(0) => Ok(()),
            other => Err(format!("files that are kept of it: {other:?}")),
        })
        .await;
    });
}
