//! Rates: sliding windows per bot and conversation, per conversation over all bots, and a bucket per app.
//!
//! The table is that of Microsoft's page "Optimize your bot with rate limiting in Teams". The page does not say whether a
//! channel's threads share one budget, nor in which class updates and deletions fall: here they do, and as sends.

use std::collections::VecDeque;

use ahash::AHashMap;

use super::refusal::Refusal;
use crate::{config::Limits, world::people::BotNumber};

/// What a call counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Send,
    Create,
    Members,
    Conversations,
    Reaction,
    UnpagedMembers,
}

/// So many calls within so many milliseconds.
type Rate = (u64, usize);

impl Class {
    /// For one bot in one conversation.
    fn own(self) -> &'static [Rate] {
        match self {
            Self::Send | Self::Create => &[(1_000, 7), (2_000, 8), (30_000, 60), (3_600_000, 1_800)],
            Self::Members | Self::Conversations => &[(1_000, 14), (2_000, 16), (30_000, 120), (3_600_000, 3_600)],
            Self::Reaction => &[(1_000, 2)],
            Self::UnpagedMembers => &[(60_000, 5)],
        }
    }

    /// For all bots together in one conversation.
    fn shared(self) -> &'static [Rate] {
        match self {
            Self::Send | Self::Create => &[(1_000, 14), (2_000, 16)],
            Self::Members | Self::Conversations => &[(1_000, 28), (2_000, 32)],
            Self::Reaction | Self::UnpagedMembers => &[],
        }
    }
}

/// Calls a second for one app in one tenant, over all conversations.
const APP_RATE: u64 = 50;

/// Decides which calls are over the rates.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    own: AHashMap<(BotNumber, usize, Class), Window>,
    shared: AHashMap<(usize, Class), Window>,
    apps: AHashMap<BotNumber, Bucket>,
}

impl Limiter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            own: AHashMap::new(),
            shared: AHashMap::new(),
            apps: AHashMap::new(),
        }
    }

    /// Follows other limits from now on, and forgets what was counted.
    pub(crate) fn set(&mut self, limits: Limits) {
        *self = Self::new(limits);
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Counts `calls` calls at `now` (milliseconds since 1970), or refuses all of them. A refused call is not counted.
    pub(crate) fn admit(
        &mut self,
        bot: BotNumber,
        chat: usize,
        class: Class,
        calls: usize,
        now: u64,
    ) -> Result<(), Refusal> {
        if self.limits == Limits::Off {
            return Ok(());
        }
        let bucket = self.apps.entry(bot).or_insert_with(|| Bucket::full(now));
        let own = self.own.entry((bot, chat, class)).or_default();
        let shared = self.shared.entry((chat, class)).or_default();
        let waits = [
            own.wait(class.own(), calls, now),
            shared.wait(class.shared(), calls, now),
            bucket.wait(calls, now),
        ];
        let wait = waits.into_iter().max().unwrap_or(0);
        if wait > 0 {
            return Err(Refusal::Throttled {
                retry_after: self.retry_after(wait),
            });
        }
        own.record(class.own(), calls, now);
        shared.record(class.shared(), calls, now);
        bucket.take(calls);
        Ok(())
    }

    /// Whole seconds, rounded up, for a wait in milliseconds.
    pub(crate) fn retry_after(&self, wait: u64) -> Option<u32> {
        (self.limits == Limits::Real).then(|| u32::try_from(wait.div_ceil(1_000)).unwrap_or(u32::MAX))
    }
}

/// When the calls were that still count, oldest first.
#[derive(Debug, Default)]
struct Window {
    admitted: VecDeque<u64>,
}

impl Window {
    /// Milliseconds until `calls` more calls fit into every rate; 0 when they fit now.
    fn wait(&self, rates: &[Rate], calls: usize, now: u64) -> u64 {
        let wait = rates.iter().map(|&(span, most)| {
            let before = self.admitted.partition_point(|&at| at + span <= now);
            let over = (self.admitted.len() - before + calls).saturating_sub(most);
            match over.checked_sub(1) {
                None => 0,
                // The one that must leave the window first; more than fit at all wait for the whole span.
                Some(leaver) => self
                    .admitted
                    .get(before + leaver)
                    .map_or(span, |&at| (at + span).saturating_sub(now)),
            }
        });
        wait.max().unwrap_or(0)
    }

    fn record(&mut self, rates: &[Rate], calls: usize, now: u64) {
        let longest = rates.iter().map(|&(span, _)| span).max().unwrap_or(0);
        if longest == 0 {
            return;
        }
        while self.admitted.front().is_some_and(|&at| at + longest <= now) {
            self.admitted.pop_front();
        }
        self.admitted.extend(std::iter::repeat_n(now, calls));
    }
}

/// A token bucket that holds one second's worth, in thousandths of a call.
#[derive(Debug)]
struct Bucket {
    level: u64,
    filled: u64,
}

impl Bucket {
    const SIZE: u64 = APP_RATE * 1_000;

    fn full(now: u64) -> Self {
        Self {
            level: Self::SIZE,
            filled: now,
        }
    }

