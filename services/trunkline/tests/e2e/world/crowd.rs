//! People who talk at the same time, each in a conversation of their own, until they are judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::people::{Person, Surroundings};
use super::recorder::Recorder;
use super::verdict::Verdict;

/// How many talk.
const PEOPLE: usize = 6;

/// People who talk.
pub(crate) struct Crowd {
    people: Vec<JoinHandle<Person>>,
    stop: Arc<AtomicBool>,
    runtime: Runtime,
}

impl Crowd {
    pub(crate) fn talk(surroundings: &Surroundings) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let runtime = Runtime::new().unwrap();
        let people = (0..PEOPLE)
            .map(|number| runtime.spawn(Person::new(number).talk(surroundings.clone(), Arc::clone(&stop))))
            .collect();
        Self { people, stop, runtime }
    }

    /// Lets everybody finish, waits for the last replies, and compares what was said with what was answered. Returns the texts
    /// of the messages that were acknowledged.
    pub(crate) fn judge(self, test: &str, recorder: &Recorder) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        let (mut acknowledged, mut unanswered, mut applied, mut repeated) = (0, 0, 0, 0);
        let mut texts = Vec::new();
        let mut wrong = Vec::new();
        for person in self.people {
            let person = self.runtime.block_on(person).unwrap();
            let verdict = settled(&person, recorder);
            acknowledged += verdict.acknowledged;
            unanswered += verdict.unanswered;
            applied += verdict.unanswered_but_applied;
            repeated += verdict.replies_repeated;
            if !verdict.is_correct() {
                wrong.push((person.conversation, verdict));
            }
            texts.extend(
                person
                    .said
                    .into_iter()
                    .filter(|said| said.acknowledged)
                    .map(|said| said.text),
            );
        }
        println!(
            "{test}: {acknowledged} acknowledged, each in the state once; {unanswered} unanswered, {applied} of them applied; \
             {repeated} replies repeated"
        );
        assert!(wrong.is_empty(), "{test}: {wrong:#?}");
        assert!(
            acknowledged > 0,
            "{test}: nothing was acknowledged, so nothing was tested"
        );
        texts
    }
}

/// The verdict once every acknowledged message has its reply, or at the deadline.
fn settled(person: &Person, recorder: &Recorder) -> Verdict {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let verdict = Verdict::of(&person.said, &recorder.replies(&person.conversation));
        if verdict.is_correct() || Instant::now() > deadline {
            return verdict;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}
