//! A media host as a process: announced, asked for legs as a worker does, drained, killed.

use std::time::{Duration, Instant};

use prometheus_client::registry::Registry;
use trunkline_cluster::channel::{Connector, Identity, IdentityFiles, Role};
use trunkline_fleet::wait::wait_for;
use trunkline_proto::media::acknowledgement::What as Ack;
use trunkline_proto::media::event::What as Told;
use trunkline_proto::media::refused::Reason;

use crate::promtool::promtool_accepts;
use crate::world::media::{FORGOTTEN_WITHIN, MediaWorld, WorkerEnd};

fn ended(reason: &str) -> Told {
    Told::Ended(reason.to_owned())
}

#[test]
fn a_media_host_is_announced_drains_when_it_is_told_to_stop_and_ends_with_its_last_call() {
    let directory = tempfile::tempdir().unwrap();
    let world = MediaWorld::new(directory.path());
    assert!(world.hosts().is_empty());
    let mut process = world.media.start();
    let hosts = world.hosts();
    let [host] = &hosts[..] else { panic!("{hosts:?}") };
    for (fact, value) in [
        ("name", "media-1"),
        ("zone", "here"),
        ("address", &world.control()),
        ("whip", &world.peers()),
    ] {
        assert_eq!(host[fact], value, "{host}");
    }
    assert_eq!((&host["limit"], &host["draining"]), (&50.into(), &false.into()));

    let mut worker = WorkerEnd::connect(&world.control(), Connector::default).unwrap();
    let (talking, opened) = worker.opens();
    let (waiting, of_waiting) = worker.opens();
    let answer = world.post(&opened);
    assert_eq!(answer.status(), 201);
    let session = answer.headers()["location"].to_str().unwrap().to_owned();
    wait_for("the legs in the list", || (world.hosts()[0]["legs"] == 2).then_some(()));
    let (_, metrics) = world.admin("metrics");
    for series in [
        r#"legs{state="waiting",mode="none"} 1"#,
        r#"legs{state="connecting",mode="plain"} 1"#,
        r#"legs{state="connected",mode="live"} 0"#,
        r#"legs{state="ending",mode="none"} 0"#,
        r#"ring_dropped_total{ring="recording"} 0"#,
        r#"ring_dropped_total{ring="bridge"} 0"#,
        r#"ring_dropped_total{ring="codec"} 0"#,
        r#"ring_dropped_total{ring="live"} 0"#,
    ] {
        assert!(
            metrics.contains(&format!("\ntrunkline_media_{series}\n")),
            "{series}: {metrics}"
        );
    }
    promtool_accepts(&metrics);

    process.signal("TERM");
    assert_eq!(worker.hears(&waiting), ended("host_drained"));
    let (_, refused) = worker.asks_for_a_leg();
    let Ack::Refused(refused) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(refused.reason(), Reason::Draining);
    assert_eq!(world.post(&of_waiting).status(), 503);
    assert_eq!(world.admin("readyz").0, 503);
    wait_for("the drain in the list", || {
        let host = &world.hosts()[0];
        (host["draining"] == true && host["legs"] == 1).then_some(())
    });
    // Whoever tells it twice does not cut calls off.
    process.signal("TERM");
    let said = "told to stop again";
    wait_for(said, || process.log().contains(said).then_some(()));
    assert!(!process.has_ended());

    let hung_up = trunkline_fleet::web::client()
        .delete(format!("{}{session}", world.peers()))
        .bearer_auth(&opened.token);
    assert_eq!(hung_up.send().unwrap().status(), 200);
    assert_eq!(worker.hears(&talking), ended("peer_hung_up"));
    assert!(worker.has_ended());
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
    assert!(world.hosts().is_empty(), "it withdrew");
}

