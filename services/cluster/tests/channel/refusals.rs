//! Who is let in and who is not, and that the worker lives on.

use std::time::{Duration, Instant};

use prometheus_client::registry::Registry;
use rcgen::ExtendedKeyUsagePurpose;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use trunkline_cluster::channel::{Connector, Role};

use crate::authority::{Authority, Pair};
use crate::world::{Client, Files, Log, PATIENCE, Worker, roles, until};

/// A worker and what an ingress of its cluster has.
struct World {
    authority: Authority,
    worker: Worker,
    ingress: Files,
    log: Log,
    _logging: tracing::subscriber::DefaultGuard,
}

impl World {
    async fn new() -> Self {
        let (log, logging) = Log::start();
        let authority = Authority::new();
        let worker = Worker::start(&Files::new(&[&authority], &authority.issue("worker"))).await;
        let ingress = Files::new(&[&authority], &authority.issue("ingress"));
        Self {
            authority,
            worker,
            ingress,
            log,
            _logging: logging,
        }
    }

    /// The connection failed at the worker for this reason, its log says so, and it goes on serving.
    async fn assert_refused(&self, reason: &str, said: &str) {
        until(&format!("refused as {reason}: {}", self.log.text()), || {
            self.worker.refused(reason) > 0.0
        })
        .await;
        let log = self.log.text();
        assert!(
            log.lines()
                .any(|line| line.contains("WARN") && line.contains("connection refused") && line.contains(said)),
            "{log}"
        );
        Client::connect(&self.ingress, &self.worker)
            .await
            .expect("the worker lives on");
    }
}