    fn wait(&mut self, calls: usize, now: u64) -> u64 {
        let elapsed = now.saturating_sub(self.filled);
        self.level = Self::SIZE.min(self.level + elapsed * APP_RATE);
        self.filled = now.max(self.filled);
        (calls as u64 * 1_000).saturating_sub(self.level).div_ceil(APP_RATE)
    }

    fn take(&mut self, calls: usize) {
        self.level = self.level.saturating_sub(calls as u64 * 1_000);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOT: BotNumber = BotNumber(0);
    const START: u64 = 1_800_000_000_000;

    fn retry_after(refused: Result<(), Refusal>) -> Option<u32> {
        match refused {
            Err(Refusal::Throttled { retry_after }) => retry_after,
            other => panic!("not throttled: {other:?}"),
        }
    }

    #[test]
    fn the_eighth_send_within_a_second_is_refused_and_fits_when_the_answer_says() {
        let mut limiter = Limiter::new(Limits::Real);
        for call in 0..7 {
            assert_eq!(limiter.admit(BOT, 0, Class::Send, 1, START + call * 10), Ok(()));
        }
        assert_eq!(retry_after(limiter.admit(BOT, 0, Class::Send, 1, START + 70)), Some(1));
        assert_eq!(limiter.admit(BOT, 0, Class::Send, 1, START + 1_070), Ok(()));
        // Eight within two seconds are reached now.
        assert_eq!(
            retry_after(limiter.admit(BOT, 0, Class::Send, 1, START + 1_080)),
            Some(1)
        );
    }

    #[test]
    fn other_conversations_and_other_classes_have_budgets_of_their_own() {
        let mut limiter = Limiter::new(Limits::Real);
        assert_eq!(limiter.admit(BOT, 0, Class::Send, 7, START), Ok(()));
        assert_eq!(limiter.admit(BOT, 1, Class::Send, 7, START), Ok(()));
        assert_eq!(limiter.admit(BOT, 0, Class::Members, 14, START), Ok(()));
        retry_after(limiter.admit(BOT, 0, Class::Send, 1, START));
    }

    #[test]
    fn all_bots_together_share_a_conversation() {
        let mut limiter = Limiter::new(Limits::Real);
        assert_eq!(limiter.admit(BotNumber(0), 0, Class::Send, 7, START), Ok(()));
        assert_eq!(limiter.admit(BotNumber(1), 0, Class::Send, 7, START), Ok(()));
        retry_after(limiter.admit(BotNumber(2), 0, Class::Send, 1, START));
    }

    #[test]
    fn an_app_has_fifty_calls_a_second_over_all_conversations() {
        let mut limiter = Limiter::new(Limits::Real);
        for chat in 0..50 {
            assert_eq!(limiter.admit(BOT, chat, Class::Send, 1, START), Ok(()));
        }
        retry_after(limiter.admit(BOT, 50, Class::Send, 1, START));
        assert_eq!(limiter.admit(BOT, 50, Class::Send, 1, START + 20), Ok(()));
    }

    #[test]
    fn the_whole_roster_may_be_asked_for_five_times_a_minute() {
        let mut limiter = Limiter::new(Limits::Real);
        assert_eq!(limiter.admit(BOT, 0, Class::UnpagedMembers, 5, START), Ok(()));
        assert_eq!(
            retry_after(limiter.admit(BOT, 0, Class::UnpagedMembers, 1, START + 1_000)),
            Some(59)
        );
    }

    #[test]
    fn without_limits_everything_passes_and_retry_after_can_be_left_out() {
        let mut limiter = Limiter::new(Limits::Off);
        assert_eq!(limiter.admit(BOT, 0, Class::Send, 10_000, START), Ok(()));
        limiter.set(Limits::RealWithoutRetryAfter);
        assert_eq!(limiter.admit(BOT, 0, Class::Send, 7, START), Ok(()));
        assert_eq!(retry_after(limiter.admit(BOT, 0, Class::Send, 1, START)), None);
    }

    proptest! {
        #[test]
        fn no_window_ever_holds_more_than_its_rate(pauses in proptest::collection::vec(0_u64..400, 1..300)) {
            let mut limiter = Limiter::new(Limits::Real);
            let mut now = START;
            let mut admitted: Vec<u64> = Vec::new();
            for pause in pauses {
                now += pause;
                if limiter.admit(BOT, 0, Class::Send, 1, now).is_ok() {
                    admitted.push(now);
                }
            }
            for &(span, most) in Class::Send.own() {
                for end in &admitted {
                    let inside = admitted.iter().filter(|&&at| at <= *end && at + span > *end).count();
                    prop_assert!(inside <= most, "{inside} within {span} ms");
                }
            }
        }

        #[test]
        fn a_call_that_waits_as_told_is_admitted(pauses in proptest::collection::vec(0_u64..300, 1..200)) {
            let mut limiter = Limiter::new(Limits::Real);
            let mut now = START;
            for pause in pauses {
                now += pause;
                if let Err(Refusal::Throttled { retry_after: Some(seconds) }) = limiter.admit(BOT, 0, Class::Send, 1, now) {
                    now += u64::from(seconds) * 1_000;
                    prop_assert_eq!(limiter.admit(BOT, 0, Class::Send, 1, now), Ok(()));
                }
            }
        }
    }
}
