//! Who may open a stream to a worker, by the role that a certificate names.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::Path;

use prometheus_client::registry::Registry;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};
use trunkline_cluster::channel::{Connector, Identity, IdentityFiles, Role};
use trunkline_proto::peer::peer_client::PeerClient;
use trunkline_proto::peer::{TellOutcome, TellRequest};
use trunkline_proto::routing::routing_client::RoutingClient;
use trunkline_proto::routing::{Hello, PROTOCOL, ToWorker};
use trunkline_worker::{Worker, WorkerConfig, WorkerError};

use support::{config, store_in_memory};

/// Writes an authority and a certificate of every role.
fn certificates(directory: &Path) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(directory.join("ca.crt"), authority.pem()).unwrap();
    for role in Role::ALL {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![role.dns_name(Role::DOMAIN)]).unwrap();
        let certificate = params.signed_by(&key, &authority).unwrap();
        std::fs::write(directory.join(format!("{}.crt", role.label())), certificate.pem()).unwrap();
        std::fs::write(directory.join(format!("{}.key", role.label())), key.serialize_pem()).unwrap();
    }
}

fn files(directory: &Path, role: Role) -> IdentityFiles {
    let file = |name: String| directory.join(name);
    let (certificate, key) = (format!("{}.crt", role.label()), format!("{}.key", role.label()));
    IdentityFiles::new(directory.join("ca.crt"), file(certificate), file(key), Role::DOMAIN)
}

/// A worker with TLS, and the authority of its cluster.
struct Tls {
    directory: tempfile::TempDir,
    port: u16,
    shutdown: CancellationToken,
    served: tokio::task::JoinHandle<Result<(), WorkerError>>,
}

impl Tls {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        certificates(directory.path());
        let config = WorkerConfig {
            listen: "0.0.0.0:0".parse().unwrap(),
            tls: Some(files(directory.path(), Role::Worker)),
            ..config()
        };
        let worker = Worker::bind(config, store_in_memory(), Vec::new(), &mut Registry::default()).await;
        let worker = worker.unwrap();
        let port = worker.address().port();
        let shutdown = CancellationToken::new();
        let served = actix_rt::spawn(worker.serve(shutdown.clone()));
        Self {
            directory,
            port,
            shutdown,
            served,
        }
    }

    /// A connection with a certificate of this role.
    async fn connect(&self, role: Role) -> Channel {
        let identity = Identity::load(files(self.directory.path(), role), role, &mut Registry::default()).await;
        let connector = Connector::new(Some(identity.unwrap()));
        let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{}", self.port)).unwrap();
        endpoint.connect_with_connector(connector).await.unwrap()
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.served.await.unwrap().unwrap();
    }
}

#[actix_web::test]
async fn only_a_certificate_of_an_ingress_opens_a_stream_of_deliveries() {
    let worker = Tls::start().await;
    let open = async |role| {
        let hello = ToWorker {
            hello: Some(Hello {
                protocol: PROTOCOL,
                ..Hello::default()
            }),
            ..ToWorker::default()
        };
        let frames = tokio_stream::iter([hello]);
        let mut answers = RoutingClient::new(worker.connect(role).await)
            .exchange(frames)
            .await?
            .into_inner();
        answers.message().await
    };
    let first = open(Role::Ingress).await.unwrap().expect("a frame");
    assert!(first.welcome.is_some(), "{first:?}");
    for role in [Role::Worker, Role::Operator] {
        let refused = open(role).await.expect_err("refused");
        assert_eq!(refused.code(), tonic::Code::PermissionDenied, "{role:?}: {refused}");
    }
    worker.stop().await;
}

#[actix_web::test]
async fn only_a_certificate_of_a_worker_tells_actors_something() {
    let worker = Tls::start().await;
    let tell = async |role| {
        let mut client = PeerClient::new(worker.connect(role).await);
        client.tell(TellRequest::default()).await
    };
    let reply = tell(Role::Worker).await.unwrap().into_inner();
    assert_eq!(reply.outcome(), TellOutcome::Refused, "it has no bots: {reply:?}");
    for role in [Role::Ingress, Role::Operator] {
        let refused = tell(role).await.expect_err("refused");
        assert_eq!(refused.code(), tonic::Code::PermissionDenied, "{role:?}: {refused}");
    }
    worker.stop().await;
}

#[actix_web::test]
async fn without_tls_a_worker_listens_on_loopback_only() {
    let config = WorkerConfig {
        listen: "0.0.0.0:0".parse().unwrap(),
        ..config()
    };
    let bound = Worker::bind(config, store_in_memory(), Vec::new(), &mut Registry::default()).await;
    let error = bound.err().expect("refused");
    assert!(matches!(error, WorkerError::NotLoopback { .. }), "{error}");
    assert!(error.to_string().contains("cluster.tls_ca"), "{error}");
}