/// Opens TLS with another library's view of the rules: whatever this pair is, it is shown.
async fn show(world: &World, pair: Option<&Pair>) {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(world.authority.pem().as_bytes()).unwrap())
        .unwrap();
    let provider = trunkline_cluster::channel::provider();
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots);
    let config = match pair {
        Some(pair) => {
            let chain = vec![CertificateDer::from_pem_slice(pair.certificate.as_bytes()).unwrap()];
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
        None => builder.with_no_client_auth(),
    };
    let stream = TcpStream::connect(world.worker.address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let name = "worker.trunkline.internal".try_into().unwrap();
    let Ok(mut stream) = connector.connect(name, stream).await else {
        return;
    };
    // The alert comes with the first read.
    let ended = tokio::time::timeout(PATIENCE, stream.read_u8()).await.expect("in time");
    assert!(ended.is_err(), "nothing is served");
}

#[tokio::test]
async fn two_processes_of_one_authority_connect_and_the_service_knows_the_role() {
    let world = World::new().await;
    let mut ingress = Client::connect(&world.ingress, &world.worker).await.unwrap();
    assert_eq!(roles(&ingress.exchange(7).await), [Role::Ingress as u64]);

    let names = ["ingress.trunkline.internal", "operator.trunkline.internal"];
    let both = Files::new(&[&world.authority], &world.authority.issue_with(&names, |_| {}));
    let mut both = Client::connect(&both, &world.worker).await.unwrap();
    assert_eq!(
        roles(&both.exchange(8).await),
        [Role::Ingress as u64, Role::Operator as u64]
    );
}

#[tokio::test]
async fn a_client_without_certificate_is_refused() {
    let world = World::new().await;
    show(&world, None).await;
    world
        .assert_refused("no_certificate", "it has no certificate; set cluster.tls_ca")
        .await;
}

#[tokio::test]
async fn a_certificate_of_a_foreign_authority_is_refused() {
    let world = World::new().await;
    show(&world, Some(&Authority::new().issue("ingress"))).await;
    world.assert_refused("certificate", "UnknownIssuer").await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let world = World::new().await;
    show(&world, Some(&world.authority.issue_expired("ingress"))).await;
    world.assert_refused("certificate", "certificate expired").await;
}

#[tokio::test]
async fn a_certificate_that_names_no_role_is_refused() {
    let world = World::new().await;
    let stranger = world.authority.issue_with(&["printer.trunkline.internal"], |_| {});
    show(&world, Some(&stranger)).await;
    world
        .assert_refused(
            "certificate",
            "its certificate names none of ingress.trunkline.internal",
        )
        .await;
}

#[tokio::test]
async fn a_certificate_for_servers_only_is_refused_as_a_clients() {
    let world = World::new().await;
    let server = world.authority.issue_with(&["ingress.trunkline.internal"], |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    show(&world, Some(&server)).await;
    world.assert_refused("certificate", "extended key usage").await;
}

#[tokio::test]
async fn a_client_that_speaks_no_tls_is_refused() {
    let world = World::new().await;
    let refused = Client::open(Connector::default(), world.worker.address).await;
    assert!(refused.is_err());
    world
        .assert_refused("no_tls", "it speaks no TLS; set cluster.tls_ca")
        .await;
}

#[tokio::test]
async fn a_client_learns_why_it_was_refused() {
    let world = World::new().await;
    // It trusts the worker's authority as well as its own, which the worker does not know.
    let foreign = Authority::new();
    let files = Files::new(&[&world.authority, &foreign], &foreign.issue("ingress"));
    let error = Client::connect(&files, &world.worker).await.err().expect("refused");
    assert!(error.contains("UnknownCA"), "{error}");
}

#[tokio::test]
async fn a_client_sends_nothing_to_a_server_that_is_no_worker_of_its_cluster() {
    let world = World::new().await;
    let foreign = Authority::new();
    let files = Files::new(&[&foreign], &foreign.issue("ingress"));
    let error = Client::connect(&files, &world.worker).await.err().expect("refused");
    assert!(
        error.contains("UnknownIssuer") && error.contains("cluster.tls_ca"),
        "{error}"
    );
    world.assert_refused("refused_us", "it refuses our certificate").await;
}

#[tokio::test]
async fn a_certificate_of_an_ingress_cannot_play_the_worker() {
    let world = World::new().await;
    let identity = world.ingress.load(Role::Ingress, &mut Registry::default()).await;
    let impostor = Worker::serve(Some(identity.unwrap()), Registry::default());
    let error = Client::connect(&world.ingress, &impostor).await.err().expect("refused");
    assert!(
        error.contains("not valid for name \"worker.trunkline.internal\""),
        "{error}"
    );
}

#[tokio::test]
async fn a_media_host_and_a_worker_are_not_taken_for_each_other() {
    let world = World::new().await;
    let media = Files::new(&[&world.authority], &world.authority.issue("media"));
    let media = Worker::start_as(Role::Media, &media).await;
    let worker = Files::new(&[&world.authority], &world.authority.issue("worker"));
    let identity = worker.load(Role::Worker, &mut Registry::default()).await.unwrap();

    let to_media = Connector::to_media_hosts(Some(identity.clone()));
    let mut client = Client::open(to_media.clone(), media.address).await.unwrap();
    assert_eq!(roles(&client.exchange(1).await), [Role::Worker as u64]);

    let wrong = [
        (to_media, world.worker.address, "media"),
        (Connector::new(Some(identity)), media.address, "worker"),
    ];
    for (connector, address, wanted) in wrong {
        let error = Client::open(connector, address).await.err().expect("refused");
        let expected = format!("not valid for name \"{wanted}.trunkline.internal\"");
        assert!(error.contains(&expected), "{error}");
    }
}

#[tokio::test]
async fn a_client_with_tls_says_that_the_server_has_none() {
    let world = World::new().await;
    let plain = Worker::plain();
    let error = Client::connect(&world.ingress, &plain).await.err().expect("refused");
    assert!(error.contains("it speaks no TLS; set cluster.tls_ca"), "{error}");
}

#[tokio::test]
async fn without_tls_processes_of_one_machine_connect_and_nothing_is_sent_elsewhere() {
    let mut client = Client::open(Connector::default(), Worker::plain().address)
        .await
        .unwrap();
    assert_eq!(
        roles(&client.exchange(1).await).len(),
        Role::ALL.len(),
        "it may be anything"
    );

    let elsewhere = "192.0.2.1:7400".parse().unwrap();
    let error = Client::open(Connector::default(), elsewhere)
        .await
        .err()
        .expect("refused");
    assert!(error.contains("192.0.2.1:7400 is not of this machine"), "{error}");
    assert!(
        error.contains("cluster.tls_ca, cluster.tls_certificate and cluster.tls_key"),
        "{error}"
    );
}

#[tokio::test]
async fn handshakes_that_never_end_hold_nobody_up() {
    let world = World::new().await;
    let mut silent = Vec::new();
    for _ in 0..300 {
        let mut stream = TcpStream::connect(world.worker.address).await.unwrap();
        // The beginning of a handshake, and no more.
        stream.write_all(&[0x16, 0x03, 0x01]).await.unwrap();
        silent.push(stream);
    }
    let start = Instant::now();
    let mut client = Client::connect(&world.ingress, &world.worker).await.unwrap();
    client.exchange(1).await;
    let took = start.elapsed();
    assert!(took < Duration::from_secs(2), "an honest client waited {took:?}");
    assert!(world.worker.refused("crowded") > 0.0, "the oldest give way");
    world.assert_refused("slow", "no handshake within 3 s").await;
    client.exchange(2).await;
}

#[tokio::test]
async fn a_probe_that_connects_and_leaves_is_no_trouble() {
    let world = World::new().await;
    drop(TcpStream::connect(world.worker.address).await.unwrap());
    until("it is counted", || world.worker.refused("gone") > 0.0).await;
    assert!(!world.log.text().contains("WARN"), "{}", world.log.text());
}
