//! A media host in the simulated world: legs with owners, commands that are done once, events that are kept. Its answers are
//! lost, the way to it breaks, it has no room, and it dies.

use std::collections::{BTreeMap, BTreeSet};

use trunkline_teams::calls::{Secret, Tone};
use trunkline_teams::graph::Told;

use super::super::super::event::Event;
use super::super::{GraphAnswer, LegAnswer, LegAsk, LegTold, LegWish};
use super::world::{Happening, World};
use crate::call::{LegCommand, LegEnd, LegNews, OpenedLeg};

/// A leg of nobody ends after so long.
const ORPHANED_MS: u64 = 60_000;
/// A peer that does not come in time is not waited for.
const TOKEN_MS: u64 = 30_000;

#[derive(Default)]
pub(super) struct MediaHost {
    pub(super) legs: BTreeMap<String, SimulatedLeg>,
    /// The leg whose peer was let in.
    pub(super) told_to_peer: Option<String>,
    opened: u8,
}

#[derive(Default)]
pub(super) struct SimulatedLeg {
    epoch: u64,
    done: BTreeSet<(u64, u64)>,
    highest: u64,
    events: Vec<LegNews>,
    /// The process that is attached.
    listener: Option<u64>,
    detached_at: u64,
    has_peer: bool,
    sounds_end_at: u64,
    playing: BTreeSet<u64>,
    is_over: bool,
}

/// What happens at a media host of itself at a time.
pub(super) enum AtHost {
    PeerComes(String),
    SoundEnds(String, u64),
    Presses(String, u8),
    /// A leg may be nobody's.
    Orphaned(String),
    TokenExpires(String),
    Dies,
    /// The way between the owner and the host breaks.
    Breaks,
}

impl World {
    pub(super) fn host_is_asked(&mut self, life: u64, ask: LegAsk) {
        let is_faulty = self.is_faulty(self.faults.media);
        let fate = if is_faulty { self.below(12) } else { 99 };
        let wait = 1 + self.below(if is_faulty { 300 } else { 8 });
        let LegAsk { epoch, wish } = ask;
        let unreachable = || LegAnswer::Unreachable {
            reason: "told to".to_owned(),
        };
        let event = match wish {
            LegWish::Command {
                id,
                leg,
                number,
                command,
                ..
            } => {
                let doubt = || GraphAnswer::Doubt {
                    reason: "told to".to_owned(),
                };
                let answer = match fate {
                    0 => doubt(),
                    1 => {
                        self.commanded(&leg.name, epoch, number, &command);
                        doubt()
                    }
                    _ => self.commanded(&leg.name, epoch, number, &command),
                };
                Event::GraphAnswered { id, answer }
            }
            wish => Event::LegAnswered(match fate {
                0 => match wish {
                    LegWish::Open { .. } => LegAnswer::NoHost {
                        reason: "told to".to_owned(),
                    },
                    _ => unreachable(),
                },
                1 if !matches!(wish, LegWish::Open { .. }) => {
                    self.wished(life, epoch, wish);
                    unreachable()
                }
                _ => self.wished(life, epoch, wish),
            }),
        };
        self.later(wait, Happening::Core(life, event));
    }

