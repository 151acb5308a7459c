//! A host that waits for its peers only briefly, and beside whatever goes wrong there a call that must not notice.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::time::Duration;

use trunkline_caller::{Caller, CallerError, CallerSettings, Faults, Heard, Invitation, Sound};
use trunkline_media::patience::Patience;
use trunkline_media::thread::{Ports, ThreadConfig};
use trunkline_proto::media::acknowledgement::What as Ack;
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::{Figures, Open, Relay, Statistics};

use crate::support::{PATIENCE, until};
use crate::world::{Worker, World};

/// What the call beside says, before and after the fault.
const BEFORE_HZ: u16 = 500;
const AFTER_HZ: u16 = 1_800;
/// What may be missing of a sound on a busy machine.
const BUSY_MS: u32 = 300;

/// So much is waited for peers here: enough for those that do their part on a busy machine.
pub(super) const SHORT: Patience = Patience {
    offer: Duration::from_secs(5),
    handshake: Duration::from_secs(3),
    // Callers check once a second.
    moved: Duration::from_millis(500),
    unstable: Duration::from_secs(2),
    consent: Duration::from_secs(5),
};

/// What a host and its callers hold.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    legs: usize,
    /// Ports of the host's range that are bound.
    ports: usize,
    tasks: usize,
}

pub(super) struct Stage {
    pub(super) world: World,
    pub(super) worker: Worker,
    ports: RangeInclusive<u16>,
    beside: Caller,
    /// With the call beside alone.
    before: Held,
}

impl Stage {
    /// A host with ports of its own; a port that was used rests.
    pub(super) async fn start(ports: RangeInclusive<u16>, patience: Patience) -> Self {
        let mut thread = ThreadConfig::loopback(Ports::Range(ports.clone()));
        thread.legs = 100;
        thread.patience = patience;
        let world = World::start_with(thread).await;
        let mut worker = world.worker().await;
        let (leg, beside) = call(&world, &mut worker, &settings_of(&world, Faults::default())).await;
        worker.accepts(&leg, What::Relay(Relay { echo: true })).await;
        beside.say(Sound::Tone(BEFORE_HZ));
        hears_itself(&beside, BEFORE_HZ, 0).await;
        let before = held(&world, &ports);
        Self {
            world,
            worker,
            ports,
            beside,
            before,
        }
    }

    /// A leg whose owner is here, and what lets its caller in.
    pub(super) async fn open(&mut self) -> (String, Invitation) {
        open(&self.world, &mut self.worker).await
    }

    pub(super) fn settings(&self, faults: Faults) -> CallerSettings {
        settings_of(&self.world, faults)
    }

    /// A call with these faults that is up and hears itself.
    pub(super) async fn call(&mut self, faults: Faults) -> (String, Caller) {
        let settings = self.settings(faults);
        let (leg, caller) = call(&self.world, &mut self.worker, &settings).await;
        self.worker.accepts(&leg, What::Relay(Relay { echo: true })).await;
        (leg, caller)
    }

    pub(super) async fn dial(&self, invitation: &Invitation, faults: Faults) -> Result<Caller, CallerError> {
        Caller::connect(invitation, &self.settings(faults)).await
    }

    pub(super) async fn figures(&mut self, leg: &str) -> Figures {
        let (_, ack) = self.worker.does(leg, What::Statistics(Statistics {})).await;
        let Ack::Figures(figures) = ack else { panic!("{ack:?}") };
        figures
    }

    /// Waits for the end of a leg; gives the reason.
    pub(super) async fn end_of(&mut self, leg: &str) -> String {
        let told = self.worker.event(leg, |told| matches!(told, Told::Ended(_))).await;
        let Told::Ended(reason) = told else { panic!() };
        reason
    }

    /// Waits until the host and this process hold what they held before the fault, and sees to it that the call beside went on
    /// meanwhile, and goes on.
    pub(super) async fn is_as_before(&self) {
        until(async || match held(&self.world, &self.ports) {
            now if now == self.before => Ok(()),
            now => Err(format!("before {:?}, now {now:?}", self.before)),
        })
        .await;
        let place = self.beside.heard(Heard::count);
        self.beside.say(Sound::Tone(AFTER_HZ));
        hears_itself(&self.beside, AFTER_HZ, place).await;
        let missing = self.beside.heard(|heard| heard.missing_ms(0));
        assert!(missing <= BUSY_MS, "{missing} ms of the call beside are missing");
    }
}

/// Waits for a third of a second of a tone from a place on.
pub(super) async fn hears_itself(caller: &Caller, hz: u16, place: u64) {
    let long_enough = |heard: &Heard| heard.tone(hz, place) >= Duration::from_millis(300);
    caller.hears("the own voice", PATIENCE, long_enough).await.unwrap();
}

/// A settings of callers that come from an address of their own, as a host counts the requests of each.
pub(super) fn from(last: u8, settings: CallerSettings) -> CallerSettings {
    CallerSettings {
        from: IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)),
        ..settings
    }
}

fn settings_of(world: &World, faults: Faults) -> CallerSettings {
    CallerSettings {
        root: Some(world.root.clone()),
        faults,
        ..CallerSettings::default()
    }
}

async fn open(world: &World, worker: &mut Worker) -> (String, Invitation) {
    let (leg, opened) = worker.opens(Open::default()).await;
    worker.attach(&leg, 0).await;
    let invitation = Invitation {
        whip: format!("{}{}", world.https, opened.path).parse().unwrap(),
        token: opened.token,
    };
    (leg, invitation)
}

async fn call(world: &World, worker: &mut Worker, settings: &CallerSettings) -> (String, Caller) {
    let (leg, invitation) = open(world, worker).await;
    let caller = Caller::connect(&invitation, settings).await.unwrap();
    worker.event(&leg, |told| matches!(told, Told::Connected(_))).await;
    (leg, caller)
}

fn held(world: &World, ports: &RangeInclusive<u16>) -> Held {
    let table = std::fs::read_to_string("/proc/self/net/udp").unwrap();
    // A line of it: number, local address and port in hexadecimal digits, the rest.
    let local = table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1));
    let bound = local.filter_map(|address| u16::from_str_radix(address.split_once(':')?.1, 16).ok());
    Held {
        legs: world.host.legs(),
        ports: bound.filter(|port| ports.contains(port)).count(),
        tasks: tokio::runtime::Handle::current().metrics().num_alive_tasks(),
    }
}
