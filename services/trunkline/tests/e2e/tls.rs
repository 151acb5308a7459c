//! Mutual TLS between the processes, with certificates of `trunkline dev certificate`.

use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::world::house::{Cluster, stock};
use trunkline_fleet::chance::Chance;
use trunkline_fleet::crowd::{Crowd, Habits};
use trunkline_fleet::process::{Process, Recipe, free_port};
use trunkline_fleet::recorder::Recorder;
use trunkline_fleet::wait::wait_for;

fn certificates(directory: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(stock());
    command.args(["dev", "certificate", "--out"]).arg(directory).args(more);
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn with_tls(recipe: Recipe, directory: &Path, node: &str) -> Recipe {
    let file = |name: &str| directory.join(name).display().to_string();
    recipe
        .environment("TRUNKLINE_CLUSTER__TLS_CA", file("ca.crt"))
        .environment("TRUNKLINE_CLUSTER__TLS_CERTIFICATE", file(&format!("{node}.crt")))
        .environment("TRUNKLINE_CLUSTER__TLS_KEY", file(&format!("{node}.key")))
}

fn wait_for_log(process: &Process, said: &str) {
    wait_for(said, || process.log().contains(said).then_some(()));
}

#[test]
fn ingress_and_worker_converse_by_tls_and_their_certificates_are_renewed_under_load() {
    let directory = tempfile::tempdir().unwrap();
    let tls = directory.path().join("tls");
    let made = certificates(&tls, &[]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let (recorder, connector) = Recorder::start(Ipv4Addr::LOCALHOST.into());
    let cluster = Cluster::new(directory.path(), stock(), "echo", connector);
    let port = free_port();
    let worker = with_tls(cluster.worker.clone(), &tls, "worker")
        .environment("TRUNKLINE_WORKER__LISTEN", format!("0.0.0.0:{port}"));
    let ingress = cluster
        .ingress
        .clone()
        .environment("TRUNKLINE_INGRESS__WORKERS", format!("127.0.0.1:{port}"));

    let worker_process = worker.start();
    let plain = ingress.spawn();
    wait_for_log(&worker_process, "it speaks no TLS; set cluster.tls_ca");
    plain.kill();

    let ingress = with_tls(ingress, &tls, "ingress");
    let ingress_process = ingress.start();
    let crowd = Crowd::talk(&cluster.surroundings, Habits::default());
    let renewed = certificates(&tls, &["--force"]);
    assert!(renewed.status.success(), "{}", text(&renewed.stderr));
    for process in [&worker_process, &ingress_process] {
        wait_for_log(process, "changed certificate files taken into use");
    }
    Chance::of("TLS").moment();
    let log = ingress_process.log();
    assert!(!log.contains("no stream to a worker"), "a stream was dropped:\n{log}");

    worker_process.kill();
    let worker_process = worker.start();
    wait_for("streams by the renewed certificates", || {
        let log = ingress_process.log();
        let after = log.split_once("no stream to a worker")?.1;
        after.contains("stream to a worker is open").then_some(())
    });
    crowd.judge("TLS", &recorder);
    drop((ingress_process, worker_process));
}

#[test]
fn without_tls_a_worker_does_not_listen_beyond_this_machine() {
    let output = Command::new(stock())
        .args(["worker", "--set", "worker.listen=0.0.0.0:0"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3), "the configuration is refused");
    let said = text(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("worker.listen"), "{said}");
    assert!(said.contains("cluster.tls_ca"), "{said}");
}

#[test]
fn certificates_are_private_and_nothing_is_written_over_unasked() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("new");
    let nodes = ["--node", "worker-1", "--node", "ingress"];
    let made = certificates(&out, &nodes);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let said = text(&made.stdout);
    assert!(said.contains("[cluster]\ntls_ca = "), "{said}");
    assert!(
        said.contains("worker-1.crt with its key, for worker.trunkline.internal"),
        "{said}"
    );
    for key in ["ca.key", "worker-1.key", "ingress.key"] {
        let permissions = std::fs::metadata(out.join(key)).unwrap().permissions().mode();
        assert_eq!(permissions & 0o777, 0o600, "{key}");
    }

    let read = |name: &str| std::fs::read_to_string(out.join(name)).unwrap();
    let (authority, certificate) = (read("ca.crt"), read("worker-1.crt"));
    let again = certificates(&out, &nodes);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("--force"), "{}", text(&again.stderr));
    assert_eq!(read("worker-1.crt"), certificate);

    assert!(certificates(&out, &["--node", "worker-1", "--force"]).status.success());
    assert_ne!(read("worker-1.crt"), certificate);
    assert_eq!(read("ca.crt"), authority, "the authority stays");
}
