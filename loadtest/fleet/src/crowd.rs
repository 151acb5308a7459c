//! People who say one thing after the other and repeat what was not answered, with the same id, as Teams does; and what they
//! noticed.

mod history;
mod noticed;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

pub use self::history::{Attempt, Said};
pub use self::noticed::Noticed;
use crate::balancer::Balancer;
use crate::message::{self, Sender};
use crate::recorder::Recorder;
use crate::verdict::Verdict;
use crate::wait::wait_for;

/// Pause before a message is said again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// Nobody waits: every message is answered that was due longer ago than this.
const CALM: Duration = Duration::from_millis(250);
/// What a device is at that waits for no answer.
const NOTHING: u64 = u64::MAX;
/// How long replies are waited for after the last message.
const LAST_REPLIES: Duration = Duration::from_secs(30);

/// Where people speak, and how their requests are signed.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The ways in.
    pub ingresses: Balancer,
    /// What the messages name.
    pub sender: Sender,
    /// Bearer token for a request; none for a bot that accepts unauthenticated requests.
    pub token: Option<String>,
}

/// Who speaks, and how much.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    /// Each in a conversation of their own.
    pub people: usize,
    /// Number of the first of them: crowds that talk one after the other are judged alone when they are other people.
    pub first_person: usize,
    /// Messages of all people together in a second; `None`: each says the next one as soon as the last is answered.
    pub per_second: Option<f64>,
    /// Devices of each person that speak at the same time: their messages overlap, and have no promised order.
    pub devices: usize,
    /// How long an answer is waited for.
    pub patience: Duration,
    /// How often a message is sent before its person gives up; every third person gives up after [`Habits::few_attempts`],
    /// so that some messages stay unanswered.
    pub attempts: usize,
    /// See [`Habits::attempts`].
    pub few_attempts: usize,
}

impl Default for Habits {
    /// Six people who talk without a pause. Teams waits 15 s; the processes here die, they do not think.
    fn default() -> Self {
        Self {
            people: 6,
            first_person: 0,
            per_second: None,
            devices: 1,
            patience: Duration::from_secs(5),
            attempts: 200,
            few_attempts: 6,
        }
    }
}

/// People who talk.
pub struct Crowd {
    devices: Vec<JoinHandle<Device>>,
    stop: Arc<AtomicBool>,
    began: Instant,
    /// By device: when the message was due that waits for its answer, in milliseconds.
    due: Arc<[AtomicU64]>,
    people: Range<usize>,
    runtime: Runtime,
}

/// What was said in one conversation.
#[derive(Debug)]
pub struct Talk {
    /// Its id.
    pub conversation: String,
    /// In the order of saying.
    pub said: Vec<Said>,
}

impl Crowd {
    /// Everybody begins.
    pub fn talk(surroundings: &Surroundings, habits: Habits) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let runtime = Runtime::new().unwrap();
        let began = Instant::now();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let due: Arc<[AtomicU64]> = (0..habits.people * habits.devices)
            .map(|_| AtomicU64::new(NOTHING))
            .collect();
        let devices = (0..habits.people * habits.devices)
            .map(|number| {
                let device = Device {
                    person: habits.first_person + number / habits.devices,
                    place: number % habits.devices,
                    number,
                    said: Vec::new(),
                };
                let world = World {
                    surroundings: surroundings.clone(),
                    habits,
                    client: client.clone(),
                    stop: Arc::clone(&stop),
                    began,
                    due: Arc::clone(&due),
                };
                runtime.spawn(device.talk(world))
            })
            .collect();
        Self {
            devices,
            stop,
            began,
            due,
            people: habits.first_person..habits.first_person + habits.people,
            runtime,
        }
    }

    /// Time on the crowd's clock.
    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits until nobody waits for an answer that was due before now.
    pub fn is_calm_again(&self) {
        wait_for("answers to all that was due", || {
            let long_ago = milliseconds(self.now().saturating_sub(CALM));
            let is_calm = self.due.iter().all(|due| due.load(Ordering::Relaxed) >= long_ago);
            is_calm.then_some(())
        });
    }

    /// Waits until everybody has heard two new things: the first may be the reply of a turn that had committed before, the
    /// second is of what was under way now, or came later.
    pub fn goes_on(&self, recorder: &Recorder) {
        recorder.everybody_hears(self.people.clone());
    }

    /// Lets everybody finish; what was said, by conversation.
    pub fn hush(self) -> Vec<Talk> {
        self.stop.store(true, Ordering::Relaxed);
        let mut talks: Vec<Talk> = Vec::new();
        for device in self.devices {
            let device = self.runtime.block_on(device).unwrap();
            let conversation = message::conversation(device.person);
            match talks.last_mut() {
                Some(talk) if talk.conversation == conversation => talk.said.extend(device.said),
                _ => talks.push(Talk {
                    conversation,
                    said: device.said,
                }),
            }
        }
        for talk in &mut talks {
            talk.said.sort_by_key(|said| said.planned);
        }
        talks
    }

    /// Lets everybody finish, waits for the last replies, and asserts that the state is what was acknowledged. Returns what was
    /// said.
    pub fn judge(self, test: &str, recorder: &Recorder) -> Vec<Talk> {
        let talks = self.hush();
        let (sum, wrong) = judge(&talks, recorder);
        println!(
            "{test}: {} acknowledged, each in the state once; {} unanswered, {} of them applied; {} replies repeated",
            sum.acknowledged, sum.unanswered, sum.unanswered_but_applied, sum.replies_repeated
        );
        assert!(wrong.is_empty(), "{test}: {wrong:#?}");
        assert!(
            sum.acknowledged > 0,
            "{test}: nothing was acknowledged, so nothing was tested"
        );
        talks
    }
}

