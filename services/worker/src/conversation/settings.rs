//! What the operator can set for conversations, and what the core must know of a bot.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use trunkline_bot::logic::{Answer, CallEvent, CallNow, Description, Logic, StateProblem, StoredState};
use trunkline_teams::activity::Activity;
use trunkline_teams::graph::Operation;

use super::CallSettings;

/// Budgets and bounds of every conversation of a worker.
#[derive(Clone, Debug)]
pub struct ConversationSettings {
    /// After this a message is made durable and answered with 202 (Teams gives 15 s).
    pub message_budget: Duration,
    /// After this an invoke gets its default answer or 504.
    pub invoke_budget: Duration,
    /// The same for message extensions, to which Teams gives 5 s.
    pub short_invoke_budget: Duration,
    /// Activities that wait in one conversation; more are answered with 429.
    pub queue: usize,
    /// No turn is started for a caller that waits no longer than this.
    pub least_remaining: Duration,
    /// Runs of a turn before it is parked.
    pub attempts: u32,
    /// Wait before the second run; each further one waits four times as long.
    pub attempt_back_off: Duration,
    /// What was sent is taken out of the record within this time.
    pub settle_within: Duration,
    /// A send is given up after this time.
    pub send_give_up: Duration,
    /// A record is forgotten when nothing happened for this long.
    pub retention: Duration,
    /// How long a running turn may go on when its shard leaves.
    pub quiesce: Duration,
    /// Inbox entries of one conversation.
    pub inbox_entries: usize,
    /// Bytes of one conversation's inbox.
    pub inbox_bytes: usize,
}

impl Default for ConversationSettings {
    fn default() -> Self {
        Self {
            message_budget: Duration::from_secs(5),
            invoke_budget: Duration::from_secs(10),
            short_invoke_budget: Duration::from_secs(4),
            queue: 32,
            least_remaining: Duration::from_millis(300),
            attempts: 3,
            attempt_back_off: Duration::from_millis(500),
            settle_within: Duration::from_millis(50),
            send_give_up: Duration::from_secs(600),
            retention: Duration::from_secs(90 * 24 * 3600),
            quiesce: Duration::from_millis(1_500),
            inbox_entries: 1_000,
            inbox_bytes: 4 * 1024 * 1024,
        }
    }
}

/// What is done with stored state that the bot's code cannot read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unreadable {
    /// The turn is parked until the code is repaired: nothing is lost.
    #[default]
    Park,
    /// The conversation starts anew; the old bytes are kept for 30 days.
    Reset,
}

/// A bot as the core sees it: pure functions and limits. Every call is guarded, because a bot may panic in any of them.
#[derive(Clone)]
pub struct BotRules {
    /// Name in the configuration.
    pub name: String,
    /// What the bot said of itself.
    pub description: Description,
    /// Longest time that one turn may take.
    pub turn_limit: Duration,
    /// What is done with unreadable state.
    pub unreadable: Unreadable,
    /// The rules of its calls, where it has any.
    pub calls: Option<Arc<BotRules>>,
    /// Budgets and limits, in the rules of calls.
    call_settings: Option<CallSettings>,
    logic: Arc<dyn Logic>,
}

impl BotRules {
    /// Asks the bot for its description.
    pub fn new(logic: Arc<dyn Logic>, turn_limit: Duration, unreadable: Unreadable) -> Self {
        let mut description = logic.describe();
        for word in &mut description.stop_words {
            *word = word.trim().to_lowercase();
        }
        Self {
            name: description.name.clone(),
            description,
            turn_limit,
            unreadable,
            calls: None,
            call_settings: None,
            logic,
        }
    }

    /// The same with the rules of its calls, whose logic may be another one; the name is this one's.
    #[must_use]
    pub fn with_calls(mut self, logic: Arc<dyn Logic>, settings: CallSettings) -> Self {
        let rules = Self {
            name: self.name.clone(),
            call_settings: Some(settings),
            ..Self::new(logic, self.turn_limit, self.unreadable)
        };
        self.calls = Some(Arc::new(rules));
        self
    }