#[test]
fn calls_that_are_left_at_the_deadline_are_ended_and_their_worker_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let world = MediaWorld::new(directory.path());
    let media = world
        .media
        .clone()
        .environment("TRUNKLINE_MEDIA__DRAIN_DEADLINE", "1 s");
    let process = media.start();
    let mut worker = WorkerEnd::connect(&world.control(), Connector::default).unwrap();
    let (leg, opened) = worker.opens();
    assert_eq!(world.post(&opened).status(), 201);
    let began = Instant::now();
    process.signal("TERM");
    let warning = worker.hears(&leg);
    assert!(matches!(warning, Told::HostEnds(..=1_000)), "{warning:?}");
    assert_eq!(worker.hears(&leg), ended("host_drained"));
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert!(worker.has_ended());
    let mut process = process;
    assert_eq!(process.wait().code(), Some(0), "{}", process.log());
}

#[test]
fn a_media_host_that_is_killed_is_forgotten_within_the_life_of_its_announcement() {
    let directory = tempfile::tempdir().unwrap();
    let world = MediaWorld::new(directory.path());
    let process = world.media.start();
    let mut worker = WorkerEnd::connect(&world.control(), Connector::default).unwrap();
    worker.opens();
    process.kill();
    let killed = Instant::now();
    assert!(worker.has_ended(), "the worker learns it from its stream");
    wait_for("the host is forgotten", || world.hosts().is_empty().then_some(()));
    assert!(killed.elapsed() < FORGOTTEN_WITHIN, "it took {:?}", killed.elapsed());
    // It is back under its name at once.
    let process = world.media.start();
    assert_eq!(world.hosts().len(), 1);
    drop(process);
}

#[test]
fn over_tls_only_a_worker_of_the_cluster_is_served_and_peers_speak_https() {
    let directory = tempfile::tempdir().unwrap();
    let world = MediaWorld::new(directory.path());
    let tls = MediaWorld::certificates(directory.path());
    let file = |name: &str| tls.join(name).display().to_string();
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(tls.join("peers.crt"), certified.cert.pem()).unwrap();
    std::fs::write(tls.join("peers.key"), certified.signing_key.serialize_pem()).unwrap();
    let media = world.media.clone();
    let media = media
        .environment("TRUNKLINE_CLUSTER__TLS_CA", file("ca.crt"))
        .environment("TRUNKLINE_CLUSTER__TLS_CERTIFICATE", file("media.crt"))
        .environment("TRUNKLINE_CLUSTER__TLS_KEY", file("media.key"))
        .environment("TRUNKLINE_MEDIA__PLAIN_HTTP", "false")
        .environment("TRUNKLINE_MEDIA__TLS_CERTIFICATE", file("peers.crt"))
        .environment("TRUNKLINE_MEDIA__TLS_KEY", file("peers.key"));
    let _process = media.start();

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let connector = |name: &str, role: Role| {
        let files = IdentityFiles::new(
            file("ca.crt"),
            file(&format!("{name}.crt")),
            file(&format!("{name}.key")),
            Role::DOMAIN,
        );
        let identity = runtime.block_on(Identity::load(files, role, &mut Registry::default()));
        Connector::to_media_hosts(Some(identity.unwrap()))
    };
    let by_worker = connector("worker", Role::Worker);
    let mut worker = WorkerEnd::connect(&world.control(), || by_worker).unwrap();
    worker.opens();
    let by_ingress = connector("ingress", Role::Ingress);
    let refused = WorkerEnd::connect(&world.control(), || by_ingress).err();
    let refused = refused.expect("an ingress is refused");
    assert!(refused.contains("only a worker tells legs something"), "{refused}");

    let hosts = world.hosts();
    assert_eq!(hosts[0]["whip"], world.peers().replace("http:", "https:"));
    let root = reqwest::Certificate::from_pem(certified.cert.pem().as_bytes()).unwrap();
    let client = reqwest::blocking::Client::builder().tls_certs_only([root]).no_proxy();
    let address = world.peers().replace("http://127.0.0.1", "https://localhost");
    let answer = client.build().unwrap().post(format!("{address}/legs/nobody"));
    let answer = answer.header("content-type", "application/sdp").bearer_auth("x").send();
    assert_eq!(answer.unwrap().status(), 401);
}
