//! What a leg's figures say over time: its first packets, and what is wrong with its sound. A value; who has the figures tells them.

use std::time::{Duration, Instant};

use crate::leg::Statistics;

/// Nothing came for so long.
const NO_AUDIO: Duration = Duration::from_secs(5);
/// Next to nothing was heard for so long, in what came.
const SILENT: Duration = Duration::from_secs(30);
/// Decibels below overload that are next to nothing.
const SILENT_LEVEL: u8 = 70;
/// Losses are judged over so long.
const WINDOW: Duration = Duration::from_secs(10);
/// Share of packets whose loss is heard.
const HIGH_LOSS: f64 = 0.05;
/// Packets that must be in a window for its losses to mean anything.
const ENOUGH: u64 = 50;
/// Share of our packets that is next to all of them.
const NEXT_TO_ALL: f64 = 0.99;

/// Something that is wrong with the sound of a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// Nothing has come for 5 s.
    NoAudioIn,
    /// What has come for 30 s is below -70 dBov, by the levels that the sender tells (RFC 6464).
    SilentIn,
    /// The peer reports that nothing of what is sent arrives.
    OneWay,
    /// More than 5 % of what the peer sent within 10 s did not come.
    LossHigh,
}

impl Alarm {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::NoAudioIn, Self::SilentIn, Self::OneWay, Self::LossHigh];

    /// As workers are told.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoAudioIn => "no_audio_in",
            Self::SilentIn => "silent_in",
            Self::OneWay => "one_way",
            Self::LossHigh => "loss_high",
        }
    }
}

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The first packet of the peer came.
    FirstReceived,
    /// The first packet was sent to it.
    FirstSent,
    /// Something is wrong from now on, or not any more.
    Alarm(Alarm, bool),
}

/// Watches the figures of a leg that is connected.
#[derive(Debug)]
pub struct Watch {
    has_received: bool,
    has_sent: bool,
    raised: Vec<Alarm>,
    /// The packets that had come when there were last more, and when that was.
    received: (u64, Instant),
    loud: Instant,
    window: Window,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    received: u64,
    lost: u64,
    sent: u64,
}

impl Watch {
    /// A leg that was connected now.
    pub fn new(now: Instant) -> Self {
        Self {
            has_received: false,
            has_sent: false,
            raised: Vec::new(),
            received: (0, now),
            loud: now,
            window: Window {
                since: now,
                received: 0,
                lost: 0,
                sent: 0,
            },
        }
    }

    /// Whether packets went and came.
    pub fn has_seen_both(&self) -> bool {
        self.has_received && self.has_sent
    }

    /// Looks at the figures of this moment.
    pub fn look(&mut self, figures: &Statistics, now: Instant) -> Vec<Seen> {
        let mut seen = Vec::new();
        if !self.has_received && figures.received_packets > 0 {
            self.has_received = true;
            seen.push(Seen::FirstReceived);
        }
        if !self.has_sent && figures.sent_packets > 0 {
            self.has_sent = true;
            seen.push(Seen::FirstSent);
        }
        if figures.received_packets > self.received.0 {
            self.received = (figures.received_packets, now);
            if figures.level.is_none_or(|level| level < SILENT_LEVEL) {
                self.loud = now;
            }
        }
        let comes_nothing = now.saturating_duration_since(self.received.1) >= NO_AUDIO;
        if comes_nothing {
            // What does not come is not silent.
            self.loud = now;
        }
        self.set(Alarm::NoAudioIn, comes_nothing, &mut seen);
        let is_silent = now.saturating_duration_since(self.loud) >= SILENT;
        self.set(Alarm::SilentIn, is_silent, &mut seen);
        self.judge_window(figures, now, &mut seen);
        seen
    }

    fn judge_window(&mut self, figures: &Statistics, now: Instant, seen: &mut Vec<Seen>) {
        if now.saturating_duration_since(self.window.since) < WINDOW {
            return;
        }
        let received = figures.received_packets.saturating_sub(self.window.received);
        // A packet that was late is not lost any more.
        let lost = figures.lost_packets.saturating_sub(self.window.lost);
        let sent = figures.sent_packets.saturating_sub(self.window.sent);
        self.window = Window {
            since: now,
            received: figures.received_packets,
            lost: figures.lost_packets,
            sent: figures.sent_packets,
        };
        let all = received + lost;
        #[allow(clippy::cast_precision_loss, reason = "packets of ten seconds")]
        let is_high = all >= ENOUGH && lost as f64 > HIGH_LOSS * all as f64;
        self.set(Alarm::LossHigh, is_high, seen);
        let arrives_nothing = figures.peer_lost.is_some_and(|lost| lost >= NEXT_TO_ALL);
        self.set(Alarm::OneWay, sent >= ENOUGH && arrives_nothing, seen);
    }