    /// Budgets and limits, in the rules of calls.
    pub(super) fn call_settings(&self) -> Option<&CallSettings> {
        self.call_settings.as_ref()
    }

    /// Whether it can begin calls.
    pub(super) fn hosts_calls(&self) -> bool {
        self.calls.is_some() || self.call_settings.is_some()
    }

    /// Whether it takes incoming calls.
    pub(super) fn answers_calls(&self) -> bool {
        self.description.calls.as_ref().is_some_and(|calls| calls.answers)
    }

    /// Whether it wants the keys that callers press.
    pub(super) fn wants_tones(&self) -> bool {
        self.description.calls.as_ref().is_some_and(|calls| calls.wants_tones)
    }

    /// Whether it wants to know when callers speak.
    pub(super) fn wants_speech(&self) -> bool {
        self.description.calls.as_ref().is_some_and(|calls| calls.wants_speech)
    }

    /// Whether it hears its calls itself.
    pub(super) fn listens(&self) -> bool {
        self.description.calls.as_ref().is_some_and(|calls| calls.listens)
    }

    /// Whether it says nothing to what it hears so.
    pub(super) fn hears_only(&self) -> bool {
        self.description.calls.as_ref().is_some_and(|calls| calls.hears_only)
    }

    /// What is done with an incoming call whose turn is late or failed.
    pub(super) fn late_decision(&self, call: &CallNow) -> Option<Operation> {
        catch_unwind(AssertUnwindSafe(|| self.logic.late_decision(call))).unwrap_or(None)
    }

    /// Whether anybody handles what happened in a call. Where the question panics, the turn will tell.
    pub(super) fn handles_call_event(&self, event: &CallEvent) -> bool {
        catch_unwind(AssertUnwindSafe(|| self.logic.handles_call_event(event))).unwrap_or(true)
    }

    /// The bot's code.
    pub fn logic(&self) -> &Arc<dyn Logic> {
        &self.logic
    }

    /// The route that an activity takes.
    pub fn route_of(&self, activity: &Activity) -> Option<usize> {
        catch_unwind(AssertUnwindSafe(|| self.logic.route_of(activity))).unwrap_or(None)
    }

    /// The default answer of an invoke that is late.
    pub fn late_answer(&self, activity: &Activity) -> Option<Answer> {
        catch_unwind(AssertUnwindSafe(|| self.logic.late_answer(activity))).unwrap_or(None)
    }

    /// The message in place of the one with the button, when the answer came too late.
    pub fn late_card(&self, activity: &Activity, answer: &Answer) -> Option<Bytes> {
        catch_unwind(AssertUnwindSafe(|| self.logic.late_card(activity, answer))).unwrap_or(None)
    }

    /// The answer of an invoke whose turn failed.
    pub fn failed_answer(&self, activity: &Activity) -> Answer {
        catch_unwind(AssertUnwindSafe(|| self.logic.failed_answer(activity))).unwrap_or(Answer {
            status: 500,
            body: None,
        })
    }

    /// Applies a change to what is remembered of a person.
    pub fn apply(&self, name: &str, state: Option<StoredState>, change: &Bytes) -> Result<StoredState, StateProblem> {
        let changes = std::slice::from_ref(change);
        catch_unwind(AssertUnwindSafe(|| self.logic.apply_user_changes(name, state, changes))).unwrap_or_else(|_| {
            Err(StateProblem::Unreadable {
                stored: 0,
                reason: "the bot panicked while it applied a change".to_owned(),
            })
        })
    }

    /// Whether a text stops a running turn.
    pub fn is_stop_word(&self, text: &str) -> bool {
        let words = &self.description.stop_words;
        if words.is_empty() {
            return false;
        }
        let said = text.trim().to_lowercase();
        words.contains(&said)
    }
}

/// The bots of a process by name.
pub type Bots = HashMap<String, Arc<BotRules>>;
