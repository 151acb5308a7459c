//! What happens at a worker, and what the worker wants of the world.

use trunkline_ingress::exchange::Loss;
use trunkline_worker::conversation::Event;

use super::{At, Effect, Thing};
use crate::broken::Invariant;
use crate::ingress::Heard;
use crate::network::Request;
use crate::world::{Happening, World};

impl World {
    /// Something happens at a process that does not stand still.
    pub(super) fn at_worker(&mut self, at: At, thing: Thing) {
        if self.tells && !matches!(thing, Thing::Look | Thing::Sweep | Thing::Wake) {
            let told = format!("host-{}/{} {thing:?}", at.host, at.life);
            self.tell_story(&told);
        }
        match thing {
            Thing::Node(event) => return self.tell_node(at, event),
            Thing::Wake => return self.node_woke(at),
            Thing::Departs => return self.departs(at),
            Thing::Look => self.after(50, Happening::Worker(at, Thing::Look)),
            Thing::Sweep => self.after(500, Happening::Worker(at, Thing::Sweep)),
            Thing::ReadClock => {
                self.after(30_000, Happening::Worker(at, Thing::ReadClock));
                return self.ask(at, Request::Clock);
            }
            _ => {}
        }
        let now = self.clocks(at);
        let name = self.hosts[at.host].name.clone();
        let Some(process) = self.process(at) else { return };
        let shell = &mut process.shell;
        let mut effects = Vec::new();
        let out = &mut effects;
        match thing {
            Thing::Order(order) => shell.order(order, now, out),
            Thing::Announce(announcement) => shell.announce(*announcement, out),
            Thing::Connect(stream, named) => shell.connect(stream, named, &name, out),
            Thing::Frame(stream, version, outgoing) => shell.take(stream, version, outgoing, now, out),
            Thing::Closed(stream) => shell.close(stream),
            Thing::Flush(number) => shell.flush(number, out),
            Thing::Actor(id, event) => shell.feed(id, event, now, out),
            Thing::ActorTick(id) => shell.feed(id, Event::Tick, now, out),
            Thing::AnswerRead(id, ticket, reply) => {
                if let Some(actor) = shell.actor(id) {
                    actor.answer_read(ticket, reply, now, out);
                }
            }
            Thing::Read(reading, page) => shell.was_read(reading, page, now),
            Thing::Fenced(shard, token) => shell.fenced(shard, token, now, out),
            Thing::Quiet(id) => shell.quiet(id, out),
            Thing::Look => shell.look(now, out),
            Thing::Sweep => shell.sweep(now, out),
            Thing::ClockRead(clock) => {
                let ours = crate::store::EPOCH + now.steady_ms;
                shell.ahead = i64::try_from(clock).unwrap() - i64::try_from(ours).unwrap();
            }
            Thing::Node(_) | Thing::Wake | Thing::Departs | Thing::ReadClock => {}
        }
        self.carry_out(at, effects);
    }

    /// Does what a worker wants.
    pub(super) fn carry_out(&mut self, at: At, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Ask(request) => self.ask(at, request),
                Effect::Tell(event) => {
                    let latency = self.below(2);
                    self.after(latency, Happening::Worker(at, Thing::Node(event)));
                }
                Effect::Say(thing) => self.after(0, Happening::Worker(at, thing)),
                Effect::Tick(id, when) => {
                    let wait = when.saturating_sub(self.now);
                    self.after(wait, Happening::Worker(at, Thing::ActorTick(id)));
                }
                Effect::Run(id, run) => self.begin(at, id, *run),
                Effect::StepKept(id, run, is_kept) => self.step_kept(at, id, run, is_kept),
                Effect::Drop(id, run) => {
                    self.stepping.remove(&(at.life, id, run));
                }
                Effect::Send(id, work) => self.send(at, id, &work),
                Effect::SendEarly(id, replies) => {
                    for reply in replies {
                        self.leaves(id, reply);
                    }
                }
                Effect::Reply(ticket, reply) => {
                    let mut more = Vec::new();
                    if let Some(process) = self.process(at) {
                        process.shell.reply(ticket, reply, &mut more);
                    }
                    self.carry_out(at, more);
                }
                Effect::Frame(stream, frame) => {
                    self.travel(
                        at.host,
                        stream,
                        false,
                        Happening::Thread(stream.thread, Heard::Frame(stream, frame)),
                    );
                }
                Effect::End(stream) => {
                    let lost = Heard::Lost(stream, Loss::Ended);
                    self.travel(at.host, stream, false, Happening::Thread(stream.thread, lost));
                }
                Effect::Unleased(what) => {
                    self.breaks(
                        Invariant::Manners,
                        format!("host-{} begins without a lease: {what}", at.host),
                    );
                }
            }
        }
    }
}