    fn wished(&mut self, life: u64, epoch: u64, wish: LegWish) -> LegAnswer {
        let now = self.schedule.now;
        match wish {
            LegWish::Open { .. } => {
                self.media.opened += 1;
                let name = format!("leg{}", self.media.opened);
                let leg = SimulatedLeg {
                    epoch,
                    detached_at: now,
                    ..SimulatedLeg::default()
                };
                self.media.legs.insert(name.clone(), leg);
                self.later(TOKEN_MS, Happening::AtHost(AtHost::TokenExpires(name.clone())));
                self.later(ORPHANED_MS, Happening::AtHost(AtHost::Orphaned(name.clone())));
                LegAnswer::Opened(OpenedLeg {
                    host: "media".to_owned(),
                    address: "media:1".to_owned(),
                    blob: Secret::new(name.clone()),
                    name,
                })
            }
            LegWish::Attach { leg, last_event } => {
                let Some(found) = self.media.legs.get_mut(&leg.name) else {
                    return gone();
                };
                if epoch < found.epoch {
                    return LegAnswer::Withheld;
                }
                found.epoch = epoch;
                found.listener = Some(life);
                let last_command = found.highest;
                let missed = found.events.iter().cloned().enumerate();
                let missed: Vec<(u64, LegNews)> = missed
                    .map(|(place, news)| (place as u64 + 1, news))
                    .filter(|(number, _)| *number > last_event)
                    .collect();
                for (number, news) in missed {
                    self.event_comes(life, &leg.name, number, news);
                }
                LegAnswer::Attached {
                    last_command,
                    events_lost: false,
                }
            }
            LegWish::Close { leg, .. } => {
                if self.media.legs.get(&leg.name).is_some_and(|found| epoch < found.epoch) {
                    return LegAnswer::Withheld;
                }
                self.leg_ends(&leg.name, "closed");
                LegAnswer::Closed
            }
            LegWish::Command { .. } => unreachable!("commands are carried out elsewhere"),
        }
    }

    fn commanded(&mut self, leg: &str, epoch: u64, number: u64, command: &LegCommand) -> GraphAnswer {
        let now = self.schedule.now;
        let length = 500 + self.below(4_000);
        let seed = self.seed;
        let Some(found) = self.media.legs.get_mut(leg).filter(|found| !found.is_over) else {
            return GraphAnswer::Refused {
                status: 503,
                code: "TRUNKLINE_MEDIA_LOST".to_owned(),
                message: "told to".to_owned(),
            };
        };
        if epoch < found.epoch {
            return GraphAnswer::Withheld;
        }
        assert!(found.has_peer, "seed {seed}: {command:?} before there is a peer");
        if found.done.insert((epoch, number)) {
            assert!(
                number > found.highest,
                "seed {seed}: command {number} is done by two owners"
            );
            found.highest = number;
            match command {
                LegCommand::Play(_) => {
                    let begins = found.sounds_end_at.max(now);
                    found.sounds_end_at = begins + length;
                    found.playing.insert(number);
                    let ends = AtHost::SoundEnds(leg.to_owned(), number);
                    self.later(begins + length - now, Happening::AtHost(ends));
                }
                command => panic!("seed {seed}: {command:?}"),
            }
        }
        GraphAnswer::Told(Told::Nothing)
    }

    /// Graph gave the peer what lets it in.
    pub(super) fn peer_is_told(&mut self, blob: &str) {
        let known = self.media.told_to_peer.replace(blob.to_owned());
        if let Some(known) = known.filter(|known| known != blob) {
            let seed = self.seed;
            assert!(self.is_reopening(), "seed {seed}: the peer is told of two legs");
            // One that the owner could not reach may be there still.
            self.leg_ends(&known, "peer_hung_up");
        }
        let wait = 20 + self.below(2_000);
        self.later(wait, Happening::AtHost(AtHost::PeerComes(blob.to_owned())));
    }

    pub(super) fn host_goes_on(&mut self, what: AtHost) {
        match what {
            AtHost::PeerComes(leg) => {
                let is_new = |found: &&mut SimulatedLeg| !found.is_over && !found.has_peer;
                let Some(found) = self.media.legs.get_mut(&leg).filter(is_new) else {
                    return;
                };
                found.has_peer = true;
                self.leg_tells(&leg, LegNews::Other("a peer"));
                self.leg_tells(&leg, LegNews::Connected);
                // Other keys than on the leg before.
                let first = self.media.opened % 4 * 2;
                for key in first..first + 2 {
                    let wait = self.below(9_000);
                    self.later(wait, Happening::AtHost(AtHost::Presses(leg.clone(), key)));
                }
            }
            AtHost::SoundEnds(leg, command) => {
                let found = self.media.legs.get_mut(&leg);
                if found.is_some_and(|found| found.playing.remove(&command)) {
                    let how = LegEnd::Done;
                    self.leg_tells(&leg, LegNews::Finished { command, how });
                }
            }
            AtHost::Presses(leg, key) => {
                let tone = Tone::from_key(char::from(b'0' + key)).expect("a key");
                self.leg_tells(&leg, LegNews::Tone(tone));
            }
            AtHost::Orphaned(leg) => {
                let now = self.schedule.now;
                let Some(found) = self.media.legs.get(&leg).filter(|found| !found.is_over) else {
                    return;
                };
                if found.listener.is_none() && found.detached_at + ORPHANED_MS <= now {
                    self.leg_ends(&leg, "orphaned");
                }
            }
            AtHost::TokenExpires(leg) => {
                if self.media.legs.get(&leg).is_some_and(|found| !found.has_peer) {
                    self.leg_ends(&leg, "orphaned");
                }
            }
            AtHost::Dies => {
                self.ways_break();
                self.media.legs.clear();
            }
            AtHost::Breaks => self.ways_break(),
        }
    }

