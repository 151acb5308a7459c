//! A media host and its caller on machines of their own: network namespaces behind one bridge, TLS on every connection, and a path
//! for audio that loses, delays and swaps.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use prometheus_client::registry::Registry;
use tokio::runtime::Runtime;
use trunkline_caller::{Caller, CallerSettings, Invitation, Sound, tone_file};
use trunkline_cluster::channel::{Connector, Identity, IdentityFiles, Role};
use trunkline_fleet::network::{Host, Network};
use trunkline_fleet::process::{Process, Recipe, free_port};
use trunkline_fleet::redis::Redis;
use trunkline_fleet::wait::{PATIENCE, wait_for};
use trunkline_fleet::weather::{DatagramPath, Weather};
use trunkline_proto::media::acknowledgement::What as Ack;
use trunkline_proto::media::command::What;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::{Play, Relay};

use crate::world::house::stock;
use crate::world::media::{MediaWorld, WorkerEnd};

const PROMPT: u16 = 1_400;
const VOICE: u16 = 700;
/// What is played and said at least; 5 % of each way are lost, and a busy machine loses more.
const SPOKEN: Duration = Duration::from_secs(4);
const HEARD_OF_PROMPT: Duration = Duration::from_millis(3_400);
const HEARD_OF_ECHO: Duration = Duration::from_secs(3);

/// A media host on a machine of its own, whose audio goes through a storm; this process is another machine.
struct Far {
    machine: Host,
    control: SocketAddr,
    peers: SocketAddr,
    root: reqwest::Certificate,
    directory: tempfile::TempDir,
    _process: Process,
    _path: DatagramPath,
    _redis: Redis,
}

impl Far {
    fn start(network: &Network) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let redis = Redis::start(directory.path(), network, &[]);
        let machine = network.host();
        let at = |port| SocketAddr::new(machine.address, port);
        let (control, peers, admin, audio) = (at(free_port()), at(free_port()), at(free_port()), at(free_port()));
        // Peers are told of the path's near end, which has the port of the host.
        let near = SocketAddr::new(near_end(network), audio.port());
        let path = DatagramPath::start(near, network.outside(), audio, Weather::STORM);
        let prompts = directory.path().join("prompts");
        std::fs::create_dir(&prompts).unwrap();
        std::fs::write(prompts.join("news.wav"), tone_file(PROMPT, SPOKEN)).unwrap();
        let (files, root) = certificates(directory.path(), machine.address);
        let configuration = directory.path().join("trunkline.toml");
        let store = format!("[store]\nengine = \"redis\"\nurl = \"{}\"\n", redis.url());
        std::fs::write(&configuration, store).unwrap();
        let settings = [
            ("CLUSTER__NAME", "far".to_owned()),
            ("CLUSTER__TLS_CA", files("ca.crt")),
            ("CLUSTER__TLS_CERTIFICATE", files("media.crt")),
            ("CLUSTER__TLS_KEY", files("media.key")),
            ("ADMIN__LISTEN", admin.to_string()),
            ("MEDIA__LISTEN", control.to_string()),
            ("MEDIA__WHIP_LISTEN", peers.to_string()),
            ("MEDIA__TLS_CERTIFICATE", files("peers.crt")),
            ("MEDIA__TLS_KEY", files("peers.key")),
            ("MEDIA__UDP_LISTEN", audio.ip().to_string()),
            ("MEDIA__UDP_PORTS", audio.port().to_string()),
            ("MEDIA__UDP_ADVERTISE", near.ip().to_string()),
            ("MEDIA__WHIP_URL", format!("https://{peers}")),
            ("MEDIA__PROMPTS", prompts.display().to_string()),
        ];
        let recipe = Recipe::new(directory.path(), "media", stock())
            .arguments(["media", "--config", &configuration.display().to_string()])
            .ready_at(format!("http://{admin}/readyz"));
        let recipe = settings.into_iter().fold(recipe, |recipe, (name, value)| {
            recipe.environment(&format!("TRUNKLINE_{name}"), value)
        });
        let recipe = match &machine.namespace {
            Some(namespace) => recipe.in_namespace(namespace),
            None => recipe,
        };
        Self {
            control,
            peers,
            root,
            _process: recipe.start(),
            machine,
            directory,
            _path: path,
            _redis: redis,
        }
    }

    /// A worker's end, with a worker's certificate.
    fn worker(&self, runtime: &Runtime) -> WorkerEnd {
        let file = |name: &str| self.directory.path().join("tls").join(name);
        let files = IdentityFiles::new(file("ca.crt"), file("worker.crt"), file("worker.key"), Role::DOMAIN);
        let identity = runtime.block_on(Identity::load(files, Role::Worker, &mut Registry::default()));
        let connector = Connector::to_media_hosts(Some(identity.unwrap()));
        WorkerEnd::connect(&self.control.to_string(), || connector).unwrap()
    }
}

