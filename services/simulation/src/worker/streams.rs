//! The worker's end of the streams: frames come in, and whatever is ready leaves in one frame.

use std::collections::BTreeMap;

use trunkline_ingress::exchange::Outgoing;
use trunkline_proto::routing::{Outcome, PROTOCOL, ToIngress, Welcome};
use trunkline_store::contract::{Incarnation, MapVersion};
use trunkline_store::key::{Key, ShardId};
use trunkline_worker::announcement::Announcement;
use trunkline_worker::conversation::{Now, Reply, Ticket};
use trunkline_worker::credits::Account;

use super::shell::Shell;
use super::{Effect, Thing};
use crate::chat::SHARDS;
use crate::ingress::StreamId;
use trunkline_cluster::node::Event as NodeEvent;

/// Deliveries that an ingress may have outstanding: so few that it runs out of them.
const CREDITS: u32 = 5;

/// One stream of an ingress.
pub(super) struct Stream {
    id: StreamId,
    /// Version of the map that the ingress routes by, and of the routes that it was sent last.
    named: u64,
    sent: u64,
    /// Deliveries that were shed since the last frame.
    shed: u32,
    account: Account,
    outcomes: Vec<Outcome>,
    is_flushing: bool,
    /// Where to find what may be cancelled.
    outstanding: BTreeMap<u64, (ShardId, Key)>,
}

impl Shell {
    pub(crate) fn stream_ids(&self) -> Vec<StreamId> {
        self.streams.values().map(|stream| stream.id).collect()
    }

    fn stream_of(&self, id: StreamId) -> Option<u64> {
        let mut streams = self.streams.iter();
        streams.find(|(_, stream)| stream.id == id).map(|(number, _)| *number)
    }

    /// An ingress opens a stream: it is welcomed, and told the map if it knows an older one.
    pub(super) fn connect(&mut self, id: StreamId, named: u64, worker: &str, out: &mut Vec<Effect>) {
        let number = self.next_number();
        let stream = Stream {
            id,
            named,
            sent: 0,
            shed: 0,
            account: Account::new(CREDITS),
            outcomes: Vec::new(),
            is_flushing: false,
            outstanding: BTreeMap::new(),
        };
        self.streams.insert(number, stream);
        let welcome = Welcome {
            protocol: PROTOCOL,
            worker: worker.to_owned(),
            incarnation: self.announced.incarnation.0,
            shards: SHARDS,
        };
        let frame = ToIngress {
            welcome: Some(welcome),
            ..ToIngress::default()
        };
        self.send_frame(number, frame, out);
    }

    pub(super) fn close(&mut self, id: StreamId) {
        if let Some(number) = self.stream_of(id) {
            self.streams.remove(&number);
        }
    }

    /// The node follows another map, or is another member: then every stream ends.
    pub(super) fn announce(&mut self, announcement: Announcement, out: &mut Vec<Effect>) {
        let is_other = announcement.incarnation != self.announced.incarnation;
        let version = announcement.version;
        self.announced = announcement;
        let numbers: Vec<u64> = self.streams.keys().copied().collect();
        for number in numbers {
            if is_other {
                self.flush(number, out);
                out.extend(self.streams.remove(&number).map(|stream| Effect::End(stream.id)));
            } else {
                self.want_flush(number, out);
            }
        }
        Self::hand_back(self.table.learn(MapVersion(version)), out);
    }

    /// What an ingress sends.
    pub(super) fn take(&mut self, id: StreamId, version: u64, outgoing: Outgoing, now: Now, out: &mut Vec<Effect>) {
        let Some(number) = self.stream_of(id) else { return };
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        let ours = self.announced.version;
        let before = std::mem::replace(&mut stream.named, version);
        if version > ours.max(before) {
            out.push(Effect::Tell(NodeEvent::SawMap(MapVersion(version))));
        }
        match outgoing {
            Outgoing::Suspect(incarnation) => {
                out.push(Effect::Tell(NodeEvent::Suspect(Incarnation(incarnation))));
            }
            Outgoing::Ping => self.want_flush(number, out),
            Outgoing::Pong | Outgoing::MapVersion(_) => {
                if version < ours {
                    stream.sent = 0;
                    self.want_flush(number, out);
                }
            }
            Outgoing::Deliver(delivery) => {
                stream.shed += u32::from(delivery.is_shed);
                let (_, chat) = crate::ingress::head_of(&delivery);
                let chat = &self.common.chats[chat];
                stream.outstanding.insert(delivery.seq, (chat.shard, chat.key));
                let seq = delivery.seq;
                let ticket = Ticket { stream: number, seq };
                self.deliver(ticket, MapVersion(version), &delivery, now, out);
            }
            Outgoing::Cancel(seq) => {
                if let Some(place) = stream.outstanding.get(&seq).copied() {
                    self.cancel(place, Ticket { stream: number, seq }, now, out);
                }
            }
        }
    }

    /// Tells a caller, unless its stream is gone. Returns the stream.
    pub(super) fn reply(&mut self, ticket: Ticket, reply: Reply, out: &mut Vec<Effect>) {
        if let Some(stream) = self.streams.get_mut(&ticket.stream) {
            stream.outcomes.push(Outcome {
                seq: ticket.seq,
                result: Some(reply),
            });
            self.want_flush(ticket.stream, out);
        }
    }

    fn want_flush(&mut self, number: u64, out: &mut Vec<Effect>) {
        if let Some(stream) = self.streams.get_mut(&number)
            && !std::mem::replace(&mut stream.is_flushing, true)
        {
            out.push(Effect::Say(Thing::Flush(number)));
        }
    }

    /// One frame of what is ready.
    pub(super) fn flush(&mut self, number: u64, out: &mut Vec<Effect>) {
        self.send_frame(number, ToIngress::default(), out);
    }

    fn send_frame(&mut self, number: u64, mut frame: ToIngress, out: &mut Vec<Effect>) {
        let Some(stream) = self.streams.get_mut(&number) else {
            return;
        };
        stream.is_flushing = false;
        frame.outcome = std::mem::take(&mut stream.outcomes);
        for outcome in &frame.outcome {
            stream.outstanding.remove(&outcome.seq);
        }
        stream.account.shed(std::mem::take(&mut stream.shed));
        frame.shed_window = stream.account.shed_window(&self.pressure);
        let version = self.announced.version;
        frame.map_version = version;
        if version > stream.named.max(stream.sent) {
            stream.sent = version;
            frame.routes = Some(self.announced.routes.as_ref().clone());
        }
        frame.credits = stream.account.give(frame.outcome.len(), &self.pressure);
        out.push(Effect::Frame(stream.id, Box::new(frame)));
    }
}