/// The sum over all conversations, and the verdicts of those where a promise was broken, with their conversations.
pub fn judge(talks: &[Talk], recorder: &Recorder) -> (Verdict, Vec<(String, Verdict)>) {
    judge_within(LAST_REPLIES, talks, recorder)
}

/// As [`judge`], when the last replies are waited for only this long: where something may be lost, some never come.
pub fn judge_within(patience: Duration, talks: &[Talk], recorder: &Recorder) -> (Verdict, Vec<(String, Verdict)>) {
    let deadline = Instant::now() + patience;
    let mut sum = Verdict::default();
    let mut wrong = Vec::new();
    for talk in talks {
        let verdict = settled(talk, recorder, deadline);
        sum.add(&verdict);
        if !verdict.is_correct() {
            wrong.push((talk.conversation.clone(), verdict));
        }
    }
    (sum, wrong)
}

/// The verdict once every acknowledged message has its reply, or at the deadline.
fn settled(talk: &Talk, recorder: &Recorder, deadline: Instant) -> Verdict {
    loop {
        let verdict = Verdict::of(&talk.said, &recorder.replies(&talk.conversation));
        if verdict.is_correct() || Instant::now() > deadline {
            return verdict;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What every device has.
struct World {
    surroundings: Surroundings,
    habits: Habits,
    client: reqwest::Client,
    stop: Arc<AtomicBool>,
    began: Instant,
    due: Arc<[AtomicU64]>,
}

struct Device {
    person: usize,
    /// Among the devices of its person.
    place: usize,
    /// Among all devices.
    number: usize,
    said: Vec<Said>,
}

impl Device {
    /// Says things until told to stop, each of them different from all that anybody says.
    async fn talk(mut self, world: World) -> Self {
        let devices = world.habits.people * world.habits.devices;
        #[allow(clippy::cast_precision_loss, reason = "fewer than 2^52 of anything")]
        let pace = world.habits.per_second.map(|rate| {
            let each = Duration::from_secs_f64(devices as f64 / rate);
            (each.mul_f64(self.number as f64 / devices as f64), each)
        });
        for round in 0.. {
            let planned = match pace {
                // Latency counts from the plan, however late the device is free.
                Some((first, each)) => first + each * round,
                None => world.began.elapsed(),
            };
            tokio::time::sleep_until((world.began + planned).into()).await;
            if world.stop.load(Ordering::Relaxed) {
                return self;
            }
            world.due[self.number].store(milliseconds(planned), Ordering::Relaxed);
            let said = self.insist(&world, planned).await;
            world.due[self.number].store(NOTHING, Ordering::Relaxed);
            self.said.push(said);
        }
        self
    }

    /// Sends one message until it is answered or the person gives up.
    async fn insist(&self, world: &World, planned: Duration) -> Said {
        let number = self.said.len() * world.habits.devices + self.place;
        let text = format!("person-{}-message-{number}", self.person);
        let body = message::message(&world.surroundings.sender, self.person, number, &text);
        let habits = world.habits;
        let attempts = if self.person.is_multiple_of(3) {
            habits.few_attempts
        } else {
            habits.attempts
        };
        let mut said = Said {
            text,
            planned,
            began: world.began.elapsed(),
            ended: Duration::ZERO,
            acknowledged: false,
            failures: Vec::new(),
        };
        for attempt in 0..attempts {
            let result = self.ask(world, &body, attempt).await;
            said.ended = world.began.elapsed();
            match result {
                Attempt::Acknowledged => {
                    said.acknowledged = true;
                    break;
                }
                failure => {
                    said.failures.push((said.ended, failure));
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        }
        said
    }

    async fn ask(&self, world: &World, body: &serde_json::Value, attempt: usize) -> Attempt {
        let endpoint = world.surroundings.ingresses.pick(self.number + attempt);
        let mut request = world.client.post(endpoint).json(body).timeout(world.habits.patience);
        if let Some(token) = &world.surroundings.token {
            request = request.bearer_auth(token);
        }
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Attempt::Acknowledged,
            Ok(answer) => Attempt::Refused(answer.status().as_u16()),
            Err(error) if error.is_timeout() => Attempt::Silent,
            Err(error) if error.is_connect() => Attempt::NoConnection,
            Err(_) => Attempt::Broken,
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(NOTHING)
}
