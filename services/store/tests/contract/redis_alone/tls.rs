//! Servers that speak TLS and want a certificate of everybody, of each other, too: one, behind Sentinel, and as a Cluster.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use trunkline_store::StoreError;
use trunkline_store::contract::{Commit, Committed, Header, SharedStore};
use trunkline_store::key::ShardId;
use trunkline_store::redis::{ClientCertificate, RedisConfig, RedisStore};

use super::cluster::Cluster;
use super::sentinel::{Guarded, until_answered};
use super::{PATIENCE, config, own};
use crate::world::{SHARDS, claim_of, header, key, turn};
use trunkline_fleet::process::free_port;
use trunkline_fleet::redis_server::{IN_MEMORY, RedisServer};

/// An authority, and what it has certified: all servers together, and one client.
pub(super) struct Tls {
    files: TempDir,
}

impl Tls {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        // OpenSSL takes a certificate whose issuer bears its own name for one that signed itself.
        params.distinguished_name.push(DnType::CommonName, "authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let certified = |name: &str| {
            let pair = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            let certificate = params.signed_by(&pair, &authority).unwrap();
            (certificate.pem(), pair.serialize_pem())
        };
        let (certificate, private) = certified("127.0.0.1");
        let (client, client_key) = certified("worker");
        let files = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("ca", authority.pem()),
            ("crt", certificate),
            ("key", private),
            ("client.crt", client),
            ("client.key", client_key),
        ] {
            std::fs::write(files.path().join(name), text).unwrap();
        }
        Self { files }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn client(&self) -> ClientCertificate {
        ClientCertificate {
            certificate: self.file("client.crt"),
            key: self.file("client.key"),
        }
    }

    /// Settings of a server or a sentinel that has a port for TLS beside its own: name and value.
    pub(super) fn settings(&self, port: u16) -> Vec<(&'static str, String)> {
        let file = |name: &str| self.file(name).display().to_string();
        vec![
            ("tls-port", port.to_string()),
            ("tls-ca-cert-file", file("ca")),
            ("tls-cert-file", file("crt")),
            ("tls-key-file", file("key")),
            ("tls-auth-clients", "yes".to_owned()),
            ("tls-replication", "yes".to_owned()),
        ]
    }

    /// The same as arguments of the command line.
    pub(super) fn arguments(&self, port: u16) -> Vec<String> {
        let settings = self.settings(port).into_iter();
        settings
            .flat_map(|(name, value)| [format!("--{name}"), value])
            .collect()
    }

    /// How a client reaches those servers, and proves itself.
    pub(super) fn config(&self, url: String) -> RedisConfig {
        RedisConfig {
            shards: SHARDS,
            connections: 2,
            connect_timeout: PATIENCE,
            root_certificates: Some(self.file("ca")),
            client_certificate: Some(self.client()),
            ..RedisConfig::at(url)
        }
    }
}

/// A client without a certificate, and one of another authority, get nowhere.
async fn only_the_certified_come_in(certified: &RedisConfig) {
    let strangers = Tls::new();
    for client_certificate in [None, Some(strangers.client())] {
        let uncertified = RedisConfig {
            client_certificate,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(2),
            ..certified.clone()
        };
        let began = Instant::now();
        let error = RedisStore::open(uncertified).await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
        assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    }
}

async fn open(config: RedisConfig) -> SharedStore {
    Arc::new(RedisStore::open(config).await.unwrap())
}

#[tokio::test]
async fn a_server_that_wants_certificates_takes_ours_and_no_other() {
    let tls = Tls::new();
    let port = free_port();
    let arguments = tls.arguments(port);
    let settings: Vec<&str> = IN_MEMORY
        .iter()
        .copied()
        .chain(arguments.iter().map(String::as_str))
        .collect();
    let server = RedisServer::start(&settings);
    let certified = tls.config(format!("rediss://127.0.0.1:{port}"));
    own(&open(certified.clone()).await).await;
    only_the_certified_come_in(&certified).await;
    // The test's own way in, without TLS, is another port.
    RedisStore::open(config(&server)).await.unwrap();
}

/// What was renewed counts from the next connection on; what is no good lets no connection be made, until it is put right.
#[tokio::test]
async fn a_renewed_certificate_needs_no_restart() {
    let tls = Tls::new();
    let port = free_port();
    let arguments = tls.arguments(port);
    let settings = arguments.iter().map(String::as_str);
    let settings: Vec<&str> = IN_MEMORY.iter().copied().chain(settings).collect();
    let server = RedisServer::start(&settings);
    let patient = tls.config(format!("rediss://127.0.0.1:{port}"));
    let store = open(RedisConfig {
        connect_timeout: Duration::from_secs(2),
        response_timeout: Duration::from_secs(1),
        ..patient
    })
    .await;
    let token = own(&store).await;
    let renewed = std::fs::read(tls.file("client.crt")).unwrap();
    std::fs::copy(Tls::new().file("client.crt"), tls.file("client.crt")).unwrap();
    let mut beside = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
    let kill = ["KILL", "TYPE", "normal", "SKIPME", "yes"];
    redis::cmd("CLIENT").arg(&kill).exec(&mut beside).unwrap();
    let first = turn(token, key("c"), Header::ABSENT, header(1, 1));
    let error = store.commit(first.clone()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    std::fs::write(tls.file("client.crt"), renewed).unwrap();
    let committed = until_answered(async || store.commit(first.clone()).await).await;
    assert_eq!(committed, Committed::Written);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_by_sentinels_is_followed_over_mutual_tls() {
    let tls = Tls::new();
    let mut guarded = Guarded::start(Some(&tls));
    let certified = guarded.config("main");
    only_the_certified_come_in(&certified).await;
    let store = open(certified).await;
    let token = own(&store).await;
    let first = turn(token, key("c"), Header::ABSENT, header(1, 1));
    assert_eq!(store.commit(first).await.unwrap(), Committed::Written);
    guarded.wait_until_copied("{tl}meta");

    guarded.primary.kill();
    // What the replica had not got, it may not know: the shard is claimed again, and read.
    let token = until_answered(async || own_again(&store).await).await;
    let loaded = until_answered(async || store.load(crate::world::SHARD, key("c")).await).await;
    let known = loaded
        .record
        .and_then(|record| Header::of_record(&record))
        .unwrap_or(Header::ABSENT);
    let next = turn(token, key("c"), known, header(2, 2));
    let committed = until_answered(async || store.commit(next.clone()).await).await;
    assert_eq!(committed, Committed::Written);
}

async fn own_again(store: &SharedStore) -> Result<trunkline_store::contract::Token, StoreError> {
    match store.claim(crate::world::SHARD, claim_of(1)).await? {
        trunkline_store::contract::Claimed::Ours(token) => Ok(token),
        other => panic!("the claim came to {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_primaries_of_a_cluster_are_reached_over_mutual_tls_and_one_that_dies_is_replaced() {
    let tls = Tls::new();
    let mut cluster = Cluster::start(Some(&tls));
    let certified = cluster.config();
    only_the_certified_come_in(&certified).await;
    let store = open(certified).await;
    for shard in (0..SHARDS).map(ShardId) {
        let token = super::cluster::own(&store, shard).await;
        let commit = Commit {
            shard,
            ..turn(token, key("c"), Header::ABSENT, header(1, 1))
        };
        assert_eq!(
            until_answered(async || store.commit(commit.clone()).await).await,
            Committed::Written
        );
    }
    cluster.kill(0);
    for shard in (0..SHARDS).map(ShardId) {
        super::cluster::own(&store, shard).await;
    }
}