    fn set(&mut self, alarm: Alarm, is_so: bool, seen: &mut Vec<Seen>) {
        let was_so = self.raised.contains(&alarm);
        if is_so == was_so {
            return;
        }
        if is_so {
            self.raised.push(alarm);
        } else {
            self.raised.retain(|raised| *raised != alarm);
        }
        seen.push(Seen::Alarm(alarm, is_so));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A leg that is looked at once a second.
    struct Leg {
        watch: Watch,
        now: Instant,
        figures: Statistics,
    }

    impl Leg {
        fn new() -> Self {
            let now = Instant::now();
            Self {
                watch: Watch::new(now),
                now,
                figures: Statistics::default(),
            }
        }

        /// Seconds in which `each` happens; what was seen in them.
        fn passes(&mut self, seconds: u64, each: impl Fn(&mut Statistics)) -> Vec<Seen> {
            let mut seen = Vec::new();
            for _ in 0..seconds {
                self.now += Duration::from_secs(1);
                each(&mut self.figures);
                seen.extend(self.watch.look(&self.figures, self.now));
            }
            seen
        }
    }

    fn talks(figures: &mut Statistics) {
        figures.received_packets += 50;
        figures.level = Some(20);
    }

    #[test]
    fn first_packets_are_seen_once() {
        let mut leg = Leg::new();
        assert_eq!(leg.passes(1, |_| {}), []);
        assert_eq!(leg.passes(3, talks), [Seen::FirstReceived]);
        assert_eq!(
            leg.passes(3, |figures| {
                talks(figures);
                figures.sent_packets += 50;
            }),
            [Seen::FirstSent]
        );
    }

    #[test]
    fn a_peer_that_sends_nothing_for_five_seconds_is_told_and_so_is_its_return() {
        let mut leg = Leg::new();
        leg.passes(2, talks);
        assert_eq!(leg.passes(4, |_| {}), []);
        assert_eq!(leg.passes(20, |_| {}), [Seen::Alarm(Alarm::NoAudioIn, true)]);
        assert_eq!(leg.passes(5, talks), [Seen::Alarm(Alarm::NoAudioIn, false)]);
    }

    #[test]
    fn half_a_minute_of_silence_is_told_where_the_level_is() {
        let mut leg = Leg::new();
        leg.passes(2, talks);
        let whispers = |level: Option<u8>| {
            move |figures: &mut Statistics| {
                figures.received_packets += 50;
                figures.level = level;
            }
        };
        assert_eq!(leg.passes(29, whispers(Some(90))), []);
        assert_eq!(leg.passes(5, whispers(Some(90))), [Seen::Alarm(Alarm::SilentIn, true)]);
        assert_eq!(leg.passes(1, talks), [Seen::Alarm(Alarm::SilentIn, false)]);
        assert_eq!(leg.passes(60, whispers(None)), []);
    }

    #[test]
    fn losses_are_told_beyond_one_in_twenty() {
        let mut leg = Leg::new();
        leg.passes(1, talks);
        let loses = |lost: u64| {
            move |figures: &mut Statistics| {
                figures.received_packets += 50 - lost;
                figures.lost_packets += lost;
            }
        };
        assert_eq!(leg.passes(30, loses(2)), []);
        assert_eq!(leg.passes(30, loses(5)), [Seen::Alarm(Alarm::LossHigh, true)]);
        assert_eq!(leg.passes(30, loses(0)), [Seen::Alarm(Alarm::LossHigh, false)]);
    }

    #[test]
    fn a_peer_that_hears_nothing_of_what_is_sent_is_told() {
        let mut leg = Leg::new();
        leg.passes(1, talks);
        let deaf = |figures: &mut Statistics| {
            talks(figures);
            figures.sent_packets += 50;
            figures.peer_lost = Some(1.0);
        };
        let seen = leg.passes(20, deaf);
        assert!(seen.contains(&Seen::Alarm(Alarm::OneWay, true)), "{seen:?}");
        // Who sends nothing cannot be missed.
        let seen = leg.passes(20, talks);
        assert_eq!(seen, [Seen::Alarm(Alarm::OneWay, false)]);
    }
}