/// Where the caller's end of the path is: this machine, or on loopback an address on which the host has no port.
fn near_end(network: &Network) -> IpAddr {
    if network.can_cut() {
        network.outside()
    } else {
        IpAddr::from([127, 0, 0, 2])
    }
}

/// Certificates of the cluster's roles, and of the host for its peers: where each file is, and what peers trust.
fn certificates(directory: &Path, address: IpAddr) -> (impl Fn(&str) -> String + use<>, reqwest::Certificate) {
    let tls = MediaWorld::certificates(directory);
    let certified = rcgen::generate_simple_self_signed(vec![address.to_string()]).unwrap();
    std::fs::write(tls.join("peers.crt"), certified.cert.pem()).unwrap();
    std::fs::write(tls.join("peers.key"), certified.signing_key.serialize_pem()).unwrap();
    let root = reqwest::Certificate::from_pem(certified.cert.pem().as_bytes()).unwrap();
    (move |name: &str| tls.join(name).display().to_string(), root)
}

fn accepted(done: &(String, Ack)) {
    assert!(matches!(done.1, Ack::Accepted(_)), "{done:?}");
}

#[test]
fn a_call_between_two_machines_survives_a_storm_and_a_cable_that_is_pulled_for_a_moment() {
    let network = Network::best();
    let far = Far::start(&network);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let mut worker = far.worker(&runtime);
    let (leg, opened) = worker.opens();
    let invitation = Invitation {
        whip: format!("https://{}{}", far.peers, opened.path).parse().unwrap(),
        token: opened.token,
    };
    let settings = CallerSettings {
        from: near_end(&network),
        root: Some(far.root.clone()),
        ..CallerSettings::default()
    };
    let caller = runtime.block_on(Caller::connect(&invitation, &settings)).unwrap();
    while !matches!(worker.hears(&leg), Told::Connected(_)) {}
    let hears = |what: &str, hz: u16, place: u64, length: Duration| {
        let heard = caller.hears(what, PATIENCE, |heard| heard.tone(hz, place) >= length);
        runtime.block_on(heard).unwrap();
    };

    accepted(&worker.does(
        &leg,
        What::Play(Play {
            prompts: vec!["news.wav".to_owned()],
            ..Play::default()
        }),
    ));
    hears("the prompt", PROMPT, 0, HEARD_OF_PROMPT);

    accepted(&worker.does(&leg, What::Relay(Relay { echo: true })));
    caller.say(Sound::Tone(VOICE));
    let place = caller.heard(trunkline_caller::Heard::count);
    hears("the voice", VOICE, place, HEARD_OF_ECHO);

    caller.press("5#").unwrap();
    for key in ["5", "#"] {
        loop {
            if let Told::Tone(tone) = worker.hears(&leg) {
                assert_eq!(tone.key, key);
                break;
            }
        }
    }

    if network.can_cut() {
        far.machine.cut();
        let silent = wait_for("silence", || {
            caller
                .heard(|heard| heard.silent_for(std::time::Instant::now()))
                .filter(|silent| *silent > Duration::from_secs(1))
        });
        far.machine.mend();
        println!("the link was down until {silent:?} after the last packet");
        let place = caller.heard(trunkline_caller::Heard::count);
        hears("the voice again", VOICE, place, Duration::from_secs(1));
        // The stream may have broken with the link: whoever connects anew goes on where it was.
        worker = far.worker(&runtime);
        worker.attaches(&leg);
    }
    runtime.block_on(caller.hang_up()).unwrap();
    loop {
        if let Told::Ended(reason) = worker.hears(&leg) {
            assert_eq!(reason, "peer_hung_up");
            break;
        }
    }
}