    fn ways_break(&mut self) {
        let attached = self.media.legs.iter_mut().filter(|(_, leg)| leg.listener.is_some());
        let broken: Vec<(String, u64)> = attached
            .map(|(name, leg)| (name.clone(), leg.listener.take().unwrap_or_default()))
            .collect();
        for (leg, life) in broken {
            self.is_detached(&leg);
            self.later(1, Happening::Core(life, Event::LegBroken(leg)));
        }
    }

    /// The process has died, or has left.
    pub(super) fn is_not_attached(&mut self, life: u64) {
        let names: Vec<String> = self.media.legs.keys().cloned().collect();
        for name in names {
            let leg = self.media.legs.get_mut(&name).expect("it is there");
            if leg.listener == Some(life) {
                leg.listener = None;
                self.is_detached(&name);
            }
        }
    }

    fn is_detached(&mut self, leg: &str) {
        let now = self.schedule.now;
        if let Some(leg) = self.media.legs.get_mut(leg) {
            leg.detached_at = now;
        }
        self.later(ORPHANED_MS, Happening::AtHost(AtHost::Orphaned(leg.to_owned())));
    }

    /// Graph ended the call: the peer goes soon, too.
    pub(super) fn leg_ends(&mut self, leg: &str, reason: &str) {
        let Some(found) = self.media.legs.get_mut(leg).filter(|found| !found.is_over) else {
            return;
        };
        for command in std::mem::take(&mut found.playing) {
            let how = LegEnd::Cut;
            self.leg_tells(leg, LegNews::Finished { command, how });
        }
        let news = LegNews::Ended {
            reason: reason.to_owned(),
            by_peer: reason == "peer_hung_up",
        };
        self.leg_tells(leg, news);
        if let Some(found) = self.media.legs.get_mut(leg) {
            found.is_over = true;
        }
    }

    fn leg_tells(&mut self, leg: &str, news: LegNews) {
        let Some(found) = self.media.legs.get_mut(leg).filter(|found| !found.is_over) else {
            return;
        };
        found.events.push(news.clone());
        let number = found.events.len() as u64;
        if let Some(life) = found.listener {
            self.event_comes(life, leg, number, news);
        }
    }

    fn event_comes(&mut self, life: u64, leg: &str, number: u64, news: LegNews) {
        let told = LegTold {
            leg: leg.to_owned(),
            number,
            news,
        };
        // In order: the way is one stream.
        self.later(2, Happening::Core(life, Event::LegTold(Box::new(told))));
    }

    /// The other side has hung up.
    pub(super) fn peer_leaves(&mut self) {
        if let Some(leg) = self.media.told_to_peer.clone() {
            self.leg_ends(&leg, "peer_hung_up");
        }
    }

    /// Legs that still have somebody when all is calm.
    pub(super) fn legs_left(&self) -> Vec<&String> {
        let left = self.media.legs.iter().filter(|(_, leg)| !leg.is_over);
        left.map(|(name, _)| name).collect()
    }
}

fn gone() -> LegAnswer {
    LegAnswer::Gone {
        reason: "there is no such leg".to_owned(),
    }
}
