//! The endpoint by TLS: versions, certificates that change, and files that cannot be used.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use reqwest::tls::Version;
use reqwest::{Certificate, Client, Response};
use tempfile::TempDir;
use trunkline_cluster::channel::{TlsError, TlsFiles};
use trunkline_ingress::{IngressError, Transport};

use crate::signer::token;
use crate::worker::FakeWorker;
use crate::world::{PATIENCE, Plan, World, message, until};

/// A folder with a certificate for 127.0.0.1 and its key.
struct Files {
    folder: TempDir,
    certificate: Certificate,
}

impl Files {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let certificate = write_pair(folder.path());
        Self { folder, certificate }
    }

    fn renew(&mut self) {
        self.certificate = write_pair(self.folder.path());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn transport(&self) -> Transport {
        Transport::Tls(TlsFiles {
            reload_interval: Duration::from_millis(20),
            ..TlsFiles::new(self.path("tls.crt"), self.path("tls.key"))
        })
    }
}

fn write_pair(folder: &Path) -> Certificate {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["127.0.0.1".into()]).unwrap();
    std::fs::write(folder.join("tls.crt"), cert.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), signing_key.serialize_pem()).unwrap();
    Certificate::from_pem(cert.pem().as_bytes()).unwrap()
}

async fn world(worker: &FakeWorker, files: &Files) -> World {
    let mut plan = Plan::new(&[worker]);
    plan.ingress.transport = files.transport();
    let world = plan.start().await;
    until("a worker is connected and the keys are read", || {
        world.metric("trunkline_ingress_worker_streams") > 0.0 && world.metric("trunkline_ingress_signing_keys") > 0.0
    })
    .await;
    world
}

/// A client of its own connection that trusts this certificate only and speaks these versions only.
async fn post(world: &World, trusted: &Certificate, versions: &[Version]) -> Result<Response, reqwest::Error> {
    let client = Client::builder()
        .tls_certs_only([trusted.clone()])
        .tls_version_min(versions[0])
        .tls_version_max(versions[versions.len() - 1])
        .timeout(PATIENCE)
        .build()?;
    let url = format!("https://{}/api/messages", world.address);
    client
        .post(url)
        .bearer_auth(token())
        .body(message("1").to_string())
        .send()
        .await
}

const BOTH: &[Version] = &[Version::TLS_1_2, Version::TLS_1_3];

#[actix_web::test]
async fn a_client_of_tls_1_2_or_1_3_only_is_served_without_a_server_name() {
    let worker = FakeWorker::start().await;
    let files = Files::new();
    let world = world(&worker, &files).await;
    for versions in [&[Version::TLS_1_2][..], &[Version::TLS_1_3], BOTH] {
        // An address is no server name, so the client sends none (RFC 6066 section 3).
        let response = post(&world, &files.certificate, versions).await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "{versions:?}");
        assert_eq!(response.version(), reqwest::Version::HTTP_2, "{versions:?}");
    }
}

#[actix_web::test]
async fn http_1_1_is_served_by_tls_too() {
    let worker = FakeWorker::start().await;
    let files = Files::new();
    let world = world(&worker, &files).await;
    let client = Client::builder()
        .tls_certs_only([files.certificate.clone()])
        .http1_only()
        .build()
        .unwrap();
    let url = format!("https://{}/api/messages", world.address);
    let response = client
        .post(url)
        .bearer_auth(token())
        .body(message("1").to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(
        (response.version(), response.status().as_u16()),
        (reqwest::Version::HTTP_11, 200)
    );
}

#[actix_web::test]
async fn a_changed_certificate_is_taken_into_use_and_a_broken_one_is_not() {
    let worker = FakeWorker::start().await;
    let mut files = Files::new();
    let world = world(&worker, &files).await;
    let first = files.certificate.clone();
    files.renew();
    until("it is taken into use", || {
        world.metric("trunkline_ingress_certificate_reloads_total") > 0.0
    })
    .await;
    let second = files.certificate.clone();
    assert_eq!(post(&world, &second, BOTH).await.unwrap().status().as_u16(), 200);
    assert!(
        post(&world, &first, BOTH).await.is_err(),
        "the old one is no longer shown"
    );

    let failures = || world.metric("trunkline_ingress_certificate_failures_total");
    std::fs::write(files.path("tls.crt"), "not a certificate").unwrap();
    until("it is noticed", || failures() >= 1.0).await;
    assert_eq!(post(&world, &second, BOTH).await.unwrap().status().as_u16(), 200);
    std::fs::remove_file(files.path("tls.key")).unwrap();
    until("it is noticed", || failures() >= 2.0).await;
    assert_eq!(post(&world, &second, BOTH).await.unwrap().status().as_u16(), 200);
    files.renew();
    until("it is taken into use", || {
        world.metric("trunkline_ingress_certificate_reloads_total") > 1.0
    })
    .await;
    assert_eq!(
        post(&world, &files.certificate, BOTH).await.unwrap().status().as_u16(),
        200
    );
}

#[actix_web::test]
async fn files_that_cannot_be_used_are_named_at_the_start() {
    let worker = FakeWorker::start().await;
    let bind = async |files: &Files| {
        let mut plan = Plan::new(&[&worker]);
        plan.ingress.transport = files.transport();
        let verifier = trunkline_teams::identity::Verifier::new(plan.verifier, Client::new()).unwrap();
        let mut registry = prometheus_client::registry::Registry::default();
        trunkline_ingress::Ingress::bind(plan.ingress, verifier.into(), &mut registry)
            .await
            .unwrap_err()
    };
    let files = Files::new();
    std::fs::remove_file(files.path("tls.key")).unwrap();
    let error = bind(&files).await;
    assert!(
        matches!(&error, IngressError::Tls(TlsError::Read { file, .. }) if file.path == files.path("tls.key")),
        "{error}"
    );
    std::fs::write(files.path("tls.key"), "nothing").unwrap();
    let error = bind(&files).await;
    assert!(
        matches!(&error, IngressError::Tls(TlsError::Pem { file, .. }) if file.path == files.path("tls.key")),
        "{error}"
    );
    let other = Files::new();
    std::fs::copy(other.path("tls.key"), files.path("tls.key")).unwrap();
    let error = bind(&files).await;
    assert!(matches!(error, IngressError::Tls(TlsError::Pair { .. })), "{error}");
}
